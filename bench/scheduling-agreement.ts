/**
 * How far `packages/scheduling` and a real scheduler agree on random small clusters. Writes
 * `bench/results/scheduling-agreement.json`, and ends with 1 below 99.9 %.
 *
 *   eval "$(script/cluster env)" && node --conditions=source bench/scheduling-agreement.ts [--worlds 2000] [--seed 1]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareWithScheduler } from '../test/harness/scheduling/agreement.ts';
import { connect } from '../test/harness/scheduling/real-scheduler.ts';

const { values } = parseArgs({
  options: { worlds: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } },
});
const kubeconfig = process.env['KUBECONFIG'];
if (kubeconfig === undefined) throw new Error('No cluster: run eval "$(script/cluster env)" first.');

const worlds = Number(values.worlds);
const seed = Number(values.seed);
const namespace = `agreement-${process.pid}`;
const api = connect(kubeconfig);
const startedAt = performance.now();
await api.send('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
try {
  const { gitVersion } = (await api.send('GET', '/version')) as { gitVersion: string };
  const agreement = await compareWithScheduler(api, { seed, worlds, namespace }, (done) =>
    console.error(`${done} of ${worlds} clusters`),
  );
  const share = 1 - agreement.disagreements.length / agreement.verdicts;
  const result = {
    kubernetes: gitVersion,
    seed,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    agreedPercent: Number((share * 100).toFixed(4)),
    ...agreement,
  };
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'scheduling-agreement.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(
    `${agreement.verdicts} verdicts on the nodes of ${worlds} clusters, ${agreement.placed} of them placed: ${agreement.disagreements.length} disagreements, ${agreement.otherReasons.length} other reasons`,
  );
  if (share < 0.999) process.exitCode = 1;
} finally {
  await api.send('DELETE', `/api/v1/namespaces/${namespace}`);
  api.close();
}

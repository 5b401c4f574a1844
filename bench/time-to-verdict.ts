/**
 * How long after the cluster holds a definitive signal `packages/rollout` names the cause, beside `kubectl rollout
 * status` on the same rollout. Writes `bench/results/time-to-verdict.json` and prints the table of README.md; ends with 1
 * where a cause is wrong or a p95 is above 10 s.
 *
 *   node --conditions=source bench/time-to-verdict.ts [--rounds 5]
 *
 * Every case has nodes of its own; the cases of a round run at the same time. kubectl runs in the first round only, and
 * for a minute: a Deployment's own deadline, the only thing it waits for, is 600 s unless the manifest says otherwise.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectCluster } from '@sophia/kubernetes';
import { startCluster } from '../test/harness/cluster.ts';
import { watchObjects } from '../test/harness/rollout/live-objects.ts';
import { playCase } from '../test/harness/rollout/play-case.ts';
import { failingCases, type RolloutCase } from '../test/harness/rollout/rollout-cases.ts';

const kubectlLimitMs = 60_000;
const targetMs = 10_000;

/** How `kubectl rollout status` ended, counted from the signal. */
interface KubectlEnd {
  readonly afterSignalMs: number;
  readonly isTimeout: boolean;
  readonly status: number;
  readonly lastLine: string;
}

interface Row {
  readonly code: string;
  readonly afterSignalMs: readonly number[];
  readonly kubectl: KubectlEnd | undefined;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Array.from({ length: Number(values.rounds) }, (_, index) => failingCases(`-${index + 1}`));

await using control = await startCluster({ nodes: rounds.flat().flatMap(({ nodes }) => nodes) });
const watching = new AbortController();
const cluster = await connectCluster({
  kubeconfig: control.kubeconfig,
  context: undefined,
  env: {},
  log: () => undefined,
  mask: () => undefined,
});
const stage = { cluster, live: await watchObjects(cluster, watching.signal) };
const wrong: string[] = [];
const measured: { readonly code: string; readonly afterSignalMs: number; readonly kubectl?: KubectlEnd }[] =
  [];
for (const [index, cases] of rounds.entries()) {
  console.error(`round ${index + 1} of ${rounds.length}`);
  await Promise.all(cases.map((played) => measure(played, index === 0)));
}
watching.abort();

const byCode = Map.groupBy(measured, ({ code }) => code);
const rows: readonly Row[] = [...new Set(rounds.flat().map(codeOf))].map((code) => ({
  code,
  afterSignalMs: (byCode.get(code) ?? [])
    .map(({ afterSignalMs }) => afterSignalMs)
    .toSorted((left, right) => left - right),
  kubectl: byCode.get(code)?.find(({ kubectl }) => kubectl !== undefined)?.kubectl,
}));
const { gitVersion } = JSON.parse((await control.kubectl(['get', '--raw=/version'])).stdout) as {
  gitVersion: string;
};
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const result = { kubernetes: gitVersion, rounds: rounds.length, kubectlLimitMs, wrong, rows };
writeFileSync(join(folder, 'time-to-verdict.json'), `${JSON.stringify(result, null, 2)}\n`);
console.log(renderTable(rows));
for (const text of wrong) console.log(`wrong: ${text}`);
if (wrong.length > 0 || rows.some(({ afterSignalMs }) => quantile(afterSignalMs, 0.95) > targetMs)) {
  process.exitCode = 1;
}

/** `failed crash-loop` ▶ `crash-loop` */
function codeOf({ verdict }: RolloutCase): string {
  return verdict.split(' ')[1] ?? verdict;
}

async function measure(played: RolloutCase, isBesideKubectl: boolean): Promise<void> {
  let status: Promise<Omit<KubectlEnd, 'afterSignalMs'> & { readonly endedMs: number }> | undefined;
  const result = await playCase(stage, played, (namespace) => {
    if (isBesideKubectl) status = runRolloutStatus(namespace);
  });
  if (result.verdict !== played.verdict || result.signalMs === undefined) {
    wrong.push(`${played.name}: ${result.verdict}: ${result.message}`);
    return;
  }
  const { signalMs, verdictMs } = result;
  const ended = await status;
  const kubectl =
    ended === undefined
      ? {}
      : {
          kubectl: {
            afterSignalMs: ended.endedMs - signalMs,
            isTimeout: ended.isTimeout,
            status: ended.status,
            lastLine: ended.lastLine,
          },
        };
  measured.push({ code: codeOf(played), afterSignalMs: verdictMs - signalMs, ...kubectl });
}

async function runRolloutStatus(namespace: string) {
  const startedMs = performance.now();
  const args = ['rollout', 'status', 'deployment/app', `--namespace=${namespace}`];
  const { status, stdout, stderr } = await control.kubectl(
    [...args, `--timeout=${kubectlLimitMs / 1_000}s`],
    { mayFail: true },
  );
  const lastLine = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
  return {
    endedMs: Math.round(performance.now() - startedMs),
    isTimeout: /timed out waiting/.test(stderr),
    status,
    lastLine,
  };
}

/** Nearest rank. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

function renderTable(all: readonly Row[]): string {
  const head = ['| cause | n | p50 | p95 | max | kubectl rollout status |', '|---|---:|---:|---:|---:|---|'];
  const lines = all.map(({ code, afterSignalMs, kubectl }) => {
    const times = [0.5, 0.95, 1].map((share) => seconds(quantile(afterSignalMs, share)));
    return `| \`${code}\` | ${afterSignalMs.length} | ${times.join(' | ')} | ${sayKubectl(kubectl)} |`;
  });
  const every = all.flatMap(({ afterSignalMs }) => afterSignalMs).toSorted((left, right) => left - right);
  const total = [0.5, 0.95, 1].map((share) => seconds(quantile(every, share)));
  return [...head, ...lines, `| all | ${every.length} | ${total.join(' | ')} | |`].join('\n');
}

function sayKubectl(kubectl: KubectlEnd | undefined): string {
  if (kubectl === undefined) return '';
  if (kubectl.isTimeout) return `nothing in ${seconds(kubectl.afterSignalMs)}`;
  const how = kubectl.status === 0 ? 'success' : kubectl.lastLine.replace(/^error: /, '');
  return `${seconds(kubectl.afterSignalMs)}: ${how}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

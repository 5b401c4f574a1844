import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS } from '../harness/cluster.ts';
import {
  type DeploymentOptions,
  deployment,
  type Ground,
  imageOf,
  openGround,
  readDeployRecord,
  readField,
  readyImages,
  runDeployStep,
  startPools,
} from './deploy-step.ts';

interface FailingVersion extends DeploymentOptions {
  /** The reason, and the name of the test's pool. */
  readonly reason: string;
}

const init = { name: 'fetch-model', image: imageOf('d') };

const failingVersions: readonly FailingVersion[] = [
  { reason: 'image-not-found', play: { state: 'image-not-found' } },
  { reason: 'config-missing', play: { state: 'config-missing' } },
  { reason: 'crash-loop', play: { state: 'crash@300ms' } },
  { reason: 'oom-killed', play: { state: 'oom@300ms' } },
  {
    reason: 'readiness-failing',
    play: { state: 'unready' },
    // Without the startup probe nothing would say how long loading may take, and the timeout would end it.
    container: {
      startupProbe: { httpGet: { path: '/health', port: 8000 }, periodSeconds: 1, failureThreshold: 2 },
      readinessProbe: { httpGet: { path: '/health', port: 8000 }, periodSeconds: 1, failureThreshold: 3 },
    },
  },
  {
    reason: 'init-failed',
    play: { state: 'crash@300ms', container: 'fetch-model' },
    pod: { initContainers: [init] },
  },
];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startPools(
    failingVersions.map(({ reason }) => reason),
    2,
  );
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** Looks all the time at what serves, until it is stopped. */
function watchReady(ground: Ground): { readonly stop: () => Promise<readonly (readonly string[])[]> } {
  const stopping = new AbortController();
  const looking = (async () => {
    const seen: (readonly string[])[] = [];
    while (!stopping.signal.aborted) {
      seen.push(await readyImages(ground));
      await wait(200);
    }
    return seen;
  })();
  return {
    stop: () => {
      stopping.abort();
      return looking;
    },
  };
}

describe('a version that fails beside the old one is rolled back, and the old one serves throughout', () => {
  it.concurrent.for(failingVersions)('$reason', async ({ reason, ...version }, { expect }) => {
    const ground = await openGround(cluster, reason);
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    await using first = await runDeployStep(ground, [deployment(ground, { strategy })]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });

    const watching = watchReady(ground);
    await using run = await runDeployStep(ground, [
      deployment(ground, { ...version, strategy, image: imageOf('b') }),
    ]);
    const seen = await watching.stop();
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.outputs).toMatchObject({ status: 'rolled-back', reason });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      new RegExp(`^${reason}: Deployment ${ground.namespace}/vllm .+\\. Rolled back\\.(\n|$)`),
    );
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.filter((images) => !images.includes(imageOf('a')))).toEqual([]);

    expect(await readyImages(ground)).toEqual([imageOf('a')]);
    expect(await readField(ground, 'deployment/vllm', '.spec.template.spec.containers[0].image')).toBe(
      imageOf('a'),
    );
    expect((await readDeployRecord(run)).objects).toEqual([
      { subject: `Deployment ${ground.namespace}/vllm`, change: 'restored' },
    ]);
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import {
  occupyNodes,
  parseNode,
  parsePod,
  predictRollout,
  type RolloutOutlook,
  resolveFenceposts,
} from '@sophia/scheduling';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, startCluster } from '../harness/cluster.ts';
import { compareWithScheduler } from '../harness/scheduling/agreement.ts';
import { connect } from '../harness/scheduling/real-scheduler.ts';

type Update = {
  readonly name: string;
  readonly replicas: number;
  readonly maxSurge: number | string;
  readonly maxUnavailable: number | string;
  /** GPUs of its node, which no other Deployment may use, and of each Pod before and after. */
  readonly nodeGpus: number;
  readonly oldGpus: number;
  readonly newGpus: number;
  readonly outcome: RolloutOutlook['outcome'];
};

const defaults = { maxSurge: '25%', maxUnavailable: '25%', oldGpus: 1, newGpus: 1 };

// What is foretold by hand from the rule, and has to come true.
const updates: readonly Update[] = [
  { ...defaults, name: 'one-full', replicas: 1, nodeGpus: 1, outcome: 'surge-deadlock' },
  { ...defaults, name: 'one-spare', replicas: 1, nodeGpus: 2, outcome: 'ends' },
  { ...defaults, name: 'three-full', replicas: 3, nodeGpus: 3, outcome: 'surge-deadlock' },
  { ...defaults, name: 'four-full', replicas: 4, nodeGpus: 4, outcome: 'ends' },
  {
    ...defaults,
    name: 'no-surge',
    replicas: 2,
    nodeGpus: 2,
    maxSurge: 0,
    maxUnavailable: 1,
    outcome: 'ends',
  },
  { ...defaults, name: 'growing', replicas: 3, nodeGpus: 6, newGpus: 2, outcome: 'surge-deadlock' },
  {
    ...{ ...defaults, name: 'growing-slowly', replicas: 3, nodeGpus: 6, newGpus: 2 },
    ...{ maxSurge: 0, maxUnavailable: 1, outcome: 'ends' },
  },
  { ...defaults, name: 'grown-out', replicas: 2, nodeGpus: 3, newGpus: 2, outcome: 'too-few-places' },
];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({
    nodes: updates.map(({ name, nodeGpus }) => ({
      name,
      labels: { deployment: name },
      capacity: { cpu: 8, memory: '8Gi', pods: 110, 'nvidia.com/gpu': nodeGpus },
    })),
  });
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => cluster?.[Symbol.asyncDispose]());

describe('explainPod', () => {
  // bench/scheduling-agreement.ts compares 2,000 and keeps the result.
  it('says of every node of random small clusters what the real scheduler says, for the same reason', async () => {
    await cluster.kubectl(['create', 'namespace', 'agreement']);
    const api = connect(cluster.kubeconfig);
    const agreement = await compareWithScheduler(api, {
      seed: 20261125,
      worlds: 100,
      namespace: 'agreement',
    });
    api.close();
    expect(agreement).toMatchObject({ worlds: 100, disagreements: [], otherReasons: [] });
    // Otherwise the clusters were too easy, or too hard, to show anything.
    expect(agreement.placed).toBeGreaterThan(40);
    expect(agreement.verdicts - agreement.placed).toBeGreaterThan(100);
  }, 120_000);
});

describe('predictRollout', () => {
  it('foretells what the real controllers then do', async () => {
    await apply(updates.map((update) => deployment(update, update.oldGpus)));
    await Promise.all(updates.map((update) => waitUntilAtRest(update)));
    const foretold = await Promise.all(updates.map(foretell));
    expect(foretold).toEqual(updates.map(({ name, outcome }) => ({ name, outcome })));

    await apply(updates.map((update) => deployment(update, update.newGpus, { version: '2' })));
    const finished = await Promise.all(updates.map((update) => waitUntilAtRest(update)));
    expect(updates.map(({ name }, index) => ({ name, isFinished: finished[index] }))).toEqual(
      updates.map(({ name, outcome }) => ({ name, isFinished: outcome === 'ends' })),
    );
  }, 120_000);
});

function deployment(
  update: Update,
  gpus: number,
  annotations: Readonly<Record<string, string>> = {},
): object {
  const { name, replicas, maxSurge, maxUnavailable } = update;
  const container = {
    name: 'app',
    image: 'registry.test/app:1',
    resources: { limits: { 'nvidia.com/gpu': gpus } },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
      template: {
        metadata: { labels: { app: name }, annotations },
        spec: { nodeSelector: { deployment: name }, containers: [container] },
      },
    },
  };
}

async function apply(items: readonly object[]): Promise<void> {
  await cluster.kubectl(['apply', '--filename=-'], { input: { apiVersion: 'v1', kind: 'List', items } });
}

async function read(...args: readonly string[]): Promise<unknown> {
  return JSON.parse((await cluster.kubectl(['get', ...args, '--output=json'])).stdout);
}

async function foretell(update: Update): Promise<{ name: string; outcome: string }> {
  const { name, replicas, maxSurge, maxUnavailable } = update;
  const pods = ((await read('pods', `--selector=app=${name}`)) as { items: unknown[] }).items.map(parsePod);
  const nodes = [parseNode(await read('node', name))];
  const { spec } = deployment(update, update.newGpus) as { spec: { template: unknown } };
  const strategy = { kind: 'rolling', ...resolveFenceposts(replicas, maxSurge, maxUnavailable) } as const;
  const newPod = parsePod(spec.template);
  const { outcome } = predictRollout(
    { replicas, newPod, oldPods: pods, nodes: occupyNodes(nodes, pods) },
    strategy,
  );
  return { name, outcome };
}

type Status = {
  readonly metadata: { readonly generation: number };
  readonly status: Readonly<
    Partial<Record<'observedGeneration' | 'replicas' | 'updatedReplicas' | 'availableReplicas', number>>
  >;
};

/**
 * Waits until a Deployment is finished, or nothing has happened to it for 6 s: the simulated kubelets take under a
 * second to start a Pod and to end one.
 *
 * @returns Whether all its Pods are of the newest template and available, and no other is left.
 */
async function waitUntilAtRest({ name, replicas }: Update): Promise<boolean> {
  let last = '';
  let changedAt = Date.now();
  for (;;) {
    const { metadata, status } = (await read('deployment', name)) as Status;
    const isSeen = status.observedGeneration === metadata.generation;
    const counts = [status.replicas, status.updatedReplicas, status.availableReplicas];
    if (isSeen && counts.every((count) => count === replicas)) return true;
    if (JSON.stringify([isSeen, counts]) !== last) {
      last = JSON.stringify([isSeen, counts]);
      changedAt = Date.now();
    }
    if (Date.now() - changedAt > 6000) return false;
    await sleep(300);
  }
}

import { connectCluster } from '@sophia/kubernetes';
import { planWorkload } from '@sophia/rollout';
import { occupyNodes, parseNode, parsePod } from '@sophia/scheduling';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, startCluster } from '../harness/cluster.ts';
import { watchObjects } from '../harness/rollout/live-objects.ts';
import { playCase, type Stage } from '../harness/rollout/play-case.ts';
import { failingCases, type RolloutCase, soundCases } from '../harness/rollout/rollout-cases.ts';

const failing = failingCases();
const sound = soundCases();

let control: Cluster;
let stage: Stage;
const watching = new AbortController();

beforeAll(async () => {
  control = await startCluster({ nodes: [...failing, ...sound].flatMap(({ nodes }) => nodes) });
  const cluster = await connectCluster({
    kubeconfig: control.kubeconfig,
    context: undefined,
    env: {},
    log: () => undefined,
    mask: () => undefined,
  });
  stage = { cluster, live: await watchObjects(cluster, watching.signal) };
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  watching.abort();
  await control?.[Symbol.asyncDispose]();
});

/** What a plan would have said, on the nodes as they are. */
function planBeforehand({ name, change }: RolloutCase): readonly string[] {
  const pods = stage.live.of('Pod').map(parsePod);
  const { spec } = change as unknown as { readonly spec: { readonly template: object } };
  const { findings } = planWorkload({
    workload: change,
    current: undefined,
    pod: parsePod(spec.template),
    nodes: occupyNodes(stage.live.of('Node').map(parseNode), pods),
    pods,
    oldPods: pods.filter(
      (pod) => pod.namespace === name && pod.nodeName !== undefined && pod.name.startsWith('app-'),
    ),
    images: [],
    hasAutoscaler: false,
    strategy: 'rolling',
  });
  return findings.map((finding) => `${finding.class} ${finding.code}`);
}

// Each has nodes and a namespace of its own, so that they can be played at the same time.
describe.concurrent('assessRollout on a real control plane', { timeout: 120_000 }, () => {
  test.each(failing)('names $name', async (played) => {
    const result = await playCase(stage, played);

    expect(result.verdict).toBe(played.verdict);
    expect(result.message.length).toBeLessThanOrEqual(200);
    expect(result.signalMs).toBeTypeOf('number');
    // Whoever is faster than the signal has guessed.
    expect(result.verdictMs).toBeGreaterThanOrEqual(result.signalMs ?? 0);
    // What only the nodes decide would have been known before.
    if (result.assessment.state.kind === 'failed' && result.assessment.state.finding.nodes.length > 0) {
      expect(planBeforehand(played)).toEqual([played.verdict.replace('failed', 'refused')]);
    }
  });

  test.each(sound)('takes $name for no failure', async (played) => {
    const result = await playCase(stage, played);

    expect({ verdict: result.verdict, message: result.message }).toEqual({
      verdict: 'complete',
      message: '',
    });
    expect(result.said.filter((text) => text.startsWith('failed '))).toEqual([]);
  });
});

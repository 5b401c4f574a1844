import { describe, expect, it } from 'vitest';
import { type SimulatedUpdate, simulateRollout } from '../../../test/harness/rollout-simulation.ts';
import { occupyNodes, parseNode } from './node.ts';
import { parsePod } from './pod.ts';
import { findWorkingStrategies, predictRollout, type RolloutPlan } from './rollout-outlook.ts';

type World = {
  readonly newGpus: number;
  readonly oldGpus: number;
  /** GPUs of each node, how many of the old Pods it has, and what keeps others away. */
  readonly nodes: readonly { readonly gpus: number; readonly old: number; readonly labels?: object }[];
  readonly oldPending?: number;
  readonly selector?: Readonly<Record<string, string>>;
};

function gpuPod(name: string, gpus: number, extra: object = {}): unknown {
  const resources = { limits: { 'nvidia.com/gpu': gpus } };
  return {
    metadata: { name, namespace: 'inference' },
    spec: { containers: [{ name: 'vllm', resources }], ...extra },
  };
}

function planOf({ newGpus, oldGpus, nodes, oldPending = 0, selector = {} }: World): RolloutPlan {
  const parsed = nodes.map(({ gpus, labels = {} }, index) =>
    parseNode({
      metadata: { name: `n${index}`, labels },
      status: { allocatable: { 'nvidia.com/gpu': gpus, pods: 110 } },
    }),
  );
  const placed = nodes.flatMap(({ old }, index) =>
    Array.from({ length: old }, (_, count) =>
      parsePod(gpuPod(`old-${index}-${count}`, oldGpus, { nodeName: `n${index}` })),
    ),
  );
  const pending = Array.from({ length: oldPending }, (_, count) =>
    parsePod(gpuPod(`old-pending-${count}`, oldGpus)),
  );
  return {
    replicas: placed.length + pending.length,
    newPod: parsePod(gpuPod('', newGpus, { nodeSelector: selector })),
    oldPods: [...placed, ...pending],
    nodes: occupyNodes(parsed, placed),
  };
}

const defaults = { kind: 'rolling', surge: 1, unavailable: 0 } as const;

describe('predictRollout', () => {
  it('finds the deadlock of one replica on the only GPU', () => {
    expect(
      predictRollout(planOf({ newGpus: 1, oldGpus: 1, nodes: [{ gpus: 1, old: 1 }] }), defaults),
    ).toEqual({
      outcome: 'surge-deadlock',
      placesNow: 0,
      placesAtEnd: 1,
      isUpperBound: false,
      isSameShape: true,
    });
  });

  // deploy.md 3.5: 3 replicas grow from 1 to 2 GPUs with 3 free; ends up with 2 new and 1 old Pod.
  it('finds the deadlock of Pods that grow though the nodes have room for all of them', () => {
    const plan = planOf({ newGpus: 2, oldGpus: 1, nodes: [{ gpus: 6, old: 3 }] });
    expect(predictRollout(plan, defaults)).toEqual({
      outcome: 'surge-deadlock',
      placesNow: 1,
      placesAtEnd: 3,
      isUpperBound: false,
      isSameShape: false,
    });
    expect(predictRollout(plan, { kind: 'rolling', surge: 0, unavailable: 1 }).outcome).toBe('ends');
  });

  it('lets Pods move to other nodes, which frees nothing for them but needs nothing either', () => {
    const nodes = [
      { gpus: 1, old: 1, labels: { gpu: 'a10' } },
      { gpus: 1, old: 0, labels: { gpu: 'gh200' } },
    ];
    const plan = planOf({ newGpus: 1, oldGpus: 1, nodes, selector: { gpu: 'gh200' } });
    expect(predictRollout(plan, defaults)).toMatchObject({ outcome: 'ends', isSameShape: false });
  });

  it('says that no strategy helps where the nodes are too small', () => {
    const plan = planOf({ newGpus: 4, oldGpus: 1, nodes: [{ gpus: 2, old: 1 }] });
    expect(predictRollout(plan, { kind: 'recreate' }).outcome).toBe('too-few-places');
    expect(findWorkingStrategies(plan)).toEqual([]);
  });

  it('takes Pods that are ending as gone', () => {
    const plan = planOf({ newGpus: 1, oldGpus: 1, nodes: [{ gpus: 2, old: 1 }] });
    const ending = parsePod({
      ...(gpuPod('batch', 1, { nodeName: 'n0' }) as object),
      metadata: { name: 'batch', deletionTimestamp: '2026-11-25T00:00:00Z' },
    });
    const nodes = plan.nodes.map(({ node, pods }) => ({ node, pods: [...pods, ending] }));
    expect(predictRollout({ ...plan, nodes }, defaults)).toMatchObject({ outcome: 'ends', placesNow: 1 });
  });

  it('promises nothing where a constraint is not judged', () => {
    const plan = planOf({ newGpus: 1, oldGpus: 1, nodes: [{ gpus: 2, old: 1 }] });
    const claim = { volumes: [{ name: 'models', persistentVolumeClaim: { claimName: 'models' } }] };
    const newPod = parsePod(gpuPod('', 1, claim));
    expect(predictRollout({ ...plan, newPod }, defaults)).toMatchObject({
      outcome: 'may-end',
      isUpperBound: true,
    });
  });

  it('agrees with every order of events on small random fleets of other shapes', () => {
    const wrong: unknown[] = [];
    const counts = { ends: 0, 'surge-deadlock': 0, 'may-end': 0, 'too-few-places': 0 };
    const random = mulberry32(20261125);
    for (let run = 0; run < 3000; run += 1) {
      const { world, simulated } = randomUpdate(random);
      const { surge, unavailable } = simulated;
      const { outcome } = predictRollout(planOf(world), { kind: 'rolling', surge, unavailable });
      const { finished, stuck } = simulateRollout(simulated);
      counts[outcome] += 1;
      const agrees =
        outcome === 'may-end'
          ? finished && stuck
          : outcome === 'ends'
            ? finished && !stuck
            : stuck && !finished;
      if (!agrees) wrong.push({ world, simulated, outcome, finished, stuck });
    }
    expect(wrong).toEqual([]);
    // Otherwise the fleets were too alike to show anything.
    expect(Math.min(counts.ends, counts['surge-deadlock'], counts['too-few-places'])).toBeGreaterThan(100);
  }, 60_000);
});

describe('findWorkingStrategies', () => {
  it('surges by the room there is, then gives up one Pod, then all', () => {
    const plan = planOf({
      newGpus: 1,
      oldGpus: 1,
      nodes: [
        { gpus: 3, old: 2 },
        { gpus: 1, old: 1 },
      ],
    });
    expect(
      findWorkingStrategies(plan).map(({ strategy, peakPods, leastAvailable }) => ({
        strategy,
        peakPods,
        leastAvailable,
      })),
    ).toEqual([
      { strategy: { kind: 'rolling', surge: 1, unavailable: 0 }, peakPods: 4, leastAvailable: 3 },
      { strategy: { kind: 'rolling', surge: 0, unavailable: 1 }, peakPods: 3, leastAvailable: 2 },
      { strategy: { kind: 'recreate' }, peakPods: 3, leastAvailable: 0 },
    ]);
  });

  it('leaves only Recreate to one replica on the only GPU', () => {
    const plan = planOf({ newGpus: 1, oldGpus: 1, nodes: [{ gpus: 1, old: 1 }] });
    expect(findWorkingStrategies(plan).map(({ strategy }) => strategy)).toEqual([{ kind: 'recreate' }]);
  });
});

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Up to 3 nodes and 4 old Pods; the new Pod takes 1 to 3 GPUs and may be barred from some nodes. */
function randomUpdate(random: () => number): { world: World; simulated: SimulatedUpdate } {
  const pick = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const oldGpus = pick(1, 2);
  const newGpus = pick(1, 3);
  let left = pick(1, 4);
  const nodes = Array.from({ length: pick(1, 3) }, () => {
    const old = pick(0, left);
    left -= old;
    const isOpen = random() < 0.75;
    return { gpus: old * oldGpus + pick(0, 3), old, labels: isOpen ? { pool: 'new' } : {} };
  });
  const replicas = Math.max(
    1,
    nodes.reduce((sum, { old }) => sum + old, 0),
  );
  const oldPending = nodes.every(({ old }) => old === 0) ? 1 : 0;
  const surge = pick(0, replicas);
  const unavailable = surge === 0 ? pick(1, replicas) : pick(0, 1);
  return {
    world: { newGpus, oldGpus, nodes, oldPending, selector: { pool: 'new' } },
    simulated: {
      replicas,
      surge,
      unavailable,
      oldSize: oldGpus,
      newSize: newGpus,
      oldPending,
      nodes: nodes.map(({ gpus, old, labels }) => ({
        gpus,
        oldReady: old,
        oldBroken: 0,
        takesNew: 'pool' in labels,
        takesOld: false,
      })),
    },
  };
}

import { describe, expect, it } from 'vitest';
import {
  at,
  deployment,
  type Fields,
  follow,
  node,
  old,
  pod,
  replicaSet,
  say,
  start,
  unschedulable,
} from './fixtures/observed-rollout.ts';

describe('assessRollout, scheduling', () => {
  const pending = pod('new-1', { status: unschedulable });

  it('is certain of a surge deadlock once it has lasted two seconds', () => {
    const world = { pods: [old, pending] };
    const [first, second] = follow([
      [1, world],
      [3, world],
    ]);
    expect(first && say(first)).toBe('suspected gpu-surge-deadlock');
    expect(first?.nextLookMs).toBe(start + 3_000);
    expect(second?.state).toMatchObject({
      kind: 'failed',
      finding: {
        code: 'gpu-surge-deadlock',
        message:
          'Deployment inference/vllm cannot finish: 1 new Pod must start first (maxSurge 1, maxUnavailable 0) and 0 of 1 GPU is free. Set maxUnavailable: 1.',
      },
    });
  });

  it('waits while an old Pod with a long grace period holds the GPU', () => {
    const ending = { ...old, metadata: { ...old.metadata, deletionTimestamp: at(120) } };
    const world = { pods: [ending, pending], revisions: [replicaSet(1, { replicas: 0 }), replicaSet(2)] };
    const seen = follow([
      [1, world],
      [60, world],
      [129, world],
      [131, world],
      [133, world],
    ]);
    expect(seen.map(say)).toEqual([
      'waiting gpu-insufficient',
      'waiting gpu-insufficient',
      'waiting gpu-insufficient',
      'suspected gpu-insufficient',
      'failed gpu-insufficient',
    ]);
  });

  it('is certain of GPUs that others hold', () => {
    const other = pod('train', {
      nodeName: 'a',
      metadata: { ownerReferences: [], namespace: 'research' },
      status: { phase: 'Running' },
    });
    const world = { pods: [other, pending], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [3, world],
      ]).map(say),
    ).toEqual(['suspected gpu-insufficient', 'failed gpu-insufficient']);
  });

  it('lets an autoscaler bring a node', () => {
    const other = pod('train', {
      nodeName: 'a',
      metadata: { ownerReferences: [] },
      status: { phase: 'Running' },
    });
    const world = { pods: [other, pending], revisions: [replicaSet(2)], hasAutoscaler: true };
    const joined = { ...world, nodes: [node('a'), node('b')] };
    const seen = follow([
      [1, world],
      [19, world],
      [21, joined],
    ]);
    expect(seen.map(say)).toEqual([
      'suspected gpu-insufficient',
      'suspected gpu-insufficient',
      'waiting unknown',
    ]);
  });

  it('waits for the preemption that was promised', () => {
    const promised = pod('new-1', { status: { ...unschedulable, nominatedNodeName: 'a' } });
    const world = { pods: [old, promised] };
    expect(
      follow([
        [1, world],
        [30, world],
      ]).map(say),
    ).toEqual(['waiting unknown', 'waiting unknown']);
  });

  it('waits where the scheduler has not looked again since room came', () => {
    const world = { pods: [pending], nodes: [node('a')], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [30, world],
      ]).map(say),
    ).toEqual(['waiting unknown', 'waiting unknown']);
  });

  it('waits while a node is lost', () => {
    const taints = [{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }];
    const world = { pods: [pending], nodes: [node('a', { spec: { taints } })], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [60, world],
      ]).map(say),
    ).toEqual(['waiting node-not-ready', 'waiting node-not-ready']);
  });

  it('gives a device plugin that restarts half a minute', () => {
    const labels = { 'nvidia.com/gpu.present': 'true' };
    const world = { pods: [pending], nodes: [node('a', { gpus: '0', labels })], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [20, world],
        [31, world],
      ]).map(say),
    ).toEqual(['suspected gpu-none', 'suspected gpu-none', 'failed gpu-none']);
  });

  it.each<readonly [string, ReturnType<typeof node>, Fields]>([
    ['node-label-missing', node('a'), { nodeSelector: { gpu: 'a100' } }],
    [
      'taint-not-tolerated',
      node('a', { spec: { taints: [{ key: 'nvidia.com/gpu', effect: 'NoSchedule' }] } }),
      {},
    ],
    ['node-cordoned', node('a', { spec: { unschedulable: true } }), {}],
    ['gpu-none', node('a', { gpus: '0' }), {}],
    [
      'gpu-per-node',
      node('a'),
      { containers: [{ name: 'vllm', resources: { limits: { 'nvidia.com/gpu': '2' } } }] },
    ],
    [
      'cpu-insufficient',
      node('a'),
      { containers: [{ name: 'vllm', resources: { requests: { cpu: '99' } } }] },
    ],
    [
      'memory-insufficient',
      node('a'),
      { containers: [{ name: 'vllm', resources: { requests: { memory: '99Gi' } } }] },
    ],
    [
      'storage-insufficient',
      node('a'),
      { containers: [{ name: 'vllm', resources: { requests: { 'ephemeral-storage': '1Gi' } } }] },
    ],
  ])('is certain of %s by its own explanation', (code, only, spec) => {
    const world = {
      pods: [pod('new-1', { status: unschedulable, spec })],
      nodes: [only],
      revisions: [replicaSet(2)],
    };
    expect(
      follow([
        [1, world],
        [3, world],
      ]).map(say),
    ).toEqual([`suspected ${code}`, `failed ${code}`]);
  });

  it('leaves to the scheduler what it does not judge', () => {
    const spec = { volumes: [{ name: 'models', persistentVolumeClaim: { claimName: 'models' } }] };
    const world = { pods: [pod('new-1', { status: unschedulable, spec })], revisions: [replicaSet(2)] };
    const seen = follow([
      [1, world],
      [200, world],
      [300, world],
    ]);
    expect(seen.map(say)).toEqual(['suspected unknown', 'suspected unknown', 'timeout unknown']);
    expect(seen[0]?.also[0]?.message).toBe(
      'Deployment inference/vllm cannot place its Pod: the scheduler says of new-1: 0/1 nodes are available.',
    );
  });

  it.each([
    ['NotTriggerScaleUp', 3, 'failed gpu-none'],
    ['TriggeredScaleUp', 500, 'waiting gpu-none'],
    ['TriggeredScaleUp', 604, 'suspected gpu-none'],
    ['Nominated', 500, 'waiting gpu-none'],
  ])('heeds an autoscaler that says %s, after %d s', (reason, second, expected) => {
    const event = { metadata: {}, reason, involvedObject: { uid: 'new-1' }, lastTimestamp: at(1) };
    const world = {
      pods: [pending],
      nodes: [node('a', { gpus: '0' })],
      revisions: [replicaSet(2)],
      events: [event],
      hasAutoscaler: true,
      deadlineMs: start + 900_000,
    };
    expect(
      follow([
        [1, world],
        [second, world],
      ])
        .map(say)
        .at(-1),
    ).toBe(expected);
    // One from before says nothing of this rollout.
    const stale = { ...world, events: [{ ...event, lastTimestamp: at(-5) }] };
    expect(
      follow([
        [1, stale],
        [3, stale],
      ])
        .map(say)
        .at(-1),
    ).toBe('suspected gpu-none');
  });

  it('waits while an old ReplicaSet is let go of, though its Pods are not ending yet', () => {
    const world = {
      pods: [old, pending],
      revisions: [replicaSet(1, { status: { replicas: 2 } }), replicaSet(2)],
    };
    expect(
      follow([
        [1, world],
        [30, world],
      ]).map(say),
    ).toEqual(['waiting gpu-insufficient', 'waiting gpu-insufficient']);
  });

  it('waits while a new Pod that was placed may become available', () => {
    const starting = pod('new-2', { nodeName: 'b', status: { phase: 'Pending' } });
    const world = {
      workload: deployment({
        spec: { replicas: 2, strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } } },
      }),
      pods: [old, starting, pending],
      nodes: [node('a'), node('b')],
      revisions: [replicaSet(1, { available: 1 }), replicaSet(2, { replicas: 2 })],
    };
    expect(
      follow([
        [1, world],
        [30, world],
      ]).map(say),
    ).toEqual(['waiting unknown', 'waiting unknown']);
  });

  it('says when no scheduler has looked', () => {
    const world = { pods: [pod('new-1', {})], revisions: [replicaSet(2)] };
    expect(
      follow([
        [9, world],
        [10, world],
      ]).map(say),
    ).toEqual(['', 'suspected unknown']);
  });

  it('waits for a scheduling gate', () => {
    const gated = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] };
    const world = { pods: [pod('new-1', { status: gated })], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [60, world],
      ]).map(say),
    ).toEqual(['waiting unknown', 'waiting unknown']);
  });

  it('names the taint that stays beside one that passes', () => {
    const taints = [
      { key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' },
      { key: 'team', value: 'true', effect: 'NoSchedule' },
    ];
    const made = pod('new-1', {
      status: unschedulable,
      spec: { tolerations: [{ key: 'node.kubernetes.io/disk-pressure', operator: 'Exists' }] },
    });
    const world = { pods: [made], nodes: [node('a', { spec: { taints } })], revisions: [replicaSet(2)] };
    const [first] = follow([[1, world]]);
    expect(first?.also[0]?.details.slice(0, 4)).toEqual([
      'tolerations:',
      '  - key: team',
      '    value: "true"',
      '    effect: NoSchedule',
    ]);
  });

  it('quotes the scheduler where no node may be seen', () => {
    const world = { pods: [pending], nodes: [], revisions: [replicaSet(2)] };
    expect(
      follow([
        [1, world],
        [60, world],
      ]).map(say),
    ).toEqual(['suspected unknown', 'suspected unknown']);
  });
});

import { describe, expect, it } from 'vitest';
import {
  at,
  containerStatus,
  ended,
  type Fields,
  follow,
  pod,
  say,
  waiting,
} from './fixtures/observed-rollout.ts';

describe('assessRollout, other kinds', () => {
  const set = (kind: string, spec: Fields, status: Fields) => ({
    workload: {
      kind,
      metadata: { name: 'vllm', namespace: 'inference', uid: 'd', generation: 2 },
      spec,
      status: { observedGeneration: 2, ...status },
    },
    revisions: [],
  });
  const complete = (fields: Partial<Parameters<typeof follow>[0][0][1]>) =>
    follow([
      [1, fields],
      [2, fields],
    ])
      .map(say)
      .at(-1);

  it.each<readonly [string, Fields, Fields, string]>([
    [
      'StatefulSet',
      { replicas: 3 },
      { replicas: 3, readyReplicas: 3, availableReplicas: 3, updatedReplicas: 3 },
      'complete',
    ],
    [
      'StatefulSet',
      { replicas: 3 },
      { replicas: 3, readyReplicas: 3, availableReplicas: 3, updatedReplicas: 2 },
      '',
    ],
    [
      'StatefulSet',
      { replicas: 3, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } },
      { replicas: 3, readyReplicas: 3, availableReplicas: 3, updatedReplicas: 2 },
      'complete',
    ],
    [
      'StatefulSet',
      { replicas: 3 },
      { replicas: 3, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 3 },
      '',
    ],
    [
      'DaemonSet',
      {},
      { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 },
      'complete',
    ],
    ['DaemonSet', {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 1, numberAvailable: 2 }, ''],
    ['DaemonSet', {}, { desiredNumberScheduled: 0 }, 'complete'],
    ['DaemonSet', {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 }, ''],
    ['DaemonSet', {}, {}, ''],
    ['Job', {}, { conditions: [{ type: 'Complete', status: 'True' }] }, 'complete'],
    ['Job', {}, { active: 1 }, ''],
    ['Job', { suspend: true }, {}, 'waiting rollout-paused'],
    [
      'Job',
      {},
      { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'BackoffLimitExceeded' }] },
      'failed job-backoff',
    ],
    ['Pod', {}, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }, 'complete'],
    ['Pod', {}, { phase: 'Succeeded' }, 'complete'],
    ['Pod', {}, { phase: 'Pending' }, ''],
    ['Deployment', { replicas: 0 }, { replicas: 0 }, 'complete'],
  ])('judges a %s %j with %j', (kind, spec, status, expected) => {
    expect(complete(set(kind, spec, status))).toBe(expected);
  });

  it('only counts Pods of the new revision of a StatefulSet', () => {
    const crashing = (hash: string) =>
      pod('vllm-0', {
        nodeName: 'a',
        metadata: { ownerReferences: [{ uid: 'd' }], labels: { 'controller-revision-hash': hash } },
        status: containerStatus({
          state: waiting('CrashLoopBackOff'),
          restartCount: 5,
          lastState: ended(1, 0, 1),
        }),
      });
    const world = set('StatefulSet', { replicas: 1 }, { replicas: 1, updateRevision: 'vllm-2' });
    expect(
      follow([
        [1, { ...world, pods: [crashing('vllm-1')] }],
        [3, { ...world, pods: [crashing('vllm-1')] }],
      ]).map(say),
    ).toEqual(['', '']);
    expect(
      follow([
        [1, { ...world, pods: [crashing('vllm-2')] }],
        [3, { ...world, pods: [crashing('vllm-2')] }],
      ]).map(say),
    ).toEqual(['suspected crash-loop', 'failed crash-loop']);
  });

  it('only counts Pods of the newest revision of a DaemonSet', () => {
    const revision = (number: number) => ({
      metadata: {
        name: `r${number}`,
        ownerReferences: [{ uid: 'd' }],
        labels: { 'controller-revision-hash': `h${number}` },
      },
      revision: number,
    });
    const crashing = (hash: string) =>
      pod('p', {
        nodeName: 'a',
        metadata: { ownerReferences: [{ uid: 'd' }], labels: { 'controller-revision-hash': hash } },
        status: containerStatus({
          state: waiting('CrashLoopBackOff'),
          restartCount: 5,
          lastState: ended(1, 0, 1),
        }),
      });
    const world = {
      ...set('DaemonSet', {}, { desiredNumberScheduled: 1 }),
      revisions: [revision(1), revision(2)],
    };
    expect(
      follow([
        [1, { ...world, pods: [crashing('h1')] }],
        [3, { ...world, pods: [crashing('h1')] }],
      ]).map(say),
    ).toEqual(['', '']);
    expect(
      follow([
        [1, { ...world, pods: [crashing('h2')] }],
        [3, { ...world, pods: [crashing('h2')] }],
      ])
        .map(say)
        .at(-1),
    ).toBe('failed crash-loop');
  });

  it('leaves it to a Job how many failures it may have', () => {
    const failing = pod('p', {
      nodeName: 'a',
      metadata: { ownerReferences: [{ uid: 'd' }] },
      spec: { restartPolicy: 'OnFailure' },
      status: containerStatus({
        state: waiting('CrashLoopBackOff'),
        restartCount: 5,
        lastState: ended(1, 0, 1),
      }),
    });
    const world = { ...set('Job', {}, { active: 1 }), pods: [failing] };
    expect(
      follow([
        [1, world],
        [60, world],
      ]).map(say),
    ).toEqual(['suspected crash-loop', 'suspected crash-loop']);
    const spent = {
      ...set('Job', {}, { conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }] }),
      pods: [failing],
    };
    expect(follow([[1, spent]]).map(say)).toEqual(['failed job-backoff']);
  });

  it('takes a bare Pod that may not be restarted at its word', () => {
    const ending = {
      ...pod('vllm', {
        nodeName: 'a',
        metadata: { uid: 'd' },
        spec: { restartPolicy: 'Never' },
        status: { phase: 'Failed', ...containerStatus({ state: ended(2, 0, 1) }) },
      }),
      kind: 'Pod',
    };
    const workload = { ...ending, metadata: { ...ending.metadata, generation: 2 } };
    expect(follow([[1, { workload, pods: [workload], revisions: [] }]]).map(say)).toEqual([
      'failed crash-loop',
    ]);
  });

  it("tells a StatefulSet's quota from its events", () => {
    const world = {
      ...set('StatefulSet', { replicas: 1 }, { replicas: 0 }),
      events: [
        {
          metadata: {},
          reason: 'FailedCreate',
          message:
            'create Pod vllm-0 in StatefulSet vllm failed error: pods "vllm-0" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=0',
          involvedObject: { uid: 'd' },
          lastTimestamp: at(1),
        },
      ],
    };
    expect(follow([[1, world]]).map(say)).toEqual(['failed quota-exceeded']);
  });
});

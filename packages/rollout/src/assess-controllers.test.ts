import { describe, expect, it } from 'vitest';
import {
  at,
  containerStatus,
  deployment,
  ended,
  follow,
  old,
  pod,
  ready,
  replicaSet,
  say,
  unschedulable,
} from './fixtures/observed-rollout.ts';

describe('assessRollout, controllers', () => {
  const expired = {
    type: 'Progressing',
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    lastUpdateTime: at(20),
  };

  it('is done when all Pods are updated and available, seen twice', () => {
    const done = { workload: deployment({ status: { replicas: 1 } }) };
    expect(
      follow([
        [5, done],
        [5.5, done],
        [6, done],
      ]).map(say),
    ).toEqual(['', '', 'complete']);
    expect(
      follow([[5, { workload: deployment({ status: { replicas: 1 }, spec: { minReadySeconds: 1 } }) }]]).map(
        say,
      ),
    ).toEqual(['complete']);
    expect(
      follow([
        [5, done],
        [5.5, {}],
        [6.4, done],
      ]).map(say),
    ).toEqual(['', '', '']);
  });

  it('does not heed a status from before the controller saw the change', () => {
    const stale = {
      workload: deployment({ status: { observedGeneration: 1, replicas: 1, conditions: [expired] } }),
    };
    expect(
      follow([
        [5, stale],
        [7, stale],
      ]).map(say),
    ).toEqual(['', '']);
  });

  it('does not heed a deadline that the rollout before has missed', () => {
    const left = { ...expired, lastUpdateTime: at(-100) };
    const world = { workload: deployment({ status: { conditions: [left] } }) };
    expect(
      follow([
        [5, world],
        [50, world],
      ]).map(say),
    ).toEqual(['', '']);
  });

  it('names the deadline only where no Pod tells more', () => {
    const world = { workload: deployment({ status: { conditions: [expired] } }) };
    const crashing = pod('new-1', { nodeName: 'a', status: containerStatus({ state: ended(1, 19, 20) }) });
    expect(follow([[21, world]]).map(say)).toEqual(['failed progress-deadline']);
    expect(follow([[21, { ...world, pods: [crashing] }]]).map(say)).toEqual(['failed crash-loop']);
  });

  const excess =
    'pods "vllm-2-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1';
  const failure = (message: string) => ({
    status: {
      replicas: 0,
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }],
    },
  });

  it('is certain of a quota that no old Pod gives back', () => {
    const world = {
      pods: [old],
      revisions: [replicaSet(1, { available: 1 }), replicaSet(2, failure(excess))],
    };
    const [only] = follow([[1, world]]);
    expect(only?.state).toMatchObject({
      kind: 'failed',
      finding: {
        code: 'quota-exceeded',
        message:
          'Deployment inference/vllm cannot have its Pods: quota gpus allows 1 requests.nvidia.com/gpu, 1 are used and 1 more asked for. Raise quota gpus, or set maxSurge: 0 and maxUnavailable: 1.',
      },
    });
  });

  it('waits for a quota that old Pods are giving back, and a while for the next try', () => {
    const workload = deployment({
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } },
    });
    const before = {
      workload,
      pods: [old],
      revisions: [replicaSet(1, { available: 1 }), replicaSet(2, failure(excess))],
    };
    const after = {
      workload,
      pods: [],
      revisions: [replicaSet(1, { replicas: 0 }), replicaSet(2, failure(excess))],
    };
    expect(
      follow([
        [1, before],
        [5, after],
        [19, after],
        [20, after],
      ]).map(say),
    ).toEqual([
      'waiting quota-exceeded',
      'suspected quota-exceeded',
      'suspected quota-exceeded',
      'failed quota-exceeded',
    ]);
  });

  it('does not heed the failure of an earlier ReplicaSet, nor one that has its Pods by now', () => {
    const stale = {
      revisions: [
        replicaSet(1, failure(excess)),
        replicaSet(2, { status: { ...failure(excess).status, replicas: 1 } }),
      ],
    };
    expect(
      follow([
        [1, stale],
        [30, stale],
      ]).map(say),
    ).toEqual(['', '']);
  });

  it('does not heed a failure that is over', () => {
    const over = { type: 'ReplicaFailure', status: 'False', reason: 'FailedCreate', message: excess };
    const world = { revisions: [replicaSet(2, { status: { replicas: 0, conditions: [over] } })] };
    expect(
      follow([
        [1, world],
        [30, world],
      ]).map(say),
    ).toEqual(['', '']);
  });

  it('says what the Pod Security standard forbids', () => {
    const text =
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "vllm" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container "vllm" must set securityContext.runAsNonRoot=true)';
    const [only] = follow([[1, { revisions: [replicaSet(2, failure(text))] }]]);
    expect(only?.state).toMatchObject({ kind: 'failed', finding: { code: 'pod-create-denied' } });
  });

  it("knows another's deployment from a change of replicas", () => {
    const scaled = {
      workload: deployment({
        metadata: { generation: 3 },
        spec: { replicas: 4 },
        status: { observedGeneration: 3 },
      }),
    };
    const others = {
      workload: deployment({ metadata: { generation: 3 }, spec: { template: { spec: { a: 3 } } } }),
    };
    expect(
      follow([
        [1, {}],
        [2, scaled],
      ]).map(say),
    ).toEqual(['', '']);
    expect(
      follow([
        [1, {}],
        [2, others],
      ]).map(say),
    ).toEqual(['', 'superseded']);
    expect(follow([[2, { ...others, written: deployment() }]]).map(say)).toEqual(['superseded']);
    expect(
      follow([
        [1, {}],
        [2, { workload: undefined }],
      ]).map(say),
    ).toEqual(['', 'superseded']);
  });

  it('waits for a watch to bring what was just written', () => {
    const unseen = { workload: undefined };
    expect(
      follow([
        [0.1, unseen],
        [0.3, {}],
        [0.5, unseen],
      ]).map(say),
    ).toEqual(['', '', 'superseded']);
    expect(
      follow([
        [0.1, unseen],
        [10, unseen],
      ]).map(say),
    ).toEqual(['', 'superseded']);
  });

  it('does not fail a rollout for Pods that an autoscaler has added since', () => {
    const good = pod('new-1', { nodeName: 'a', status: { phase: 'Running', ...ready() } });
    const more = pod('new-2', { status: unschedulable });
    const workload = deployment({
      metadata: { generation: 3 },
      spec: { replicas: 2 },
      status: { observedGeneration: 3 },
    });
    const world = { workload, pods: [good, more], revisions: [replicaSet(2, { replicas: 2, available: 1 })] };
    expect(
      follow([
        [1, {}],
        [2, world],
        [60, world],
      ]).map(say),
    ).toEqual(['', 'suspected gpu-insufficient', 'suspected gpu-insufficient']);
  });

  it('knows the old Pods of a Deployment that recreates them', () => {
    const crashing = pod('old-1', {
      revision: 1,
      nodeName: 'a',
      status: containerStatus({ state: ended(1, 1, 2), restartCount: 9 }),
    });
    const workload = deployment({
      metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } },
      spec: { strategy: { type: 'Recreate' } },
    });
    const before = { ...replicaSet(1, { replicas: 0 }), spec: { replicas: 0, template: { spec: { a: 1 } } } };
    expect(
      follow([
        [1, { workload, pods: [crashing], revisions: [before] }],
        [9, { workload, pods: [crashing], revisions: [before] }],
      ]).map(say),
    ).toEqual(['', '']);
  });

  it('waits while the Deployment is paused', () => {
    const paused = {
      workload: deployment({ spec: { paused: true } }),
      pods: [old],
      revisions: [replicaSet(1, { available: 1 })],
    };
    expect(
      follow([
        [1, paused],
        [60, paused],
      ]).map(say),
    ).toEqual(['waiting rollout-paused', 'waiting rollout-paused']);
  });

  it('says at the end of its time that nothing is known', () => {
    expect(follow([[301, {}]]).map(say)).toEqual(['timeout unknown']);
  });

  it.each([
    [null],
    [7],
    ['text'],
    [[]],
    [{}],
    [{ metadata: 3 }],
    [{ kind: 3, metadata: { name: 4 }, spec: [], status: 'x' }],
  ])('reads %j without harm', (foreign) => {
    const world = {
      workload: foreign,
      pods: [foreign],
      nodes: [foreign],
      revisions: [foreign],
      events: [foreign],
    };
    expect(() => follow([[1, world]])).not.toThrow();
    expect(() => follow([[1, { ...world, workload: deployment() }]])).not.toThrow();
  });

  it("reads a LimitRange's refusal and one of a webhook that is away", () => {
    const range = 'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi';
    expect(follow([[1, { revisions: [replicaSet(2, failure(range))] }]]).map(say)).toEqual([
      'failed pod-create-denied',
    ]);
    const away = 'Internal error occurred: failed calling webhook "gate.test": connection refused';
    const world = { revisions: [replicaSet(2, failure(away))] };
    expect(
      follow([
        [1, world],
        [30, world],
        [31, world],
      ]).map(say),
    ).toEqual(['suspected pod-create-denied', 'suspected pod-create-denied', 'failed pod-create-denied']);
  });

  it('gives a ServiceAccount of the same manifests a moment to be there', () => {
    const text =
      'pods "x" is forbidden: error looking up service account inference/runner: serviceaccount "runner" not found';
    const world = { revisions: [replicaSet(2, failure(text))] };
    expect(
      follow([
        [1, world],
        [8, world],
        [9, world],
      ]).map(say),
    ).toEqual(['suspected pod-create-denied', 'suspected pod-create-denied', 'failed pod-create-denied']);
  });

  it('says why no ReplicaSet could be made', () => {
    const message =
      'replicasets.apps "vllm-2" is forbidden: exceeded quota: sets, requested: count/replicasets.apps=1, used: count/replicasets.apps=1, limited: count/replicasets.apps=1';
    const condition = { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message };
    const world = {
      workload: deployment({ status: { conditions: [{ ...condition, lastUpdateTime: at(1) }] } }),
      revisions: [],
    };
    expect(follow([[1, world]]).map(say)).toEqual(['failed quota-exceeded']);
    const other = { ...condition, reason: 'ReplicaSetUpdated' };
    expect(
      follow([[1, { ...world, workload: deployment({ status: { conditions: [other] } }) }]]).map(say),
    ).toEqual(['']);
  });

  it('names at the end of its time what is known rather than what is not', () => {
    const crashing = pod('new-1', {
      nodeName: 'a',
      status: containerStatus({ state: ended(1, 299, 300) }),
    });
    const gated = pod('new-2', {
      status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    });
    expect(follow([[301, { pods: [gated, crashing] }]]).map(say)).toEqual(['timeout crash-loop']);
  });
});

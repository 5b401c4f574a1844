import { describe, expect, it } from 'vitest';
import { assessRollout } from './assess-rollout.ts';
import type { ObservedRollout, RolloutAssessment, RolloutMemory } from './rollout-assessment.ts';

type Fields = Readonly<Record<string, unknown>>;

const start = Date.parse('2026-11-25T12:00:00Z');

function at(seconds: number): string {
  return new Date(start + seconds * 1_000).toISOString();
}

const limits = { 'nvidia.com/gpu': '1' };

function node(
  name: string,
  { gpus = '1', labels = {}, spec = {} }: { gpus?: string; labels?: Fields; spec?: Fields } = {},
) {
  return {
    metadata: { name, labels: { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'linux', ...labels } },
    spec,
    status: { allocatable: { cpu: '16', memory: '64Gi', pods: '110', 'nvidia.com/gpu': gpus } },
  };
}

function deployment(fields: { spec?: Fields; status?: Fields; metadata?: Fields } = {}) {
  return {
    kind: 'Deployment',
    metadata: {
      name: 'vllm',
      namespace: 'inference',
      uid: 'd',
      generation: 2,
      annotations: { 'deployment.kubernetes.io/revision': '2' },
      ...fields.metadata,
    },
    spec: { replicas: 1, template: { spec: { a: 2 } }, ...fields.spec },
    status: {
      observedGeneration: 2,
      replicas: 2,
      updatedReplicas: 1,
      availableReplicas: 1,
      ...fields.status,
    },
  };
}

function replicaSet(revision: number, { replicas = 1, available = 0, status = {} } = {}) {
  return {
    metadata: {
      name: `vllm-${revision}`,
      namespace: 'inference',
      uid: `rs-${revision}`,
      ownerReferences: [{ uid: 'd', controller: true }],
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
    },
    spec: { replicas, template: { spec: { a: revision } } },
    status: { replicas, availableReplicas: available, ...status },
  };
}

type PodFields = {
  readonly revision?: number;
  readonly nodeName?: string;
  readonly metadata?: Fields;
  readonly spec?: Fields;
  readonly status?: Fields;
  readonly container?: Fields;
};

function pod(name: string, { revision = 2, nodeName, metadata, spec, status, container }: PodFields) {
  return {
    metadata: {
      name,
      namespace: 'inference',
      uid: name,
      ownerReferences: [{ uid: `rs-${revision}` }],
      creationTimestamp: at(0),
      ...metadata,
    },
    spec: {
      containers: [
        { name: 'vllm', image: 'r.test/vllm:2', resources: { limits, requests: limits }, ...container },
      ],
      restartPolicy: 'Always',
      ...(nodeName === undefined ? {} : { nodeName }),
      ...spec,
    },
    status: { phase: 'Pending', ...status },
  };
}

function containerStatus(fields: Fields): Fields {
  return { containerStatuses: [{ name: 'vllm', ready: false, started: false, restartCount: 0, ...fields }] };
}

const unschedulable = {
  conditions: [
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available' },
  ],
};

const running = (since: number) => ({ running: { startedAt: at(since) } });
const waiting = (reason: string, message = '') => ({ waiting: { reason, message } });
const ended = (exitCode: number, from: number, to: number, reason = 'Error') => ({
  terminated: { exitCode, reason, startedAt: at(from), finishedAt: at(to), containerID: `c-${from}` },
});

const old = pod('old-1', { revision: 1, nodeName: 'a', status: { phase: 'Running', ...ready() } });

function ready(): Fields {
  return {
    conditions: [{ type: 'Ready', status: 'True' }],
    ...containerStatus({ ready: true, started: true, imageID: 'i', state: running(0) }),
  };
}

function observe(second: number, fields: Partial<ObservedRollout>): ObservedRollout {
  return {
    nowMs: start + second * 1_000,
    appliedAtMs: start,
    deadlineMs: start + 300_000,
    generation: 2,
    workload: deployment(),
    revisions: [replicaSet(1, { available: 1 }), replicaSet(2)],
    nodes: [node('a')],
    pods: [],
    events: [],
    hasAutoscaler: false,
    images: new Map(),
    ...fields,
  };
}

type Moment = readonly [second: number, fields: Partial<ObservedRollout>];

/** Looks at one moment after another; memory goes through JSON, as it may between two runs. */
function follow(moments: readonly Moment[]): readonly RolloutAssessment[] {
  let memory: RolloutMemory | undefined;
  return moments.map(([second, fields]) => {
    const assessment = assessRollout(observe(second, fields), memory);
    memory = JSON.parse(JSON.stringify(assessment.memory)) as RolloutMemory;
    return assessment;
  });
}

function say({ state, also }: RolloutAssessment): string {
  if (state.kind === 'failed') return `${state.finding.class} ${state.finding.code}`;
  if (state.kind === 'progressing')
    return also.map((finding) => `${finding.class} ${finding.code}`).join(', ');
  return state.kind;
}

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
          'Deployment inference/vllm cannot finish: 1 new Pod must start first (maxSurge 1, maxUnavailable 0) and 0 of 1 GPU are free. Set maxUnavailable: 1.',
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
});

describe('assessRollout, containers', () => {
  const of = (state: Fields, fields: Fields = {}, container: Fields = {}) =>
    pod('new-1', { nodeName: 'a', container, status: containerStatus({ state, ...fields }) });
  const only = (one: ReturnType<typeof pod>, more: Partial<ObservedRollout> = {}) => ({
    pods: [one],
    revisions: [replicaSet(2)],
    ...more,
  });
  const notFound = 'failed to resolve reference "r.test/vllm:2": r.test/vllm:2: not found';

  it('asks the registry about an image, and takes its word', () => {
    const pulled = of(waiting('ErrImagePull', notFound));
    const [first, second] = follow([
      [1, only(pulled)],
      [1.2, only(pulled, { images: new Map([['r.test/vllm:2', { kind: 'not-found' }]]) })],
    ]);
    expect(first?.askedImages).toEqual(['r.test/vllm:2']);
    expect(first && say(first)).toBe('suspected image-not-found');
    expect(second && say(second)).toBe('failed image-not-found');
  });

  it('counts pulls where the registry has no word', () => {
    const images = new Map([['r.test/vllm:2', { kind: 'unknown' }]]) as ObservedRollout['images'];
    const seen = follow([
      [1, only(of(waiting('ErrImagePull', notFound)), { images })],
      [2, only(of(waiting('ImagePullBackOff', 'Back-off pulling image "r.test/vllm:2"')), { images })],
      [11, only(of(waiting('ErrImagePull', notFound)), { images })],
      [13, only(of(waiting('ImagePullBackOff', 'Back-off pulling image "r.test/vllm:2"')), { images })],
    ]);
    expect(seen.map(say)).toEqual([
      'suspected image-not-found',
      'suspected image-not-found',
      'suspected image-not-found',
      'failed image-not-found',
    ]);
  });

  it('forgets a pull secret that came late', () => {
    const denied = 'pull access denied, insufficient_scope: authorization failed';
    const seen = follow([
      [1, only(of(waiting('ErrImagePull', denied)))],
      [3, only(of(waiting('ImagePullBackOff', denied)))],
      [11, only(of(running(11), { ready: true, started: true, imageID: 'i' }))],
    ]);
    expect(seen.map(say)).toEqual(['suspected image-pull-denied', 'suspected image-pull-denied', '']);
  });

  it('calls it the architecture where the registry has the image for others', () => {
    const images = new Map([
      ['r.test/vllm:2', { kind: 'found', platforms: ['linux/arm64'] }],
    ]) as ObservedRollout['images'];
    const text = 'no match for platform in manifest: not found';
    expect(follow([[1, only(of(waiting('ErrImagePull', notFound)), { images })]]).map(say)).toEqual([
      'failed arch-mismatch',
    ]);
    expect(follow([[1, only(of(waiting('ErrImagePull', text)))]]).map(say)).toEqual(['failed arch-mismatch']);
  });

  it('lets an application crash twice while it waits for its database', () => {
    const crashed = (count: number, from: number) =>
      of(waiting('CrashLoopBackOff', 'back-off'), {
        restartCount: count,
        lastState: ended(1, from, from + 1),
      });
    const seen = follow([
      [2, only(of(ended(1, 1, 2)))],
      [3, only(crashed(1, 2))],
      [9, only(crashed(1, 2))],
      [13, only(of(running(13), { restartCount: 2, lastState: ended(1, 2, 3), ready: true }))],
    ]);
    expect(seen.map(say)).toEqual([
      'suspected crash-loop',
      'suspected crash-loop',
      'suspected crash-loop',
      '',
    ]);
  });

  it('is certain of a crash loop at the third end, with the run before as evidence', () => {
    const third = of(waiting('CrashLoopBackOff', 'back-off'), {
      restartCount: 2,
      lastState: ended(1, 13, 14),
    });
    const [, last] = follow([
      [14, only(third)],
      [16, only(third)],
    ]);
    expect(last?.state).toMatchObject({
      kind: 'failed',
      finding: {
        code: 'crash-loop',
        container: { namespace: 'inference', pod: 'new-1', name: 'vllm', isPrevious: true },
        message:
          'Deployment inference/vllm cannot stay up: container vllm of Pod new-1 ends with exit code 1, 3 times so far. See its last log lines.',
      },
    });
  });

  it('is certain of too little memory at the second kill', () => {
    const second = of(waiting('CrashLoopBackOff'), {
      restartCount: 1,
      lastState: ended(137, 3, 4, 'OOMKilled'),
    });
    expect(
      follow([
        [2, only(of(ended(137, 1, 2, 'OOMKilled')))],
        [4, only(second)],
        [6, only(second)],
      ]).map(say),
    ).toEqual(['suspected oom-killed', 'suspected oom-killed', 'failed oom-killed']);
  });

  it('only suspects what hits one of several Pods', () => {
    const bad = of(waiting('CrashLoopBackOff'), { restartCount: 5, lastState: ended(1, 13, 14) });
    const good = pod('new-2', { nodeName: 'b', status: { phase: 'Running', ...ready() } });
    const world = {
      pods: [bad, good],
      revisions: [replicaSet(2, { replicas: 2 })],
      nodes: [node('a'), node('b')],
    };
    expect(
      follow([
        [14, world],
        [60, world],
      ]).map(say),
    ).toEqual(['suspected crash-loop', 'suspected crash-loop']);
    expect(
      follow([
        [14, world],
        [301, world],
      ]).map(say),
    ).toEqual(['suspected crash-loop', 'timeout crash-loop']);
  });

  it('waits for a model that loads within its startup probe', () => {
    const container = {
      startupProbe: { failureThreshold: 30, periodSeconds: 10 },
      readinessProbe: { periodSeconds: 5, httpGet: { path: '/health', port: 8000 } },
    };
    const seen = follow([
      [95, only(of(running(0), {}, container))],
      [96, only(of(running(0), { started: true }, container))],
      [299, only(of(running(0), { started: true }, container))],
      [317, only(of(running(0), { started: true }, container), { deadlineMs: start + 900_000 })],
    ]);
    expect(seen.map(say)).toEqual([
      'waiting readiness-failing',
      'waiting readiness-failing',
      'waiting readiness-failing',
      'failed readiness-failing',
    ]);
    expect(seen[0]?.nextLookMs).toBe(start + 300_000);
    const model = { ...container, startupProbe: undefined };
    const loading = { deadlineMs: start + 900_000 };
    expect(
      follow([
        [10, only(of(running(0), { started: true }, model))],
        [600, only(of(running(0), { started: true }, model), loading)],
        [901, only(of(running(0), { started: true }, model), loading)],
      ]).map(say),
    ).toEqual(['waiting readiness-failing', 'suspected readiness-failing', 'timeout readiness-failing']);
  });

  it('is certain of a missing Secret when the API says so as well, and asks', () => {
    const lacking = of(waiting('CreateContainerConfigError', 'secret "token" not found'));
    const objects = new Map([['Secret inference/token', 'missing']]) as NonNullable<
      ObservedRollout['objects']
    >;
    const [first, second] = follow([
      [1, only(lacking, { objects })],
      [3, only(lacking, { objects })],
    ]);
    expect(first?.askedObjects).toEqual([
      { id: 'Secret inference/token', kind: 'Secret', namespace: 'inference', name: 'token', key: undefined },
    ]);
    expect(second?.state).toMatchObject({
      kind: 'failed',
      finding: {
        code: 'config-missing',
        message:
          'Deployment inference/vllm cannot start: Secret token is not there, container vllm of Pod new-1. Create Secret token in namespace inference.',
      },
    });
    const made = new Map([['Secret inference/token', 'there']]) as NonNullable<ObservedRollout['objects']>;
    expect(
      follow([
        [1, only(lacking, { objects })],
        [30, only(lacking, { objects: made })],
      ]).map(say),
    ).toEqual(['suspected config-missing', 'waiting config-missing']);
  });

  it('takes a kubelet that has not read a ConfigMap yet for busy', () => {
    const busy = of(
      waiting(
        'CreateContainerConfigError',
        'failed to sync configmap cache: timed out waiting for the condition',
      ),
    );
    expect(
      follow([
        [1, only(busy)],
        [60, only(busy)],
      ]).map(say),
    ).toEqual(['', '']);
  });
});

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
});

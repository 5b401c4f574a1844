import { describe, expect, it } from 'vitest';
import {
  at,
  containerStatus,
  deployment,
  ended,
  type Fields,
  follow,
  node,
  pod,
  ready,
  replicaSet,
  running,
  say,
  start,
  waiting,
} from './fixtures/observed-rollout.ts';
import type { ObservedRollout } from './rollout-assessment.ts';

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

  it('takes a registry that answers with errors for what passes', () => {
    const failing = of(waiting('ErrImagePull', 'unexpected status code 500 Internal Server Error'));
    const seen = follow([
      [1, only(failing)],
      [12, only(failing)],
      [60, only(failing)],
    ]);
    expect(seen.map(say)).toEqual(['', '', '']);
  });

  it.each([
    ['InvalidImageName', 'failed image-not-found'],
    ['ErrImageNeverPull', 'failed image-not-found'],
  ])('is certain of %s at first sight', (reason, expected) => {
    expect(follow([[1, only(of(waiting(reason, '')))]]).map(say)).toEqual([expected]);
  });

  it('does not blame the image for a node that has none of it while another has', () => {
    const bad = of(waiting('ErrImagePull', notFound));
    const good = pod('new-2', { nodeName: 'b', status: { phase: 'Running', ...ready() } });
    const world = {
      pods: [bad, good],
      revisions: [replicaSet(2, { replicas: 2 })],
      nodes: [node('a'), node('b')],
    };
    const images = new Map([['r.test/vllm:2', { kind: 'not-found' }]]) as ObservedRollout['images'];
    expect(follow([[1, { ...world, images }]]).map(say)).toEqual(['suspected image-not-found']);
  });

  it.each<readonly [string, readonly string[] | undefined, string]>([
    ['no answer', undefined, 'suspected arch-mismatch'],
    ['the wrong platform', ['linux/arm64'], 'failed arch-mismatch'],
    // A script without its interpreter line.
    ['the right platform', ['linux/amd64'], 'suspected crash-loop'],
  ])('reads an exec format error with %s from the registry', (_, platforms, expected) => {
    const end = {
      terminated: {
        exitCode: 255,
        reason: 'StartError',
        message: 'exec /app: exec format error',
        startedAt: at(1),
        finishedAt: at(1),
      },
    };
    const images = new Map(
      platforms === undefined ? [] : [['r.test/vllm:2', { kind: 'found', platforms }]],
    ) as ObservedRollout['images'];
    const [first] = follow([[1, only(of(end), { images })]]);
    expect(first && say(first).split(', ')[0]).toBe(expected);
  });

  it('is certain of an init container that may not be tried again, and of one at its third end', () => {
    const init = (state: Fields, fields: Fields, restartPolicy: string) =>
      pod('new-1', {
        nodeName: 'a',
        spec: { restartPolicy, initContainers: [{ name: 'fetch', image: 'r.test/fetch' }] },
        status: {
          initContainerStatuses: [{ name: 'fetch', restartCount: 0, state, ...fields }],
          ...containerStatus({ state: waiting('PodInitializing') }),
        },
      });
    expect(follow([[1, only(init(ended(1, 0, 1), {}, 'Never'))]]).map(say)).toEqual(['failed init-failed']);
    const third = init(
      waiting('CrashLoopBackOff'),
      { restartCount: 2, lastState: ended(1, 13, 14) },
      'Always',
    );
    const first = init(ended(1, 0, 1), {}, 'Always');
    expect(
      follow([
        [1, only(first)],
        [14, only(third)],
        [16, only(third)],
      ]).map(say),
    ).toEqual(['suspected init-failed', 'suspected init-failed', 'failed init-failed']);
  });

  it('names a missing ConfigMap that keeps a volume from being mounted', () => {
    const event = {
      metadata: {},
      reason: 'FailedMount',
      message: 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found',
      involvedObject: { uid: 'new-1' },
      count: 3,
      firstTimestamp: at(1),
      lastTimestamp: at(4),
    };
    const world = only(of(waiting('ContainerCreating')), { events: [event] });
    const seen = follow([
      [4, world],
      [6, world],
    ]);
    expect(seen.map(say)).toEqual(['suspected config-missing', 'failed config-missing']);
    expect(seen[0]?.askedObjects.map(({ id }) => id)).toEqual(['ConfigMap inference/settings']);
  });

  it('names a key that is missing', () => {
    const lacking = of(
      waiting('CreateContainerConfigError', "couldn't find key model in ConfigMap inference/settings"),
    );
    const [first] = follow([[1, only(lacking)]]);
    expect(first?.askedObjects).toEqual([
      {
        id: 'ConfigMap inference/settings model',
        kind: 'ConfigMap',
        namespace: 'inference',
        name: 'settings',
        key: 'model',
      },
    ]);
    expect(first?.also[0]?.message).toBe(
      'Deployment inference/vllm cannot start: ConfigMap settings has no key model, container vllm of Pod new-1. Add the key model to ConfigMap settings in namespace inference.',
    );
  });

  it('gives a kubelet the time of a second try where nobody asks the API', () => {
    const lacking = only(of(waiting('CreateContainerConfigError', 'secret "token" not found')));
    expect(
      follow([
        [1, lacking],
        [16, lacking],
        [17, lacking],
      ]).map(say),
    ).toEqual(['suspected config-missing', 'suspected config-missing', 'failed config-missing']);
  });

  it('is certain of a user that may not be', () => {
    const refused = of(
      waiting('CreateContainerConfigError', 'container has runAsNonRoot and image will run as root'),
    );
    expect(follow([[1, only(refused)]]).map(say)).toEqual(['failed run-as-root-refused']);
  });

  it('forgives restarts that progress has made up for, unless there are too many', () => {
    const container = { readinessProbe: { periodSeconds: 1 } };
    const crashed = (restarts: number) =>
      of(waiting('CrashLoopBackOff'), { restartCount: restarts, lastState: ended(1, 20, 21) }, container);
    const wasReady = of(running(15), { restartCount: 2, ready: true, started: true }, container);
    const forgiven = follow([
      [15, only(wasReady)],
      [21, only(crashed(2))],
      [23, only(crashed(2))],
    ]);
    expect(forgiven.map(say).at(-1)).toBe('suspected crash-loop');
    const many = follow([
      [15, only(wasReady)],
      [21, only(crashed(3))],
      [23, only(crashed(3))],
    ]);
    expect(many.map(say).at(-1)).toBe('failed crash-loop');
  });

  it('does not speak for all while one of three is ready by design', () => {
    const container = { readinessProbe: { periodSeconds: 1 } };
    const follower = (name: string) =>
      pod(name, {
        nodeName: 'a',
        container,
        status: containerStatus({ state: running(0), started: true, imageID: 'i' }),
      });
    const leader = pod('new-3', { nodeName: 'b', container, status: { phase: 'Running', ...ready() } });
    const world = {
      pods: [follower('new-1'), follower('new-2'), leader],
      revisions: [replicaSet(2, { replicas: 3 })],
      nodes: [node('a'), node('b')],
    };
    expect(
      follow([
        [1, world],
        [100, world],
      ]).map(say),
    ).toEqual(['waiting readiness-failing', 'suspected readiness-failing']);
  });

  it('tells of Pods that a node has turned away, and goes on', () => {
    const rejected = pod('new-1', {
      nodeName: 'a',
      status: { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'no healthy devices present' },
    });
    const next = pod('new-2', { nodeName: 'b', status: { phase: 'Running', ...ready() } });
    const world = { pods: [rejected, next], revisions: [replicaSet(2)] };
    const seen = follow([
      [1, world],
      [60, world],
    ]);
    expect(seen.map(say)).toEqual(['suspected unknown', 'suspected unknown']);
    expect(seen[0]?.also[0]?.message).toBe(
      'Deployment inference/vllm has lost 1 Pod: the last, new-1 on node a, with UnexpectedAdmissionError, no healthy devices present.',
    );
  });

  it('keeps every line within 200 characters, whatever names are like', () => {
    const long = 'x'.repeat(253);
    const crashing = pod(long, { nodeName: 'a', status: containerStatus({ state: ended(1, 0, 1) }) });
    const workload = deployment({ metadata: { name: long, namespace: long } });
    const [first] = follow([[1, only(crashing, { workload })]]);
    expect(first?.also.map(({ message }) => message.length <= 200)).toEqual([true]);
  });

  it.each([
    ['Always', 'failed crash-loop'],
    ['OnFailure', ''],
  ])('reads an exit with 0 where the restart policy is %s', (restartPolicy, expected) => {
    const done = pod('new-1', {
      nodeName: 'a',
      spec: { restartPolicy },
      status: containerStatus({
        state: waiting('CrashLoopBackOff'),
        restartCount: 2,
        lastState: ended(0, 13, 14, 'Completed'),
      }),
    });
    const seen = follow([
      [14, only(done)],
      [16, only(done)],
    ]);
    expect(seen.map(say).at(-1)).toBe(expected);
  });

  it('does not take one Pod on a node of another architecture for all', () => {
    const bad = of(waiting('ErrImagePull', 'no match for platform in manifest: not found'));
    const good = pod('new-2', { nodeName: 'b', status: { phase: 'Running', ...ready() } });
    const world = {
      pods: [bad, good],
      revisions: [replicaSet(2, { replicas: 2 })],
      nodes: [node('a'), node('b')],
    };
    expect(
      follow([
        [1, world],
        [60, world],
      ]).map(say),
    ).toEqual(['suspected arch-mismatch', 'suspected arch-mismatch']);
  });

  it.each([
    [undefined, 4],
    [{ kind: 'unknown' }, 2],
  ])('believes an exec format error with %j from the registry after %d s', (told, after) => {
    const end = {
      terminated: { exitCode: 255, message: 'exec format error', startedAt: at(1), finishedAt: at(1) },
    };
    const images = new Map(told === undefined ? [] : [['r.test/vllm:2', told]]) as ObservedRollout['images'];
    const seen = follow([
      [1, only(of(end), { images })],
      [1 + after - 0.5, only(of(end), { images })],
      [1 + after, only(of(end), { images })],
    ]);
    expect(seen.map((one) => say(one).split(', ')[0])).toEqual([
      'suspected arch-mismatch',
      'suspected arch-mismatch',
      'failed arch-mismatch',
    ]);
  });

  it('heeds no failed mount once the container runs', () => {
    const event = {
      metadata: {},
      reason: 'FailedMount',
      message: 'configmap "settings" not found',
      involvedObject: { uid: 'new-1' },
      lastTimestamp: at(4),
    };
    const world = only(of(running(5), { ready: true }), { events: [event] });
    expect(follow([[6, world]]).map(say)).toEqual(['']);
  });

  it('forgives restarts before the startup probe passed', () => {
    const container = { startupProbe: { periodSeconds: 1 } };
    const started = of(running(15), { restartCount: 2, started: true, ready: true }, container);
    const crashed = of(
      waiting('CrashLoopBackOff'),
      { restartCount: 2, lastState: ended(1, 20, 21) },
      container,
    );
    const after = (first: ReturnType<typeof pod>) =>
      follow([
        [15, only(first)],
        [21, only(crashed)],
        [23, only(crashed)],
      ])
        .map(say)
        .at(-1);
    expect(after(started)).toBe('suspected crash-loop');
    expect(after(of(running(15), { restartCount: 2, ready: true }, container))).toBe('failed crash-loop');
    expect(after(of(running(15), { restartCount: 2, started: true, ready: true }))).toBe('failed crash-loop');
  });

  it('says what a probe was answered', () => {
    const container = { readinessProbe: { periodSeconds: 1, httpGet: { path: '/health', port: 8000 } } };
    const unhealthy = (uid: string, reason: string, message: string) => ({
      metadata: {},
      reason,
      message,
      involvedObject: { uid },
      lastTimestamp: at(2),
    });
    const events = [
      unhealthy('other', 'Unhealthy', 'not this'),
      unhealthy('new-1', 'Pulled', 'nor this'),
      unhealthy('new-1', 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503'),
    ];
    const resources = { limits: { cpu: '1', memory: '1Gi' } };
    const [only3] = follow([
      [40, only(of(running(0), { started: true }, { ...container, resources }), { events })],
    ]);
    expect(only3?.also[0]?.message).toBe(
      'Deployment inference/vllm is not ready yet: container vllm of Pod new-1 runs and is not ready, HTTP probe failed with statuscode: 503. Check its readinessProbe, GET /health on port 8000.',
    );
  });

  it('says that a registry which denies may lack the image as well, where nothing tells', () => {
    const denied = of(
      waiting('ErrImagePull', 'pull access denied, repository does not exist or may require authorization'),
    );
    const say1 = (images: ObservedRollout['images']) =>
      follow([[1, only(denied, { images })]])[0]?.also[0]?.message;
    expect(say1(new Map())).toContain(', or has no such repository');
    expect(say1(new Map([['r.test/vllm:2', { kind: 'found', platforms: [] }]]))).not.toContain(
      'or has no such',
    );
  });

  it('counts a second pull that nobody saw', () => {
    const pulling = only(
      of(waiting('ImagePullBackOff', `Back-off pulling image "r.test/vllm:2": ${notFound}`)),
    );
    const seen = follow([
      [1, pulling],
      [15, pulling],
      [16, pulling],
      [18, pulling],
    ]);
    expect(seen.map(say)).toEqual([
      'suspected image-not-found',
      'suspected image-not-found',
      'suspected image-not-found',
      'failed image-not-found',
    ]);
    expect(seen[0]?.nextLookMs).toBe(start + 18_000);
  });

  it('does not wait for Pods that have not got as far', () => {
    const bad = of(waiting('CrashLoopBackOff'), { restartCount: 5, lastState: ended(1, 13, 14) });
    const creating = pod('new-2', {
      nodeName: 'b',
      status: containerStatus({ state: waiting('ContainerCreating') }),
    });
    const world = { pods: [bad, creating], revisions: [replicaSet(2, { replicas: 2 })] };
    expect(
      follow([
        [14, world],
        [16, world],
      ])
        .map(say)
        .at(-1),
    ).toBe('failed crash-loop');
  });

  it('names lack of memory in an init container as such', () => {
    const killed = pod('new-1', {
      nodeName: 'a',
      spec: { restartPolicy: 'Never', initContainers: [{ name: 'fetch', image: 'i' }] },
      status: {
        initContainerStatuses: [{ name: 'fetch', restartCount: 0, state: ended(137, 0, 1, 'OOMKilled') }],
      },
    });
    expect(follow([[1, only(killed)]]).map(say)).toEqual(['failed oom-killed']);
  });
});

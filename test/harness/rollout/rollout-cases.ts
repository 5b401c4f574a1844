import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesObject } from '@sophia/kubernetes';
import type { ImageAnswer } from '@sophia/rollout';
import type { SimulatedNode } from '../cluster.ts';
import type { Stage } from './play-case.ts';

/** What of a case's namespace decides whether the cluster holds a definitive signal. */
export interface OwnObjects {
  readonly workload: KubernetesObject | undefined;
  readonly pods: readonly KubernetesObject[];
  readonly replicaSets: readonly KubernetesObject[];
  readonly generation: number;
  readonly nowMs: number;
  readonly appliedAtMs: number;
}

/** A rollout on a node, or nodes, of its own, and what must be said of it. */
export interface RolloutCase {
  /** Of the namespace, the nodes and their label `case`. */
  readonly name: string;
  readonly nodes: readonly SimulatedNode[];
  /** `failed crash-loop`, `complete`. */
  readonly verdict: string;
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  /** Applied first. */
  readonly given?: readonly KubernetesObject[];
  /** Rolled out before the change, and how that ended if not well. */
  readonly before?: KubernetesObject;
  readonly beforeEnds?: string;
  readonly change: KubernetesObject;
  /** What happens during the rollout. */
  readonly meanwhile?: (stage: Stage & { readonly namespace: string }) => Promise<void>;
  /** What the registry says of its image when asked. */
  readonly image?: ImageAnswer;
  readonly hasAutoscaler?: boolean;
  readonly deadlineMs?: number;
  /**
   * Whether the cluster holds by now what makes the verdict certain: the state that no retry mends, the last of the
   * repetitions it takes, or the end of the time that the manifest grants.
   */
  readonly signal?: (own: OwnObjects) => boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const simulation = (annotations: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`test.sophia.ai/${key}`, value]));

function nodesOf(name: string, count = 1, fields: Partial<SimulatedNode> = {}): readonly SimulatedNode[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${name}-${index}`,
    ...fields,
    capacity: { 'nvidia.com/gpu': 1, ...fields.capacity },
    labels: { case: name, ...fields.labels },
  }));
}

interface WorkloadFields {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Job';
  readonly gpus?: number;
  /** Annotations of the simulated kubelet. */
  readonly simulated?: Readonly<Record<string, string>>;
  readonly pod?: Fields;
  readonly container?: Fields;
  readonly spec?: Fields;
}

/** A workload whose Pods go to the case's own nodes. */
function workload(name: string, fields: WorkloadFields = {}): KubernetesObject {
  const { kind = 'Deployment', gpus = 0, simulated = {}, pod = {}, container = {}, spec = {} } = fields;
  const limits = gpus === 0 ? {} : { resources: { limits: { 'nvidia.com/gpu': gpus } } };
  const labels = { app: 'app' };
  const template = {
    metadata: { labels, annotations: simulation(simulated) },
    spec: {
      nodeSelector: { case: name },
      terminationGracePeriodSeconds: 2,
      containers: [{ name: 'app', image: 'registry.test/app:1', ...limits, ...container }],
      ...pod,
    },
  };
  const selecting = kind === 'Job' ? {} : { selector: { matchLabels: labels } };
  const service = kind === 'StatefulSet' ? { serviceName: 'app' } : {};
  return {
    apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name: 'app' },
    spec: { ...selecting, ...service, template, ...spec },
  };
}

/** The same with another image, so that its Pods are replaced. */
function second(name: string, fields: WorkloadFields = {}): KubernetesObject {
  return workload(name, { ...fields, container: { image: 'registry.test/app:2', ...fields.container } });
}

const oneAtATime = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } };

type Status = {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
  }[];
  readonly observedGeneration?: number;
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
};
type ContainerStatus = {
  readonly restartCount: number;
  readonly state: {
    readonly waiting?: { readonly reason?: string };
    readonly running?: { readonly startedAt: string };
    readonly terminated?: { readonly exitCode: number };
  };
};

function statusOf(object: KubernetesObject): Status {
  return (object['status'] ?? {}) as Status;
}

const isUnschedulable = ({ pods }: OwnObjects) =>
  pods.some((pod) => (statusOf(pod).conditions ?? []).some(({ reason }) => reason === 'Unschedulable'));

const isWaiting =
  (...reasons: readonly string[]) =>
  ({ pods }: OwnObjects) =>
    pods.some((pod) =>
      (statusOf(pod).containerStatuses ?? []).some(({ state }) =>
        reasons.includes(state.waiting?.reason ?? ''),
      ),
    );

const hasEnded =
  (times: number, list: 'containerStatuses' | 'initContainerStatuses' = 'containerStatuses') =>
  ({ pods }: OwnObjects) =>
    pods.some((pod) =>
      (statusOf(pod)[list] ?? []).some(
        ({ restartCount, state }) =>
          state.running === undefined &&
          restartCount >= times - 1 &&
          (state.terminated !== undefined || state.waiting?.reason === 'CrashLoopBackOff'),
      ),
    );

const isRefused = ({ replicaSets }: OwnObjects) =>
  replicaSets.some((set) => (statusOf(set).conditions ?? []).some(({ reason }) => reason === 'FailedCreate'));

/** Counts the times that a state was entered. */
function entered(times: number, isIn: (own: OwnObjects) => boolean): (own: OwnObjects) => boolean {
  let count = 0;
  let was = false;
  return (own) => {
    const is = isIn(own);
    if (is && !was) count += 1;
    was = is;
    return count >= times;
  };
}

function quota(gpus: number): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'gpus' },
    spec: { hard: { 'requests.nvidia.com/gpu': String(gpus) } },
  };
}

const probe = {
  readinessProbe: { periodSeconds: 1, failureThreshold: 3, httpGet: { path: '/ready', port: 8000 } },
};
const tokenFromSecret = {
  env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'value' } } }],
};

/** One for each code that a rollout can fail with. */
export function failingCases(suffix = ''): readonly RolloutCase[] {
  const make = (name: string, fields: (name: string) => Omit<RolloutCase, 'name'>): RolloutCase => {
    const unique = `${name}${suffix}`;
    return { name: unique, ...fields(unique) };
  };
  return [
    make('gpu-none', (name) => ({
      nodes: nodesOf(name, 1, { capacity: { 'nvidia.com/gpu': 0 } }),
      change: workload(name, { gpus: 1 }),
      verdict: 'failed gpu-none',
      signal: isUnschedulable,
    })),
    make('gpu-insufficient', (name) => ({
      nodes: nodesOf(name),
      before: { ...workload(name, { gpus: 1 }), metadata: { name: 'holder' } },
      change: workload(name, { gpus: 1 }),
      verdict: 'failed gpu-insufficient',
      signal: isUnschedulable,
    })),
    make('gpu-surge-deadlock', (name) => ({
      nodes: nodesOf(name),
      before: workload(name, { gpus: 1 }),
      change: second(name, { gpus: 1 }),
      verdict: 'failed gpu-surge-deadlock',
      signal: isUnschedulable,
    })),
    make('node-label-missing', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { gpus: 1, pod: { nodeSelector: { case: `${name}s` } } }),
      verdict: 'failed node-label-missing',
      signal: isUnschedulable,
    })),
    make('taint-not-tolerated', (name) => ({
      nodes: nodesOf(name, 1, {
        taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }],
      }),
      change: workload(name, { gpus: 1 }),
      verdict: 'failed taint-not-tolerated',
      signal: isUnschedulable,
    })),
    make('arch-mismatch', (name) => ({
      nodes: nodesOf(name, 1, { architecture: 'arm64' }),
      change: workload(name, {
        simulated: {
          state: 'image-not-found@200ms',
          message:
            'rpc error: code = NotFound desc = failed to pull and unpack image "registry.test/app:1": no match for platform in manifest: not found',
        },
      }),
      verdict: 'failed arch-mismatch',
      signal: isWaiting('ErrImagePull', 'ImagePullBackOff'),
    })),
    make('quota-exceeded', (name) => ({
      nodes: nodesOf(name, 2),
      given: [quota(1)],
      before: workload(name, { gpus: 1 }),
      change: second(name, { gpus: 1 }),
      verdict: 'failed quota-exceeded',
      signal: isRefused,
    })),
    make('pod-create-denied', (name) => ({
      nodes: nodesOf(name),
      namespaceLabels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
      change: workload(name),
      verdict: 'failed pod-create-denied',
      signal: isRefused,
    })),
    make('image-not-found', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'image-not-found@200ms', 'back-off': '10s' } }),
      image: { kind: 'not-found' },
      verdict: 'failed image-not-found',
      signal: isWaiting('ErrImagePull', 'ImagePullBackOff'),
    })),
    make('image-pull-denied', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'image-denied@200ms', 'back-off': '10s' } }),
      image: { kind: 'denied' },
      verdict: 'failed image-pull-denied',
      signal: entered(2, isWaiting('ErrImagePull')),
    })),
    make('config-missing', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { container: tokenFromSecret }),
      verdict: 'failed config-missing',
      signal: isWaiting('CreateContainerConfigError'),
    })),
    make('crash-loop', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'crash@200ms', 'exit-code': '3' } }),
      verdict: 'failed crash-loop',
      signal: hasEnded(3),
    })),
    make('oom-killed', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, {
        simulated: { state: 'oom@200ms' },
        container: { resources: { limits: { memory: '64Mi' } } },
      }),
      verdict: 'failed oom-killed',
      signal: hasEnded(2),
    })),
    make('init-failed', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, {
        simulated: { state: 'crash@200ms', container: 'fetch' },
        pod: { initContainers: [{ name: 'fetch', image: 'registry.test/fetch:1' }] },
      }),
      verdict: 'failed init-failed',
      signal: hasEnded(3, 'initContainerStatuses'),
    })),
    make('readiness-failing', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'unready@200ms' }, container: probe }),
      verdict: 'failed readiness-failing',
      signal: ({ pods, nowMs }) =>
        pods.some((pod) =>
          (statusOf(pod).containerStatuses ?? []).some(
            ({ state }) =>
              state.running !== undefined && nowMs >= Date.parse(state.running.startedAt) + 3_000,
          ),
        ),
    })),
    make('progress-deadline', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'hang' }, spec: { progressDeadlineSeconds: 3 } }),
      verdict: 'failed progress-deadline',
      signal: ({ workload: deployment }) =>
        deployment !== undefined &&
        (statusOf(deployment).conditions ?? []).some(({ reason }) => reason === 'ProgressDeadlineExceeded'),
    })),
    make('superseded', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'hang' } }),
      meanwhile: async ({ cluster, namespace }) => {
        await wait(1_000);
        const later = second(name);
        await cluster.apply(
          { ...later, metadata: { ...later.metadata, namespace } },
          { fieldManager: 'someone-else', isForced: true },
        );
      },
      verdict: 'superseded superseded',
      signal: ({ workload: deployment, generation }) => (deployment?.metadata.generation ?? 0) > generation,
    })),
    make('unknown', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'hang' } }),
      deadlineMs: 4_000,
      verdict: 'timeout unknown',
      signal: ({ nowMs, appliedAtMs }) => nowMs >= appliedAtMs + 4_000,
    })),
  ];
}

/** What looks like a failure and is none. */
export function soundCases(): readonly RolloutCase[] {
  const make = (
    name: string,
    fields: (name: string) => Omit<RolloutCase, 'name' | 'verdict'>,
  ): RolloutCase => ({
    name,
    verdict: 'complete',
    ...fields(name),
  });
  return [
    make('node-joins', (name) => ({
      nodes: [],
      change: workload(name, { gpus: 1 }),
      hasAutoscaler: true,
      meanwhile: async ({ cluster }) => {
        await wait(8_000);
        const [joined] = nodesOf(name);
        const capacity = { cpu: '16', memory: '64Gi', pods: '110', 'nvidia.com/gpu': '1' };
        await cluster.create({
          apiVersion: 'v1',
          kind: 'Node',
          metadata: {
            name: joined?.name ?? name,
            labels: {
              case: name,
              'test.sophia.ai/simulated': 'true',
              'kubernetes.io/arch': 'amd64',
              'kubernetes.io/os': 'linux',
            },
          },
          status: { capacity, allocatable: capacity },
        });
      },
    })),
    make('secret-comes-late', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { container: tokenFromSecret }),
      meanwhile: async ({ cluster, namespace }) => {
        await wait(1_500);
        await cluster.create({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'token', namespace },
          stringData: { value: 'x' },
        });
      },
    })),
    make('secret-late-for-kubelet', (name) => ({
      nodes: nodesOf(name),
      given: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'token' }, stringData: { value: 'x' } }],
      // A kubelet looks again only after ten seconds or more.
      change: workload(name, {
        container: tokenFromSecret,
        simulated: { state: 'config-missing@200ms,ready@7s', message: 'secret "token" not found' },
      }),
    })),
    make('pull-secret-comes-late', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'image-denied@200ms,ready@8s', 'back-off': '10s' } }),
      image: { kind: 'found', platforms: ['linux/amd64'] },
    })),
    make('crashes-twice', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { simulated: { state: 'crash@200ms,ready@8s', 'back-off': '3s' } }),
    })),
    make('loads-within-startup-probe', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, {
        simulated: { state: 'unready@200ms,ready@9s' },
        container: {
          ...probe,
          startupProbe: { failureThreshold: 10, periodSeconds: 1, httpGet: { path: '/', port: 8000 } },
        },
      }),
    })),
    make('model-without-startup-probe', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { gpus: 1, simulated: { state: 'unready@200ms,ready@9s' }, container: probe }),
    })),
    make('old-pod-takes-its-time', (name) => ({
      nodes: nodesOf(name),
      before: workload(name, {
        gpus: 1,
        simulated: { stop: '9s' },
        spec: oneAtATime,
        pod: { terminationGracePeriodSeconds: 20 },
      }),
      change: second(name, { gpus: 1, spec: oneAtATime, pod: { terminationGracePeriodSeconds: 20 } }),
    })),
    make('recreate', (name) => ({
      nodes: nodesOf(name),
      before: workload(name, {
        gpus: 1,
        simulated: { stop: '3s' },
        spec: { strategy: { type: 'Recreate' } },
        pod: { terminationGracePeriodSeconds: 20 },
      }),
      change: second(name, { gpus: 1, spec: { strategy: { type: 'Recreate' } } }),
    })),
    make('four-on-four', (name) => ({
      nodes: nodesOf(name, 4),
      before: workload(name, { gpus: 1, spec: { replicas: 4 }, simulated: { stop: '2s' } }),
      change: second(name, { gpus: 1, spec: { replicas: 4 } }),
    })),
    make('quota-comes-free', (name) => ({
      nodes: nodesOf(name, 2),
      given: [quota(1)],
      before: workload(name, { gpus: 1, spec: oneAtATime, simulated: { stop: '2s' } }),
      change: second(name, { gpus: 1, spec: oneAtATime }),
    })),
    make('deadline-of-the-last', (name) => ({
      nodes: nodesOf(name),
      before: workload(name, { simulated: { state: 'hang' }, spec: { progressDeadlineSeconds: 2 } }),
      beforeEnds: 'failed progress-deadline',
      change: second(name, { simulated: { state: 'ready@1s' }, spec: { progressDeadlineSeconds: 10 } }),
    })),
    make('scaled-meanwhile', (name) => ({
      nodes: nodesOf(name, 2, { capacity: { 'nvidia.com/gpu': 4 } }),
      before: workload(name, { gpus: 1, spec: { replicas: 2 } }),
      change: second(name, { gpus: 1, spec: { replicas: 2 }, simulated: { state: 'ready@2s' } }),
      meanwhile: async ({ cluster, namespace }) => {
        await wait(700);
        await cluster.patch(
          { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'app' },
          { spec: { replicas: 5 } },
        );
      },
    })),
    make('paused', (name) => ({
      nodes: nodesOf(name, 2),
      before: workload(name, { gpus: 1 }),
      change: second(name, { gpus: 1, spec: { paused: true } }),
      meanwhile: async ({ cluster, namespace }) => {
        await wait(5_000);
        await cluster.patch(
          { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'app' },
          { spec: { paused: false } },
        );
      },
    })),
    make('one-bad-of-three', (name) => ({
      nodes: nodesOf(name, 3, { capacity: { 'nvidia.com/gpu': 2 } }),
      change: workload(name, { gpus: 1, spec: { replicas: 3 }, simulated: { state: 'ready@3s' } }),
      meanwhile: async ({ cluster, live, namespace }) => {
        let [bad] = live.of('Pod', namespace);
        while (bad === undefined) {
          await live.next(100);
          [bad] = live.of('Pod', namespace);
        }
        const key = { apiVersion: 'v1', kind: 'Pod', namespace, name: bad.metadata.name };
        const be = (state: string) =>
          cluster.patch(key, { metadata: { annotations: simulation({ state }) } });
        await be('crash');
        await wait(14_000);
        await be('ready');
      },
    })),
    make('busy-kubelet', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, {
        simulated: {
          state: 'config-missing@200ms,ready@6s',
          message: 'failed to sync configmap cache: timed out waiting for the condition',
        },
      }),
    })),
    make('evicted-once', (name) => ({
      nodes: nodesOf(name, 2),
      change: workload(name, { simulated: { state: 'ready@3s' } }),
      meanwhile: async ({ cluster, live, namespace }) => {
        let [first] = live.of('Pod', namespace);
        while (first === undefined) {
          await live.next(100);
          [first] = live.of('Pod', namespace);
        }
        await cluster.patch(
          { apiVersion: 'v1', kind: 'Pod', namespace, name: first.metadata.name },
          { metadata: { annotations: simulation({ state: 'evicted' }) } },
        );
      },
    })),
    make('stateful-set', (name) => ({
      nodes: nodesOf(name),
      before: workload(name, { kind: 'StatefulSet', gpus: 1 }),
      change: second(name, { kind: 'StatefulSet', gpus: 1 }),
    })),
    make('daemon-set', (name) => ({
      nodes: nodesOf(name, 2),
      before: workload(name, { kind: 'DaemonSet', gpus: 1 }),
      change: second(name, { kind: 'DaemonSet', gpus: 1 }),
    })),
    make('job', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, {
        kind: 'Job',
        gpus: 1,
        pod: { restartPolicy: 'OnFailure' },
        simulated: { state: 'completed@500ms' },
      }),
    })),
    make('min-ready', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { spec: { minReadySeconds: 3 } }),
    })),
    make('no-replicas', (name) => ({
      nodes: nodesOf(name),
      change: workload(name, { spec: { replicas: 0 } }),
    })),
  ];
}

import type { RolloutView } from './rollout-view.ts';

/** A success must be seen twice, so far apart. */
const holdMs = 1_000;

/** Whether a rollout is done, and has been long enough to believe it. */
export function findCompletion(view: RolloutView): {
  readonly view: RolloutView;
  readonly isComplete: boolean;
  readonly nextLookMs: number | undefined;
} {
  const { observed, memory, workload } = view;
  const { completeSinceMs: before, ...rest } = memory;
  if (!isDone(view)) return { view: { ...view, memory: rest }, isComplete: false, nextLookMs: undefined };
  const sinceMs = before ?? observed.nowMs;
  // Those that were available for minReadySeconds have held already.
  const isProven = (workload.spec?.minReadySeconds ?? 0) > 0 || workload.kind === 'Job';
  return {
    view: { ...view, memory: { ...rest, completeSinceMs: sinceMs } },
    isComplete: isProven || observed.nowMs - sinceMs >= holdMs,
    nextLookMs: sinceMs + holdMs,
  };
}

function isDone(view: RolloutView): boolean {
  const { workload, observed } = view;
  const { generation = 0 } = workload.metadata;
  const hasController = workload.kind !== 'Pod' && workload.kind !== 'Job';
  if (!view.isObserved || generation < observed.generation) return false;
  if (hasController && (workload.status?.observedGeneration ?? 0) < generation) return false;
  switch (workload.kind) {
    case 'Deployment':
      return isDeploymentDone(view);
    case 'StatefulSet':
      return isStatefulSetDone(view);
    case 'DaemonSet':
      return isDaemonSetDone(view);
    case 'Job':
      return (workload.status?.conditions ?? []).some(
        ({ type, status }) => type === 'Complete' && status === 'True',
      );
    case 'Pod':
      return isPodDone(view);
    default:
      return true;
  }
}

function isDeploymentDone({ workload, replicas }: RolloutView): boolean {
  const { replicas: all = 0, updatedReplicas = 0, availableReplicas = 0 } = workload.status ?? {};
  return updatedReplicas === replicas && all === replicas && availableReplicas === replicas;
}

function isStatefulSetDone({ workload, replicas }: RolloutView): boolean {
  const { spec, status } = workload;
  const { readyReplicas = 0, updatedReplicas = 0, availableReplicas = readyReplicas } = status ?? {};
  if ((status?.replicas ?? 0) !== replicas || readyReplicas !== replicas || availableReplicas !== replicas) {
    return false;
  }
  if (spec?.updateStrategy?.type === 'OnDelete') return true;
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  return updatedReplicas >= Math.max(0, replicas - partition);
}

function isDaemonSetDone({ workload }: RolloutView): boolean {
  const { spec, status } = workload;
  const { desiredNumberScheduled: desired, updatedNumberScheduled = 0, numberAvailable = 0 } = status ?? {};
  if (desired === undefined || numberAvailable < desired) return false;
  return spec?.updateStrategy?.type === 'OnDelete' || updatedNumberScheduled >= desired;
}

function isPodDone({ workload, newPods }: RolloutView): boolean {
  if (workload.status?.phase === 'Succeeded') return true;
  const [pod] = newPods;
  return pod === undefined
    ? (workload.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
    : pod.isReady;
}

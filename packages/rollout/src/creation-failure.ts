import { toMs } from './live-pod.ts';
import { isControllerMoving, type RolloutView } from './rollout-view.ts';
import type { Proof } from './sign.ts';
import type { Condition } from './workload.ts';

/**
 * What the API server said when the workload's controller made Pods and wasn't let; undefined where none are lacking.
 * Conditions of earlier revisions, and those that have not been looked at since our write, are of something else.
 */
export function findCreationFailure(view: RolloutView): string | undefined {
  const { workload, newRevision, isObserved } = view;
  if (!isObserved) return undefined;
  if (workload.kind === 'Deployment') {
    const progressing = workload.status?.conditions.find(({ reason }) => reason === 'ReplicaSetCreateError');
    if (progressing !== undefined && isSinceWrite(progressing, view)) return progressing.message;
    if (newRevision === undefined) return undefined;
    const { metadata, spec, status } = newRevision;
    const isCurrent = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
    const isLacking = (status?.replicas ?? 0) < (spec?.replicas ?? 0);
    const failure = status?.conditions.find(isFailedCreate);
    return isCurrent && isLacking && failure !== undefined ? failure.message : undefined;
  }
  const lacking = countLacking(view);
  if (lacking <= 0) return undefined;
  // These controllers tell it by events only.
  return view.events
    .filter(({ uid, reason }) => uid === workload.metadata.uid && reason === 'FailedCreate')
    .toSorted((left, right) => right.lastMs - left.lastMs)[0]?.message;
}

function isFailedCreate({ type, status, reason }: Condition): boolean {
  return type === 'ReplicaFailure' && status === 'True' && reason === 'FailedCreate';
}

export function isSinceWrite(
  { lastUpdateTime, lastTransitionTime }: Condition,
  { observed }: RolloutView,
): boolean {
  const ms = toMs(lastUpdateTime) ?? toMs(lastTransitionTime);
  return ms === undefined || ms >= observed.appliedAtMs - 1_000;
}

function countLacking({ workload, replicas, newPods, oldPods }: RolloutView): number {
  const { kind, status } = workload;
  if (kind === 'DaemonSet') return (status?.desiredNumberScheduled ?? 0) - newPods.length - oldPods.length;
  if (kind === 'Job') return (status?.succeeded ?? 0) > 0 ? 0 : replicas - newPods.length;
  return kind === 'StatefulSet' ? replicas - newPods.length - oldPods.length : 0;
}

/** A controller that was refused tries again after a time that doubles. */
const retryMs = 15_000;

/** What Pods hold that are going comes free, and then the controller tries again. */
export function proveExhausted(view: RolloutView): Proof {
  if (isControllerMoving(view)) return { kind: 'waiting' };
  const { podLeftMs } = view.memory;
  return podLeftMs === undefined ? { kind: 'settled' } : { kind: 'budget', untilMs: podLeftMs + retryMs };
}

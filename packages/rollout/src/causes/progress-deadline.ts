import type { Cause } from '../cause.ts';
import { isSinceWrite } from '../creation-failure.ts';
import type { RolloutView } from '../rollout-view.ts';

/** A Deployment's own time is up. What keeps its Pods is the better answer, where that is known. */
export const progressDeadline: Cause = {
  code: 'progress-deadline',
  stage: 'controller',
  inWorkload: (view) => {
    if (!isPastDeadline(view)) return undefined;
    const { workload, replicas } = view;
    const { updatedReplicas = 0, availableReplicas = 0 } = workload.status ?? {};
    return {
      words: {
        wrong: 'made no progress in time',
        seen: [
          `progressDeadlineSeconds ${workload.spec?.progressDeadlineSeconds ?? 600} are over with ${updatedReplicas} of ${replicas} Pods updated and ${availableReplicas} available`,
        ],
        fix: '',
      },
      proof: { kind: 'settled' },
      isNodeBound: false,
    };
  },
};

/** The condition may be left from the rollout before. */
export function isPastDeadline(view: RolloutView): boolean {
  return (
    view.isObserved &&
    (view.workload.status?.conditions ?? []).some(
      (condition) =>
        condition.type === 'Progressing' &&
        condition.status === 'False' &&
        condition.reason === 'ProgressDeadlineExceeded' &&
        isSinceWrite(condition, view),
    )
  );
}

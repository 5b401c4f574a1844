import type { Cause } from '../cause.ts';
import type { Words } from '../finding-text.ts';
import type { Workload } from '../workload.ts';

/** A rollout that waits because the object says so. */
export const rolloutPaused: Cause = {
  code: 'rollout-paused',
  stage: 'controller',
  inWorkload: ({ workload }) => {
    const words = sayPaused(workload);
    return words === undefined ? undefined : { words, proof: { kind: 'waiting' }, isNodeBound: false };
  },
};

export function sayPaused({ kind, spec }: Workload): Words | undefined {
  if (kind === 'Deployment' && spec?.paused === true) {
    return { wrong: 'will not roll out', seen: ['spec.paused is true'], fix: 'Set spec.paused: false' };
  }
  if (kind === 'Job' && spec?.suspend === true) {
    return { wrong: 'will not start', seen: ['spec.suspend is true'], fix: 'Set spec.suspend: false' };
  }
  if ((kind === 'StatefulSet' || kind === 'DaemonSet') && spec?.updateStrategy?.type === 'OnDelete') {
    return {
      wrong: 'replaces no Pod by itself',
      seen: ['spec.updateStrategy.type is OnDelete'],
      fix: 'Set it to RollingUpdate, or delete the Pods',
    };
  }
  return undefined;
}

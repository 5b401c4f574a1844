import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** A Job has failed for good. */
export const jobBackoff: Cause = {
  code: 'job-backoff',
  stage: 'controller',
  inWorkload: ({ workload }) => {
    if (workload.kind !== 'Job') return undefined;
    const failed = workload.status?.conditions.find(
      ({ type, status }) => (type === 'Failed' || type === 'FailureTarget') && status === 'True',
    );
    if (failed === undefined) return undefined;
    return {
      words: {
        wrong: 'has failed',
        seen: [
          `${failed.reason ?? 'its condition Failed'}`,
          ...(failed.message === undefined ? [] : [shorten(failed.message, 100)]),
        ],
        fix: '',
      },
      proof: { kind: 'settled' },
      isNodeBound: false,
    };
  },
};

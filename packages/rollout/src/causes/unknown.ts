import { renderReason } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { isGpu, sayUnplaced } from '../resource-words.ts';

const namedElsewhere = /^(?:cpu|memory|ephemeral-storage|hugepages-.*)$/;

/** None of the other causes. */
export const unknown: Cause = {
  code: 'unknown',
  stage: 'controller',
  placement: {
    weigh: (reason) => {
      if (reason.kind === 'other-node') return 100;
      if (reason.kind !== 'resource' || isGpu(reason.resource) || namedElsewhere.test(reason.resource)) {
        return undefined;
      }
      if (reason.allocatable === 0n) return 40;
      return reason.isUnresolvable ? 30 : 1;
    },
    endsWithNewNode: true,
    describe: (shortage) => {
      const [candidate] = shortage.nearest;
      const [reason] = candidate?.verdict.reasons ?? [];
      return {
        wrong: sayUnplaced(shortage),
        seen: [
          candidate === undefined || reason === undefined
            ? 'the cluster has no node'
            : renderReason(candidate.occupied.node.name, reason).replace(/\.$/, ''),
        ],
        fix: candidate === undefined ? 'Add a node' : '',
      };
    },
  },
};

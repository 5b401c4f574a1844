import { renderReason } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { count, shorten } from '../finding-text.ts';
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
  inWorkload: ({ endedPods }) => {
    const [last] = endedPods.toSorted((left, right) => (right.createdMs ?? 0) - (left.createdMs ?? 0));
    if (last === undefined) return undefined;
    const node = last.nodeName === undefined ? '' : ` on node ${last.nodeName}`;
    return {
      words: {
        wrong: `has lost ${count(endedPods.length, 'Pod')}`,
        seen: [
          `the last, ${last.name}${node}, with ${last.reason === '' ? `phase ${last.phase}` : last.reason}`,
          ...(last.message === '' ? [] : [shorten(last.message, 90)]),
        ],
        fix: '',
        details: endedPods
          .slice(0, 10)
          .map((pod) => `Pod ${pod.name}: ${pod.reason} ${shorten(pod.message, 300)}`),
      },
      proof: { kind: 'open' },
      isNodeBound: true,
    };
  },
};

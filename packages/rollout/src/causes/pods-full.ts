import { formatQuantity } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';
import { sayUnplaced } from '../resource-words.ts';

/** The nodes that were meant run as many Pods as they may. */
export const podsFull: Cause = {
  code: 'pods-full',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'pods-full' ? 1 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const full = shortage.nearest.flatMap(({ occupied, verdict }) =>
        verdict.reasons.flatMap((reason) =>
          reason.kind === 'pods-full'
            ? [`${occupied.node.name} (${formatQuantity('pods', reason.allocatable)})`]
            : [],
        ),
      );
      if (full.length === 0) return undefined;
      return {
        wrong: sayUnplaced(shortage),
        seen: [`every node that suits runs as many Pods as it may, ${list(full)}`],
        fix: 'Remove Pods there, or add a node',
      };
    },
  },
};

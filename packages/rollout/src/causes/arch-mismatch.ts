import type { Cause } from '../cause.ts';
import { list, shorten } from '../finding-text.ts';

/** The image isn't built for the processors of the nodes that were meant. */
export const archMismatch: Cause = {
  code: 'arch-mismatch',
  stage: 'image',
  placement: {
    weigh: (reason) => (reason.kind === 'architecture' ? 20 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const foreign = shortage.nearest.flatMap(({ occupied, verdict }) =>
        verdict.reasons.flatMap((reason) =>
          reason.kind === 'architecture' ? [{ ...reason, name: occupied.node.name }] : [],
        ),
      );
      const [first] = foreign;
      if (first === undefined) return undefined;
      const names = [...new Set(foreign.map(({ name }) => name))];
      return {
        wrong: 'cannot run',
        seen: [
          `image ${shorten(first.image, 60)} is only for ${list(first.platforms)}`,
          `${list(names, 2)} ${names.length === 1 ? 'is' : 'are'} ${first.node}`,
        ],
        fix: `Build it for ${first.node} too`,
      };
    },
  },
};

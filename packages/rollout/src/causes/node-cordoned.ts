import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';
import { sayUnplaced } from '../resource-words.ts';

/** The nodes that were meant take no new Pods, by somebody's `kubectl cordon`. */
export const nodeCordoned: Cause = {
  code: 'node-cordoned',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'cordoned' ? 3 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const names = shortage.nearest
        .filter(({ verdict }) => verdict.reasons.some(({ kind }) => kind === 'cordoned'))
        .map(({ occupied }) => occupied.node.name);
      const [first] = names;
      if (first === undefined) return undefined;
      return {
        wrong: sayUnplaced(shortage),
        seen: [`what would suit is cordoned, ${list(names)}`],
        fix: `Run kubectl uncordon ${first}`,
      };
    },
  },
};

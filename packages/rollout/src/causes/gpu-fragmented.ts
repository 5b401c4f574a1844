import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';
import {
  addUpHoldings,
  isGpu,
  lackedResources,
  sayAmount,
  sayHolders,
  sayUnplaced,
} from '../resource-words.ts';

/** Enough GPUs are free, but not on one node. */
export const gpuFragmented: Cause = {
  code: 'gpu-fragmented',
  stage: 'scheduling',
  placement: {
    weigh: (reason) =>
      reason.kind === 'resource' && isGpu(reason.resource) && !reason.isUnresolvable ? 1 : undefined,
    endsWithNewNode: true,
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isGpu);
      if (resource === undefined) return undefined;
      const nodes = shortage.nearest.map(({ occupied }) => occupied);
      const asked = shortage.request.get(resource) ?? 0n;
      const { free } = addUpHoldings(resource, nodes);
      if (free < asked) return undefined;
      const withSome = nodes.filter((occupied) => addUpHoldings(resource, [occupied]).free > 0n);
      // The node where the fewest Pods must move.
      const [roomiest] = [...withSome].sort((left, right) =>
        Number(addUpHoldings(resource, [right]).free - addUpHoldings(resource, [left]).free),
      );
      if (roomiest === undefined) return undefined;
      const there = addUpHoldings(resource, [roomiest]);
      return {
        wrong: sayUnplaced(shortage),
        seen: [
          `each asks for ${sayAmount(resource, asked)} on one node and ${sayAmount(resource, free)} are free only on ${list(withSome.map(({ node }) => node.name))} together`,
        ],
        fix: `Move Pods that hold ${sayAmount(resource, asked - there.free)} away from ${roomiest.node.name}`,
        details: sayHolders(resource, shortage.nearest),
      };
    },
  },
};

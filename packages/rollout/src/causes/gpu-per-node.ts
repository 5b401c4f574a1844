import { formatQuantity } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { isGpu, lackedResources, sayAmount, sayUnplaced } from '../resource-words.ts';

/** One Pod asks for more GPUs than any one node has, taken or not. */
export const gpuPerNode: Cause = {
  code: 'gpu-per-node',
  stage: 'scheduling',
  placement: {
    weigh: (reason) =>
      reason.kind === 'resource' && isGpu(reason.resource) && reason.isUnresolvable && reason.allocatable > 0n
        ? 30
        : undefined,
    endsWithNewNode: true,
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isGpu);
      if (resource === undefined) return undefined;
      const [largest] = shortage.nearest
        .map(({ occupied }) => ({
          name: occupied.node.name,
          amount: occupied.node.allocatable.get(resource) ?? 0n,
        }))
        .sort((left, right) => Number(right.amount - left.amount));
      if (largest === undefined) return undefined;
      const most = formatQuantity(resource, largest.amount);
      return {
        wrong: sayUnplaced(shortage),
        seen: [
          `each asks for ${sayAmount(resource, shortage.request.get(resource) ?? 0n)} and no node that suits has more than ${most}`,
          `node ${largest.name}`,
        ],
        fix: `Set the limit ${resource}: ${most}`,
      };
    },
  },
};

import type { Cause } from '../cause.ts';
import { describeTooLittle, isGpu, lackedResources } from '../resource-words.ts';

/** The nodes that were meant have GPUs, and others hold them. */
export const gpuInsufficient: Cause = {
  code: 'gpu-insufficient',
  stage: 'scheduling',
  placement: {
    weigh: (reason) =>
      reason.kind === 'resource' && isGpu(reason.resource) && !reason.isUnresolvable ? 1 : undefined,
    endsWithNewNode: true,
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isGpu);
      return resource === undefined ? undefined : describeTooLittle(resource, shortage);
    },
  },
};

import type { Cause } from '../cause.ts';
import { describeTooLittle, lackedResources } from '../resource-words.ts';

/** The nodes that were meant have too little memory left. */
export const memoryInsufficient: Cause = {
  code: 'memory-insufficient',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => {
      if (reason.kind !== 'resource' || !isMeant(reason.resource)) return undefined;
      return reason.isUnresolvable ? 30 : 1;
    },
    endsWithNewNode: true,
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isMeant);
      return resource === undefined ? undefined : describeTooLittle(resource, shortage);
    },
  },
};

function isMeant(resource: string): boolean {
  return resource === 'memory' || resource.startsWith('hugepages-');
}

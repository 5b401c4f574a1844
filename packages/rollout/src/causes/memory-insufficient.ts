import type { Cause } from '../cause.ts';
import { placementBy } from '../resource-words.ts';

/** The nodes that were meant have too little memory left. */
export const memoryInsufficient: Cause = {
  code: 'memory-insufficient',
  stage: 'scheduling',
  placement: placementBy((resource) => resource === 'memory' || resource.startsWith('hugepages-')),
};

import type { Cause } from '../cause.ts';
import { placementBy } from '../resource-words.ts';

/** The nodes that were meant have too little CPU left; a GPU that is free there is stranded. */
export const cpuInsufficient: Cause = {
  code: 'cpu-insufficient',
  stage: 'scheduling',
  placement: placementBy((resource) => resource === 'cpu'),
};

import type { Cause } from '../cause.ts';
import { placementBy } from '../resource-words.ts';

/** The nodes that were meant have too little ephemeral storage left. */
export const storageInsufficient: Cause = {
  code: 'storage-insufficient',
  stage: 'scheduling',
  placement: placementBy((resource) => resource === 'ephemeral-storage'),
};

import type { Cause } from '../cause.ts';

/** Somebody else has changed the workload since, so that its rollout is another's. */
export const superseded: Cause = { code: 'superseded', stage: 'controller' };

import type { Cause } from '../cause.ts';

/** The namespace is being deleted and takes nothing new. */
export const namespaceTerminating: Cause = {
  code: 'namespace-terminating',
  stage: 'admission',
  inRefusal: ({ answer, causes }) => {
    const isMeant =
      causes.some(({ reason }) => reason === 'NamespaceTerminating') ||
      /because it is being terminated/.test(answer);
    if (!isMeant) return undefined;
    const name = /in namespace (\S+) because/.exec(answer)?.[1];
    return {
      wrong: 'is refused',
      seen: [`${name === undefined ? 'its namespace' : `namespace ${name}`} is being deleted`],
      fix: 'Wait until it is gone, or choose another namespace',
    };
  },
};

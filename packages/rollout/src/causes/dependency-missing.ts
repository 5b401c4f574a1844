import type { Cause } from '../cause.ts';

/** Something that the Pods refer to is neither in the cluster nor in the manifests. */
export const dependencyMissing: Cause = {
  code: 'dependency-missing',
  stage: 'admission',
  inRefusal: ({ status, answer }) => {
    const namespace = /namespaces "([^"]+)" not found/.exec(answer)?.[1];
    if (status !== 404 || namespace === undefined) return undefined;
    return {
      wrong: 'is refused',
      seen: [`namespace ${namespace} is not there`],
      fix: `Run kubectl create namespace ${namespace}, or add it to the manifests`,
    };
  },
};

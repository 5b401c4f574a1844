import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** The user of the kubeconfig may not do it. */
export const rbacDenied: Cause = {
  code: 'rbac-denied',
  stage: 'admission',
  inRefusal: ({ answer }) => {
    const match =
      /User "([^"]+)" cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)"| at the cluster scope)?/.exec(
        answer,
      );
    if (match === null) return undefined;
    const [, user = '', verb = '', resource = '', group = '', namespace] = match;
    const place = namespace === undefined ? 'in the cluster' : `in namespace ${namespace}`;
    const plural = group === '' ? resource : `${resource}.${group}`;
    return {
      wrong: 'is refused',
      seen: [`user ${shorten(user, 60)} may not ${verb} ${plural} ${place}`],
      fix: `Allow it by a ${namespace === undefined ? 'ClusterRole' : 'Role'}`,
      details: [
        `kind: ${namespace === undefined ? 'ClusterRole' : 'Role'}`,
        'rules:',
        `  - apiGroups: ["${group}"]`,
        `    resources: ["${resource}"]`,
        `    verbs: ["${verb}"]`,
      ],
    };
  },
};

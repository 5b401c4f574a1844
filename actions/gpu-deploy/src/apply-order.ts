import type { KubernetesObject } from '@sophia/kubernetes';

/**
 * Kinds in the order in which one needs the other: what holds things, what they may use, what grants rights, what
 * Pods read when they start, what routes to them, the Pods, and what watches over them. Webhooks come last, since
 * from then on they judge what is applied.
 */
const RANKS: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition'],
  ['PriorityClass', 'RuntimeClass', 'StorageClass', 'DeviceClass', 'IngressClass'],
  ['ResourceQuota', 'LimitRange', 'NetworkPolicy'],
  ['ServiceAccount', 'ClusterRole', 'Role'],
  ['ClusterRoleBinding', 'RoleBinding'],
  ['Secret', 'ConfigMap', 'PersistentVolume', 'ResourceClaimTemplate'],
  ['PersistentVolumeClaim', 'ResourceClaim'],
  ['Service'],
  [],
  ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'Pod', 'ReplicaSet', 'CronJob'],
  ['PodDisruptionBudget', 'HorizontalPodAutoscaler', 'Ingress', 'HTTPRoute'],
  [
    'APIService',
    'ValidatingWebhookConfiguration',
    'MutatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
  ],
];

/** The rank of kinds that aren't named: after what Pods need, before the Pods. */
const OTHERS = RANKS.findIndex((kinds) => kinds.length === 0);

/**
 * Groups objects so that each group needs nothing of a later one; within a group they can be applied at once.
 *
 * @returns No empty group; the order within a group is that of the manifests.
 */
export function toApplyGroups<T extends { readonly object: KubernetesObject }>(
  items: readonly T[],
): readonly (readonly T[])[] {
  const rankOf = ({ object }: T) => {
    const rank = RANKS.findIndex((kinds) => kinds.includes(object.kind));
    return rank === -1 ? OTHERS : rank;
  };
  return RANKS.map((_, rank) => items.filter((item) => rankOf(item) === rank)).filter(
    (group) => group.length > 0,
  );
}

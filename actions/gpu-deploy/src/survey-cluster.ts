import { isOutsideError } from '@sophia/action';
import type { Cluster, KubernetesObject, Manifest, Selection } from '@sophia/kubernetes';
import { type ClusterView, openClusterView } from './cluster-view.ts';
import { isWorkload } from './workload.ts';

/** What is watched of the cluster. */
export type Watched =
  | 'nodes'
  | 'pods'
  | 'events'
  | 'ReplicaSet'
  | 'ControllerRevision'
  | 'Deployment'
  | 'StatefulSet'
  | 'DaemonSet'
  | 'Job'
  | 'Pod';

/** Kinds whose history of templates is in other objects. */
const REVISIONS: Readonly<Record<string, 'ReplicaSet' | 'ControllerRevision'>> = {
  Deployment: 'ReplicaSet',
  StatefulSet: 'ControllerRevision',
  DaemonSet: 'ControllerRevision',
};

export function revisionKindOf(kind: string): 'ReplicaSet' | 'ControllerRevision' | undefined {
  return REVISIONS[kind];
}

/**
 * Opens the view of all that decides a rollout of these objects. Nodes and Pods of other namespaces may be kept from
 * this user; then the plan knows less and says so.
 */
export async function surveyCluster(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<ClusterView<Watched>> {
  const workloads = objects.filter(isWorkload);
  const namespaces = [...new Set(workloads.map(({ metadata }) => metadata.namespace ?? ''))];
  // Of several namespaces all are watched at once: a list for each would be a list of lists.
  const [only] = namespaces.length === 1 ? namespaces : [undefined];
  const within = (apiVersion: string, kind: string): readonly Selection[] => [
    { apiVersion, kind, namespace: only },
  ];
  const kinds = new Set(workloads.map(({ kind }) => kind));
  const revisions = new Set([...kinds].flatMap((kind) => REVISIONS[kind] ?? []));
  const nothing: readonly Selection[] = [];
  const watched: Readonly<Record<Watched, readonly Selection[]>> = {
    nodes: [{ apiVersion: 'v1', kind: 'Node' }],
    pods: [{ apiVersion: 'v1', kind: 'Pod' }, ...within('v1', 'Pod')],
    events: workloads.length === 0 ? nothing : within('v1', 'Event'),
    ReplicaSet: revisions.has('ReplicaSet') ? within('apps/v1', 'ReplicaSet') : nothing,
    ControllerRevision: revisions.has('ControllerRevision')
      ? within('apps/v1', 'ControllerRevision')
      : nothing,
    Deployment: kinds.has('Deployment') ? within('apps/v1', 'Deployment') : nothing,
    StatefulSet: kinds.has('StatefulSet') ? within('apps/v1', 'StatefulSet') : nothing,
    DaemonSet: kinds.has('DaemonSet') ? within('apps/v1', 'DaemonSet') : nothing,
    Job: kinds.has('Job') ? within('batch/v1', 'Job') : nothing,
    Pod: nothing,
  };
  const wanted = workloads.length === 0 ? { ...watched, nodes: nothing, pods: nothing } : watched;
  return openClusterView(cluster, wanted, signal);
}

/** Gives every object its namespace, as the API server would be asked for it. */
export async function placeInNamespaces(
  cluster: Cluster,
  manifests: readonly Manifest[],
  namespace: string,
): Promise<readonly Manifest[]> {
  const kinds = new Map(manifests.map(({ object }) => [kindOf(object), object]));
  const types = new Map(
    await Promise.all(
      [...kinds].map(
        async ([kind, object]) => [kind, await cluster.findType(object.apiVersion, object.kind)] as const,
      ),
    ),
  );
  return manifests.map((manifest) => {
    // A kind that isn't served yet is taken as namespaced; that is what most custom resources are.
    const isNamespaced = types.get(kindOf(manifest.object))?.isNamespaced ?? true;
    return inNamespace(manifest, isNamespaced ? namespace : undefined);
  });
}

/** @param namespace Of what names none; undefined for what has no namespace at all. */
export function inNamespace(manifest: Manifest, namespace: string | undefined): Manifest {
  const { object } = manifest;
  const { namespace: written, ...metadata } = object.metadata;
  const chosen = namespace === undefined ? undefined : written || namespace;
  return {
    ...manifest,
    object: {
      ...object,
      metadata: { ...metadata, ...(chosen === undefined ? {} : { namespace: chosen }), name: metadata.name },
    },
  };
}

function kindOf({ apiVersion, kind }: KubernetesObject): string {
  return `${apiVersion}/${kind}`;
}

/**
 * Whether something adds nodes when Pods find no place: the cluster autoscaler or Karpenter. Then a shortage isn't
 * certain.
 */
export async function findAutoscaler(
  cluster: Cluster,
  pods: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<boolean> {
  if (pods.some(({ metadata }) => metadata.name.includes('cluster-autoscaler'))) return true;
  const [karpenter, provisioning, status] = await Promise.all([
    cluster.findType('karpenter.sh/v1', 'NodePool'),
    cluster.findType('autoscaling.x-k8s.io/v1', 'ProvisioningRequest'),
    readOptional(
      cluster,
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cluster-autoscaler-status' },
      signal,
    ),
  ]);
  return karpenter !== undefined || provisioning !== undefined || (status ?? undefined) !== undefined;
}

/** An object that is good to know; null where it may not be read. */
export async function readOptional(
  cluster: Cluster,
  key: Parameters<Cluster['read']>[0],
  signal: AbortSignal,
): Promise<KubernetesObject | undefined | null> {
  try {
    return await cluster.read(key, signal);
  } catch (error) {
    if (isOutsideError(error) && !error.isTemporary) return null;
    throw error;
  }
}

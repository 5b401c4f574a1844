import type { Cluster, KubernetesObject, Manifest } from '@sophia/kubernetes';
import { type Finding, findMissingDependencies, listDependencies } from '@sophia/rollout';
import { type Node, occupyNodes, type Pod, parseNode, parsePod } from '@sophia/scheduling';
import * as z from 'zod/mini';
import type { ClusterView } from './cluster-view.ts';
import { type DeployPlan, type PlannedObject, planDeploy, type WorkloadFacts } from './plan.ts';
import { releasesEnough } from './quota-room.ts';
import type { ImageReader } from './read-images.ts';
import { findAutoscaler, readOptional, type Watched } from './survey-cluster.ts';
import { groupOf, type MadeHere, type Trial, toRefusal, tryObject } from './try-objects.ts';
import { imagesOf, isWorkload, keyOf, type PodTemplate, podOf, subjectOf, templateOf } from './workload.ts';

export type ClusterPlanning = {
  readonly cluster: Cluster;
  readonly view: ClusterView<Watched>;
  /** With namespaces, images and GPUs in place. */
  readonly manifests: readonly Manifest[];
  readonly strategy: 'auto' | 'rolling' | 'recreate';
  readonly images: ImageReader;
  readonly signal: AbortSignal;
};

export type ClusterPlan = DeployPlan & {
  readonly hasAutoscaler: boolean;
  /** What could not be looked at, one sentence each. */
  readonly notes: readonly string[];
};

/** Plans a deployment by asking the cluster, and touches nothing. */
export async function planOnCluster(planning: ClusterPlanning): Promise<ClusterPlan> {
  const { cluster, view, manifests, images, signal } = planning;
  const workloadObjects = manifests.map(({ object }) => object).filter(isWorkload);
  const made = await findMadeHere(cluster, manifests, signal);
  const [trials, hasAutoscaler, missing] = await Promise.all([
    Promise.all(manifests.map((manifest) => tryObject(cluster, manifest, made, signal))),
    findAutoscaler(cluster, view.objectsOf('pods'), signal),
    findMissing(cluster, manifests, signal),
    images.ask(workloadObjects.flatMap(imagesOf), signal),
  ]);
  const pods = view.objectsOf('pods').flatMap(readPod);
  const nodes = occupyNodes(readNodes(view), pods);
  const tried = await Promise.all(
    trials
      .filter(({ planned }) => isWorkload(planned.object))
      .map((trial) => tryWorkload(planning, trial, made, pods)),
  );
  const refusals = trials.flatMap((trial) => (trial.kind === 'refused' ? [trial.finding] : []));
  const plan = planDeploy({
    objects: trials.map(({ planned }) => planned),
    workloads: tried.flatMap(({ facts }) => facts ?? []),
    nodes,
    pods,
    areNodesSeen: !view.blindSpots.has('nodes') && !view.blindSpots.has('pods'),
    images: images.answers,
    hasAutoscaler,
    strategy: planning.strategy,
    findings: [
      ...findBlindSpots(view),
      ...refusals,
      ...missing,
      ...tried.flatMap(({ findings }) => findings),
      ...findMissingImages(workloadObjects, images),
    ],
  });
  return { ...plan, hasAutoscaler, notes: [...view.blindSpots.values()] };
}

/** What a rollout can't be followed without; nodes and events only help. */
function findBlindSpots({ blindSpots }: ClusterView<Watched>): readonly Finding[] {
  return [...blindSpots]
    .filter(([name]) => name !== 'nodes' && name !== 'events')
    .map(([, message]) => ({
      code: 'rbac-denied',
      class: 'refused',
      subject: 'The deployment',
      message,
      details: [],
      nodes: [],
      container: undefined,
    }));
}

/** Nodes that can be read: another's broken object must not stop this deployment. */
export function readNodes(view: ClusterView<Watched>): readonly Node[] {
  return view.objectsOf('nodes').flatMap((object) => readOrLeaveOut(() => parseNode(object)));
}

const crdSchema = z.object({ group: z.string(), names: z.object({ kind: z.string() }) });

async function findMadeHere(
  cluster: Cluster,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<MadeHere> {
  const objects = manifests.map(({ object }) => object);
  const namespaces = objects.filter(({ apiVersion, kind }) => apiVersion === 'v1' && kind === 'Namespace');
  const present = await Promise.all(
    namespaces.map(async (object) => (await cluster.read(keyOf(object), signal)) !== undefined),
  );
  const kinds = objects.flatMap((object) => {
    if (object.kind !== 'CustomResourceDefinition' || groupOf(object.apiVersion) !== 'apiextensions.k8s.io')
      return [];
    const parsed = z.safeParse(crdSchema, object['spec']);
    return parsed.success ? [`${parsed.data.group}/${parsed.data.names.kind}`] : [];
  });
  return {
    namespaces: new Set(
      namespaces.filter((_, index) => present[index] === false).map(({ metadata }) => metadata.name),
    ),
    kinds: new Set(kinds),
  };
}

/** What the Pods refer to and neither the cluster nor the manifests have. */
async function findMissing(
  cluster: Cluster,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const objects = manifests.map(({ object }) => object);
  const dependencies = objects.filter(isWorkload).flatMap((object) => listDependencies(object));
  const known = new Map(dependencies.map((dependency) => [JSON.stringify(dependency.key), dependency.key]));
  const found = await Promise.all(
    [...known].map(async ([text, key]) => [text, await readOptional(cluster, key, signal)] as const),
  );
  const existing = new Map(found);
  return findMissingDependencies(dependencies, (key) => existing.get(JSON.stringify(key)), objects);
}

function findMissingImages(workloads: readonly KubernetesObject[], images: ImageReader): readonly Finding[] {
  return workloads.flatMap((object) => {
    const subject = subjectOf(keyOf(object));
    return imagesOf(object)
      .filter((image) => images.answers.get(image)?.kind === 'not-found')
      .map(
        (image): Finding => ({
          code: 'image-not-found',
          class: 'refused',
          subject,
          message: `${subject} needs the image ${image}, and its registry doesn't have it. Push it, or correct the reference.`,
          details: [],
          nodes: [],
          container: undefined,
        }),
      );
  });
}

type TriedWorkload = { readonly facts: WorkloadFacts | undefined; readonly findings: readonly Finding[] };

/** Has the server make a Pod of the template, without keeping it: quota, admission and defaults are applied to it. */
async function tryWorkload(
  { cluster, view, manifests, signal }: ClusterPlanning,
  trial: Trial,
  made: MadeHere,
  pods: readonly Pod[],
): Promise<TriedWorkload> {
  const { planned } = trial;
  const workload = trial.kind === 'accepted' ? trial.result : planned.object;
  const template = templateOf(workload);
  if (template === undefined || trial.kind === 'refused') return { facts: undefined, findings: [] };
  const fromTemplate = podOf(workload, template);
  const oldPods = findOwnPods(planned, view, pods);
  const facts = (pod: Pod, fullQuota?: Finding): WorkloadFacts => ({
    planned,
    workload,
    pod,
    oldPods,
    fullQuota,
  });
  const isTried =
    trial.kind === 'accepted' && workload.kind !== 'Pod' && !made.namespaces.has(planned.key.namespace ?? '');
  if (!isTried) return { facts: facts(fromTemplate), findings: [] };
  try {
    const made = await cluster.create(toTrialPod(planned, withoutOwnHelpers(template, manifests)), {
      isDryRun: true,
      signal,
    });
    const pod = parsePod(made);
    return { facts: facts({ ...pod, name: '' }), findings: [] };
  } catch (error) {
    const finding = toRefusal(error, subjectOf(planned.key), undefined);
    if (finding === undefined) throw error;
    if (
      finding.code === 'quota-exceeded' &&
      releasesEnough(error, fromTemplate, oldPods, replicasOf(workload))
    ) {
      return { facts: facts(fromTemplate, finding), findings: [] };
    }
    return { facts: facts(fromTemplate), findings: [finding] };
  }
}

function toTrialPod({ key }: PlannedObject, template: PodTemplate): KubernetesObject {
  const metadata = asMetadata(template.metadata);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      // The name is never taken: a dry run keeps nothing. A long one is cut, as controllers do.
      name: `${key.name.slice(0, 48)}-plan-${Math.random().toString(36).slice(2, 8)}`,
      ...(key.namespace === undefined ? {} : { namespace: key.namespace }),
    },
    spec: template.spec,
  };
}

/** What a Pod names and the same manifests bring would be refused as missing; what it brings to the Pod is small. */
const HELPERS: readonly { readonly kind: string; readonly fields: readonly string[] }[] = [
  { kind: 'ServiceAccount', fields: ['serviceAccountName', 'serviceAccount'] },
  { kind: 'PriorityClass', fields: ['priorityClassName'] },
  { kind: 'RuntimeClass', fields: ['runtimeClassName'] },
];

function withoutOwnHelpers(template: PodTemplate, manifests: readonly Manifest[]): PodTemplate {
  const brought = (kind: string, name: unknown) =>
    manifests.some(({ object }) => object.kind === kind && object.metadata.name === name);
  const dropped = new Set(
    HELPERS.flatMap(({ kind, fields }) => fields.filter((field) => brought(kind, template.spec[field]))),
  );
  const spec = Object.entries(template.spec).filter(([field]) => !dropped.has(field));
  return { ...template, spec: Object.fromEntries(spec) };
}

function asMetadata(metadata: unknown): Readonly<Record<string, unknown>> {
  const parsed = z.safeParse(z.record(z.string(), z.unknown()), metadata);
  const { labels, annotations } = parsed.success ? parsed.data : {};
  return {
    ...(labels === undefined || labels === null ? {} : { labels }),
    ...(annotations === undefined || annotations === null ? {} : { annotations }),
  };
}

function replicasOf(workload: KubernetesObject): number {
  return z.safeParse(z.object({ replicas: z.number() }), workload['spec']).data?.replicas ?? 1;
}

/** Pods that the workload has now, which its rollout replaces. */
function findOwnPods(
  planned: PlannedObject,
  view: ClusterView<Watched>,
  pods: readonly Pod[],
): readonly Pod[] {
  const uid = planned.before?.metadata.uid;
  if (uid === undefined) return [];
  const owners = new Set([
    uid,
    ...view
      .objectsOf('ReplicaSet')
      .filter((set) => isOwnedBy(set, new Set([uid])))
      .flatMap(({ metadata }) => metadata.uid ?? []),
  ]);
  const names = new Set(
    view
      .objectsOf('pods')
      .filter((pod) => pod.metadata.namespace === planned.key.namespace && isOwnedBy(pod, owners))
      .map(({ metadata }) => metadata.name),
  );
  return pods.filter(({ namespace, name }) => namespace === planned.key.namespace && names.has(name));
}

const ownersSchema = z.array(z.object({ uid: z.string() }));

export function isOwnedBy({ metadata }: KubernetesObject, owners: ReadonlySet<string>): boolean {
  const parsed = z.safeParse(ownersSchema, metadata['ownerReferences']);
  return parsed.success && parsed.data.some(({ uid }) => owners.has(uid));
}

/** An object of the cluster that can't be read is left out: another's broken Pod must not stop this deployment. */
function readPod(object: KubernetesObject): readonly Pod[] {
  return readOrLeaveOut(() => parsePod(object));
}

function readOrLeaveOut<T>(read: () => T): readonly T[] {
  try {
    return [read()];
  } catch (error) {
    if (error instanceof Error && error.name === 'InvalidObjectError') return [];
    throw error;
  }
}

import {
  type ControllerStep,
  InvalidObjectError,
  type Node,
  nextControllerStep,
  type OccupiedNode,
  occupyNodes,
  type Pod,
  parseNode,
  parsePod,
} from '@sophia/scheduling';
import * as z from 'zod/mini';
import { type LivePod, readLivePod, toMs } from './live-pod.ts';
import type { Memory } from './memory.ts';
import type { ObservedRollout } from './rollout-assessment.ts';
import { writeCanonically } from './template.ts';
import {
  conditions,
  loose,
  metadataSchema,
  nameWorkload,
  replicasOf,
  strategyOf,
  text,
  type Workload,
  wholeNumber,
} from './workload.ts';

const revisionSchema = z.object({
  metadata: metadataSchema,
  revision: wholeNumber,
  spec: loose(z.object({ replicas: wholeNumber, template: z.optional(z.unknown()) })),
  status: loose(
    z.object({
      observedGeneration: wholeNumber,
      replicas: wholeNumber,
      readyReplicas: wholeNumber,
      availableReplicas: wholeNumber,
      conditions,
    }),
  ),
});

export type Revision = z.output<typeof revisionSchema>;

const eventSchema = z.object({
  metadata: metadataSchema,
  type: text,
  reason: text,
  message: text,
  count: wholeNumber,
  firstTimestamp: text,
  lastTimestamp: text,
  eventTime: text,
  involvedObject: loose(z.object({ uid: text, kind: text, name: text })),
  series: loose(z.object({ count: wholeNumber, lastObservedTime: text })),
});

/** An event since our write. */
export type LiveEvent = {
  readonly uid: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
};

/** What is observed, picked for one rollout. */
export type RolloutView = {
  readonly observed: ObservedRollout;
  readonly memory: Memory;
  readonly workload: Workload;
  readonly subject: string;
  /** Wanted Pods, as the object says now. */
  readonly replicas: number;
  /** The controller has seen our write: only then does its status speak of it. */
  readonly isObserved: boolean;
  /** ReplicaSet of the new revision. */
  readonly newRevision: Revision | undefined;
  readonly oldRevisions: readonly Revision[];
  /** Pods of the new revision that aren't ending, without those that ended and are replaced. */
  readonly newPods: readonly LivePod[];
  /** Pods of the workload that ended, and why they may have. */
  readonly endedPods: readonly LivePod[];
  /** Pods of the workload's earlier revisions, those that are ending among them. */
  readonly oldPods: readonly LivePod[];
  readonly events: readonly LiveEvent[];
  /** All nodes and Pods that can be read. */
  readonly nodes: readonly Node[];
  readonly pods: readonly PlacedPod[];
};

/** A Pod of the cluster, for what it holds. */
export type PlacedPod = {
  readonly pod: Pod;
  readonly uid: string;
  readonly deletionMs: number | undefined;
};

/** Picks what concerns a rollout. Objects that can't be read are left out. */
export function viewRollout(observed: ObservedRollout, workload: Workload, memory: Memory): RolloutView {
  const { uid = '', generation = 0 } = workload.metadata;
  const observedGeneration = workload.status?.observedGeneration ?? 0;
  const hasController = workload.kind !== 'Pod' && workload.kind !== 'Job';
  const revisions = observed.revisions
    .flatMap((document) => z.safeParse(revisionSchema, document).data ?? [])
    .filter((revision) => isOwnedBy(revision.metadata, uid));
  const isObserved =
    generation >= observed.generation && (!hasController || observedGeneration >= observed.generation);
  const newRevision = isObserved ? findNewRevision(workload, revisions, observed.appliedAtMs) : undefined;
  const livePods = observed.pods.flatMap((document) => readPod(document) ?? []);
  const own = livePods.filter((pod) => belongs(pod, workload, revisions));
  const isNew = (pod: LivePod) => isObserved && isOfNewRevision(pod, workload, newRevision);
  const isOver = ({ phase }: LivePod) => hasController && (phase === 'Succeeded' || phase === 'Failed');
  return {
    observed,
    memory,
    workload,
    subject: nameWorkload(workload),
    replicas: replicasOf(workload),
    isObserved,
    newRevision,
    oldRevisions: revisions.filter((revision) => revision !== newRevision),
    newPods: own.filter((pod) => isNew(pod) && pod.deletionMs === undefined && !isOver(pod)),
    endedPods: own.filter((pod) => isNew(pod) && isOver(pod)),
    oldPods: own.filter((pod) => !isNew(pod) && !isOver(pod)),
    events: observed.events.flatMap((document) => readEvent(document, observed.appliedAtMs)),
    nodes: observed.nodes.flatMap(readNode),
    pods: observed.pods.flatMap(readPlacedPod),
  };
}

const readNode = cached((document) => read(() => parseNode(document)));

const readPlacedPod = cached((document) =>
  read((): PlacedPod => {
    const live = readPod(document);
    return { pod: parsePod(document), uid: live?.uid ?? '', deletionMs: live?.deletionMs };
  }),
);

const readPod = cached(readLivePod);

/** A watch hands the same object over again and again; each is read once. */
function cached<T>(parse: (document: unknown) => T): (document: unknown) => T {
  const known = new WeakMap<object, { readonly value: T }>();
  return (document) => {
    if (typeof document !== 'object' || document === null) return parse(document);
    const found = known.get(document);
    if (found !== undefined) return found.value;
    const value = parse(document);
    known.set(document, { value });
    return value;
  };
}

function read<T>(parse: () => T): readonly T[] {
  try {
    return [parse()];
  } catch (error) {
    if (error instanceof InvalidObjectError) return [];
    throw error;
  }
}

type Metadata = z.output<typeof metadataSchema>;

function isOwnedBy({ ownerReferences }: Metadata, uid: string): boolean {
  return (ownerReferences ?? []).some((owner) => owner.uid === uid);
}

const REVISION = 'deployment.kubernetes.io/revision';

/**
 * The ReplicaSet of the Deployment's present revision, or the newest ControllerRevision. A paused Deployment's
 * annotation is still that of what went before, so there the template decides, as for its controller.
 */
function findNewRevision(
  workload: Workload,
  revisions: readonly Revision[],
  appliedAtMs: number,
): Revision | undefined {
  const { kind, spec, metadata } = workload;
  if (kind === 'Deployment') {
    if (spec?.paused === true) return revisions.find((revision) => hasTemplate(revision, spec.template));
    const number = metadata.annotations?.[REVISION];
    return revisions.find(
      (revision) =>
        number !== undefined &&
        revision.metadata.annotations?.[REVISION] === number &&
        isOfThisWrite(revision, spec?.template, appliedAtMs),
    );
  }
  if (kind === 'StatefulSet') {
    return revisions.find((revision) => revision.metadata.name === workload.status?.updateRevision);
  }
  return revisions.toSorted((left, right) => (right.revision ?? 0) - (left.revision ?? 0))[0];
}

const templateSchema = z.object({
  metadata: loose(z.looseObject({ labels: loose(z.record(z.string(), z.unknown())) })),
});

/**
 * A Deployment that recreates its Pods has the annotation of the old ReplicaSet until these are gone. A template may
 * differ by defaults of another version of Kubernetes; then one that was made since the write is meant.
 */
function isOfThisWrite(revision: Revision, template: unknown, appliedAtMs: number): boolean {
  const createdMs = toMs(revision.metadata.creationTimestamp) ?? 0;
  return hasTemplate(revision, template) || createdMs >= appliedAtMs - 1_000;
}

/** Equal but for the label that the controller adds. */
function hasTemplate({ spec }: Revision, template: unknown): boolean {
  return writeTemplate(spec?.template) === writeTemplate(template);
}

function writeTemplate(template: unknown): string {
  const parsed = z.safeParse(z.looseObject(templateSchema.shape), template);
  if (!parsed.success) return '';
  const { 'pod-template-hash': _, ...labels } = parsed.data.metadata?.labels ?? {};
  return writeCanonically({ ...parsed.data, metadata: { ...parsed.data.metadata, labels } });
}

function belongs(pod: LivePod, { kind, metadata }: Workload, revisions: readonly Revision[]): boolean {
  if (kind === 'Pod') return pod.uid === metadata.uid;
  if (kind !== 'Deployment') return pod.ownerUids.includes(metadata.uid ?? '');
  return revisions.some((revision) => pod.ownerUids.includes(revision.metadata.uid ?? ''));
}

function isOfNewRevision(pod: LivePod, workload: Workload, revision: Revision | undefined): boolean {
  const { kind, status, metadata } = workload;
  const hash = pod.labels['controller-revision-hash'];
  switch (kind) {
    case 'Deployment':
      return revision !== undefined && pod.ownerUids.includes(revision.metadata.uid ?? '');
    case 'StatefulSet':
      return hash !== undefined && hash === status?.updateRevision;
    case 'DaemonSet': {
      const wanted = revision?.metadata.labels?.['controller-revision-hash'];
      if (wanted !== undefined) return hash === wanted;
      return pod.labels['pod-template-generation'] === String(metadata.generation);
    }
    default:
      return true;
  }
}

/** Those of before our write speak of something else. */
function readEvent(document: unknown, appliedAtMs: number): readonly LiveEvent[] {
  const event = z.safeParse(eventSchema, document).data;
  const uid = event?.involvedObject?.uid;
  if (event === undefined || uid === undefined) return [];
  const lastMs =
    toMs(event.series?.lastObservedTime) ??
    toMs(event.lastTimestamp) ??
    toMs(event.eventTime) ??
    toMs(event.metadata.creationTimestamp) ??
    0;
  if (lastMs < appliedAtMs - 1_000) return [];
  return [
    {
      uid,
      reason: event.reason ?? '',
      message: event.message ?? '',
      count: event.series?.count ?? event.count ?? 1,
      firstMs: toMs(event.firstTimestamp) ?? toMs(event.eventTime) ?? lastMs,
      lastMs,
    },
  ];
}

/** The cluster with the Pods that are kept. */
export function occupy(
  { nodes, pods }: RolloutView,
  isKept: (entry: PlacedPod) => boolean,
): readonly OccupiedNode[] {
  return occupyNodes(
    nodes,
    pods.filter(isKept).map(({ pod }) => pod),
  );
}

/** How long after its time a Pod that is ending may still be there. */
const graceMs = 10_000;

/** Whether a Pod is going to be gone, and when at the latest. Undefined where it isn't, or should be long gone. */
export function leavingUntilMs(
  deletionMs: number | undefined,
  { observed }: Pick<RolloutView, 'observed'>,
): number | undefined {
  if (deletionMs === undefined) return undefined;
  const untilMs = deletionMs + graceMs;
  return untilMs > observed.nowMs ? untilMs : undefined;
}

/**
 * Whether the workload's controller is about to change something, so that room or quota comes free without anyone's
 * help: it scales a ReplicaSet, or Pods are going that it has let go of.
 */
export function isControllerMoving(view: RolloutView): boolean {
  const { workload, newRevision, oldRevisions } = view;
  if (view.oldPods.some(({ deletionMs }) => leavingUntilMs(deletionMs, view) !== undefined)) return true;
  if (workload.kind !== 'Deployment' || newRevision === undefined) return false;
  const isScalingDown = oldRevisions.some(
    ({ spec, status }) => (status?.replicas ?? 0) > (spec?.replicas ?? 0),
  );
  return isScalingDown || nextStep(view, newRevision).kind === 'scale-down';
}

function nextStep(view: RolloutView, newRevision: Revision): ControllerStep {
  const strategy = strategyOf(view.workload);
  const sum = (amounts: readonly (number | undefined)[]) =>
    amounts.reduce<number>((total, amount) => total + (amount ?? 0), 0);
  const oldPods = sum(view.oldRevisions.map(({ spec }) => spec?.replicas));
  if (strategy?.kind !== 'rolling') {
    return oldPods > 0 ? { kind: 'scale-down', by: oldPods, unhealthy: 0 } : { kind: 'wait' };
  }
  return nextControllerStep(
    { ...strategy, replicas: view.replicas },
    {
      oldPods,
      oldAvailable: sum(view.oldRevisions.map(({ status }) => status?.availableReplicas)),
      newPods: newRevision.spec?.replicas ?? 0,
      newAvailable: newRevision.status?.availableReplicas ?? 0,
    },
  );
}

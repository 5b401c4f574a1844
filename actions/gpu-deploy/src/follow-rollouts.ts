import type { KubernetesObject, ObjectKey } from '@sophia/kubernetes';
import {
  assessRollout,
  type Finding,
  type RolloutAssessment,
  type RolloutMemory,
  type RolloutProgress,
} from '@sophia/rollout';
import type { ClusterView } from './cluster-view.ts';
import type { ObjectReader } from './read-asked-objects.ts';
import type { ImageReader } from './read-images.ts';
import { revisionKindOf, type Watched } from './survey-cluster.ts';
import { subjectOf } from './workload.ts';

/** A rollout to follow. */
export type RolloutTarget = {
  readonly key: ObjectKey;
  /** `metadata.generation` of the answer to our own write. */
  readonly generation: number;
  /** When that was answered, by this machine's clock. */
  readonly appliedMs: number;
  /** The answer; undefined where nothing was written. */
  readonly written: KubernetesObject | undefined;
};

/** How a set of rollouts went: all of them complete, or the first that won't be. */
export type FollowedRollouts =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed' | 'superseded'; readonly finding: Finding; readonly also: readonly Finding[] };

export type RolloutFollow = {
  readonly outcome: FollowedRollouts;
  readonly rollouts: readonly FollowedRollout[];
};

export type FollowedRollout = {
  readonly target: RolloutTarget;
  readonly assessment: RolloutAssessment | undefined;
  /** From our write until it was complete; undefined where it isn't. */
  readonly availableMs: number | undefined;
};

export type Following = {
  readonly view: ClusterView<Watched>;
  readonly images: ImageReader;
  readonly objects: ObjectReader;
  readonly hasAutoscaler: boolean;
  readonly timeoutMs: number;
  /** The cluster's clock minus this machine's, in milliseconds. */
  readonly clockAheadMs: number;
  readonly note: (text: string) => void;
  /** A workload as it is now, past all watches. */
  readonly readNow: (key: ObjectKey) => Promise<KubernetesObject | undefined>;
  readonly signal: AbortSignal;
};

/** With nothing to wait for but time, look again after this long: silence of a watch isn't to be trusted. */
const LONGEST_WAIT_MS = 5_000;

/** A watch that was cut off begins again within this time of the server's return. */
const CATCH_UP_MS = 10_000;

/**
 * Watches rollouts until all are complete, or one has certainly failed, was superseded or has run out of time.
 *
 * @throws What ended the watch, or the signal's reason.
 */
export async function followRollouts(
  targets: readonly RolloutTarget[],
  following: Following,
): Promise<RolloutFollow> {
  const memories = new Map<RolloutTarget, RolloutMemory>();
  const found = new Map<RolloutTarget, FollowedRollout>();
  const told = new Set<string>();
  const { view, signal } = following;
  const all = () =>
    targets.map((target) => found.get(target) ?? { target, assessment: undefined, availableMs: undefined });
  for (;;) {
    signal.throwIfAborted();
    const broken = view.failure();
    if (broken !== undefined) throw broken;
    const waiting = targets.filter((target) => found.get(target)?.availableMs === undefined);
    for (const target of waiting) {
      const assessment = await assess(target, memories.get(target), following);
      memories.set(target, assessment.memory);
      tell(target, assessment, told, following);
      const { state } = assessment;
      const availableMs = state.kind === 'complete' ? Date.now() - target.appliedMs : undefined;
      found.set(target, { target, assessment, availableMs });
      if (state.kind === 'failed' || state.kind === 'superseded') {
        return {
          outcome: { kind: state.kind, finding: state.finding, also: assessment.also },
          rollouts: all(),
        };
      }
      askImages(assessment, following);
      following.objects.ask(assessment.askedObjects, signal);
    }
    if (all().every(({ availableMs }) => availableMs !== undefined)) {
      return { outcome: { kind: 'complete' }, rollouts: all() };
    }
    await view.nextChange(waitOf(all(), following));
  }
}

/**
 * Assesses a rollout, when its time is up only after the server was asked once more: one that has gone looks the same
 * as Pods that don't start, and going back may end what serves well.
 *
 * @throws The server can't be reached.
 */
async function assess(
  target: RolloutTarget,
  memory: RolloutMemory | undefined,
  following: Following,
): Promise<RolloutAssessment> {
  const { view, timeoutMs, readNow } = following;
  const assessment = assessRollout(observe(target, following), memory);
  if (assessment.state.kind !== 'failed' || Date.now() < target.appliedMs + timeoutMs) return assessment;
  const present = await readNow(target.key);
  if (present?.metadata.resourceVersion === findWorkload(target, view)?.metadata.resourceVersion) {
    return assessment;
  }
  let again = assessment;
  for (const untilMs = Date.now() + CATCH_UP_MS; again.state.kind === 'failed' && Date.now() < untilMs; ) {
    await view.nextChange(untilMs - Date.now());
    again = assessRollout(observe(target, following), again.memory);
  }
  return again;
}

function findWorkload({ key }: RolloutTarget, view: Following['view']): KubernetesObject | undefined {
  return view
    .objectsOf(key.kind === 'Pod' ? 'pods' : (key.kind as Watched))
    .find(({ metadata }) => metadata.name === key.name && metadata.namespace === key.namespace);
}

function observe(target: RolloutTarget, following: Following): Parameters<typeof assessRollout>[0] {
  const { view, clockAheadMs, timeoutMs, hasAutoscaler, images, objects } = following;
  const { kind, namespace } = target.key;
  const inNamespace = (objects: readonly KubernetesObject[]) =>
    objects.filter(({ metadata }) => metadata.namespace === namespace);
  const revisions = revisionKindOf(kind);
  return {
    nowMs: Date.now() + clockAheadMs,
    appliedAtMs: target.appliedMs + clockAheadMs,
    deadlineMs: target.appliedMs + clockAheadMs + timeoutMs,
    generation: target.generation,
    workload: findWorkload(target, view),
    revisions: revisions === undefined ? [] : inNamespace(view.objectsOf(revisions)),
    nodes: view.objectsOf('nodes'),
    pods: view.objectsOf('pods'),
    events: inNamespace(view.objectsOf('events')),
    hasAutoscaler,
    images: images.answers,
    written: target.written,
    objects: objects.answers,
  };
}

/** The answers wake nobody by themselves, but the next look is never far. */
function askImages({ askedImages }: RolloutAssessment, { images, signal }: Following): void {
  const unknown = askedImages.filter((image) => !images.answers.has(image));
  if (unknown.length > 0) void images.ask(unknown, signal).catch(() => undefined);
}

const SHORT_WAIT_MS = 250;

function waitOf(rollouts: readonly FollowedRollout[], { clockAheadMs, images }: Following): number {
  const nowMs = Date.now() + clockAheadMs;
  const pending = rollouts.filter(({ availableMs }) => availableMs === undefined);
  const isAsking = pending.some(({ assessment }) =>
    assessment?.askedImages.some((image) => !images.answers.has(image)),
  );
  const looks = pending.map(({ assessment }) =>
    assessment?.nextLookMs === undefined ? LONGEST_WAIT_MS : assessment.nextLookMs - nowMs,
  );
  const wait = Math.min(LONGEST_WAIT_MS, ...looks);
  return Math.max(20, isAsking ? Math.min(SHORT_WAIT_MS, wait) : wait);
}

function tell(
  target: RolloutTarget,
  { progress, also, state }: RolloutAssessment,
  told: Set<string>,
  { note }: Following,
): void {
  const subject = subjectOf(target.key);
  const say = (text: string) => {
    if (told.has(text)) return;
    told.add(text);
    note(text);
  };
  // A workload that no controller has looked at yet has no numbers.
  if (progress.desired > 0 || state.kind === 'complete') say(`${subject}: ${renderProgress(progress)}`);
  for (const finding of also) say(`${subject}: ${finding.class} ${finding.code}: ${finding.message}`);
  if (state.kind === 'complete') say(`${subject} is complete`);
  if (state.kind === 'failed' || state.kind === 'superseded') {
    say(`${subject}: ${state.kind}, ${state.finding.code}: ${state.finding.message}`);
  }
}

function renderProgress({ desired, updated, available, old }: RolloutProgress): string {
  const leaving = old === 0 ? '' : `, ${old} old left`;
  return `${updated} of ${desired} Pods updated, ${available} available${leaving}`;
}

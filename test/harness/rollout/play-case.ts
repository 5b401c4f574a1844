import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import {
  type AskedObject,
  assessRollout,
  type ImageAnswer,
  type ObjectAnswer,
  type ObservedRollout,
  type RolloutAssessment,
  type RolloutMemory,
} from '@sophia/rollout';
import type { LiveObjects, WatchedKind } from './live-objects.ts';
import type { RolloutCase } from './rollout-cases.ts';

/** What was said of a rollout, and when, in milliseconds since it was applied. */
export interface PlayedCase {
  /** Of the last assessment: `failed crash-loop`, `complete`, `superseded superseded`. */
  readonly verdict: string;
  readonly message: string;
  readonly verdictMs: number;
  /** When the cluster held what makes the verdict certain; undefined where it never did. */
  readonly signalMs: number | undefined;
  /** Everything that was said on the way, each once, in order: `suspected crash-loop`. */
  readonly said: readonly string[];
  readonly assessment: RolloutAssessment;
}

/** A cluster that cases are played on. */
export interface Stage {
  readonly cluster: Cluster;
  readonly live: LiveObjects;
}

const fieldManager = 'rollout-test';
const silenceMs = 1_000;

/**
 * Makes a case's namespace, brings up what was there before, and applies the change; then follows it to its end.
 *
 * @param onApplied Called when the change is written.
 */
export async function playCase(
  stage: Stage,
  played: RolloutCase,
  onApplied: (namespace: string) => void = () => undefined,
): Promise<PlayedCase> {
  const { cluster, live } = stage;
  const namespace = played.name;
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: played.namespaceLabels ?? {} },
  });
  await until(live, () =>
    cluster.read({ apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: 'default' }),
  );
  for (const object of played.given ?? []) await apply(cluster, namespace, object);
  if (played.before !== undefined) {
    const ended = await follow(stage, played, await apply(cluster, namespace, played.before));
    const wanted = played.beforeEnds ?? 'complete';
    if (ended.verdict !== wanted)
      throw new Error(`${namespace}: before the change it was ${ended.verdict}: ${ended.message}`);
  }
  const written = await apply(cluster, namespace, played.change);
  onApplied(namespace);
  const meanwhile = played.meanwhile?.({ ...stage, namespace });
  const result = await follow(stage, played, written);
  await meanwhile;
  return result;
}

/** Asks until there is an answer. */
async function until<T>(live: LiveObjects, ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await live.next(100);
  }
}

async function apply(
  cluster: Cluster,
  namespace: string,
  object: KubernetesObject,
): Promise<KubernetesObject> {
  const placed = { ...object, metadata: { ...object.metadata, namespace } };
  return cluster.apply(placed, { fieldManager, isForced: true });
}

const revisions: Readonly<Record<string, WatchedKind>> = {
  Deployment: 'ReplicaSet',
  StatefulSet: 'ControllerRevision',
  DaemonSet: 'ControllerRevision',
};

/** What was asked while a rollout was followed, and answered. */
interface Answers {
  readonly images: Map<string, ImageAnswer>;
  readonly objects: Map<string, ObjectAnswer>;
}

async function follow(stage: Stage, played: RolloutCase, written: KubernetesObject): Promise<PlayedCase> {
  const { cluster, live } = stage;
  const appliedAtMs = Date.now();
  const said: string[] = [];
  const answers: Answers = { images: new Map(), objects: new Map() };
  let memory: RolloutMemory | undefined;
  let signalMs: number | undefined;
  for (;;) {
    if (live.failure() !== undefined) throw live.failure();
    const observed = observe(live, played, written, appliedAtMs, answers);
    const namespace = written.metadata.namespace;
    signalMs ??= hasSignal(live, played, observed, namespace) ? observed.nowMs - appliedAtMs : undefined;
    const assessment = assessRollout(observed, memory);
    memory = assessment.memory;
    const { state } = assessment;
    note(said, assessment);
    if (state.kind !== 'progressing') {
      const message = 'finding' in state ? state.finding.message : '';
      return {
        verdict: sayVerdict(state),
        message,
        verdictMs: observed.nowMs - appliedAtMs,
        signalMs,
        said,
        assessment,
      };
    }
    if (await answer(cluster, played, assessment, answers)) continue;
    const { nextLookMs = Number.POSITIVE_INFINITY } = assessment;
    await live.next(Math.max(5, Math.min(silenceMs, nextLookMs - Date.now())));
  }
}

function note(said: string[], { also, state }: RolloutAssessment): void {
  for (const text of [...also.map((finding) => `${finding.class} ${finding.code}`), sayVerdict(state)]) {
    if (!said.includes(text)) said.push(text);
  }
}

function sayVerdict(state: RolloutAssessment['state']): string {
  if (!('finding' in state)) return state.kind;
  return `${state.kind === 'failed' ? state.finding.class : state.kind} ${state.finding.code}`;
}

function observe(
  live: LiveObjects,
  played: RolloutCase,
  written: KubernetesObject,
  appliedAtMs: number,
  { images, objects }: Answers,
): ObservedRollout {
  const { kind, metadata } = written;
  const { namespace } = metadata;
  const revisionKind = revisions[kind];
  return {
    nowMs: Date.now(),
    appliedAtMs,
    deadlineMs: appliedAtMs + (played.deadlineMs ?? 60_000),
    generation: metadata.generation ?? 0,
    workload: live
      .of(kind as WatchedKind, namespace)
      .find((object) => object.metadata.name === metadata.name),
    revisions: revisionKind === undefined ? [] : live.of(revisionKind, namespace),
    nodes: live.of('Node'),
    pods: live.of('Pod'),
    events: live.of('Event', namespace),
    hasAutoscaler: played.hasAutoscaler ?? false,
    images,
    written,
    objects,
  };
}

function hasSignal(
  live: LiveObjects,
  { signal }: RolloutCase,
  { nowMs, appliedAtMs, generation, workload }: ObservedRollout,
  namespace: string | undefined,
): boolean {
  return (
    signal?.({
      workload: workload as KubernetesObject | undefined,
      pods: live.of('Pod', namespace),
      replicaSets: live.of('ReplicaSet', namespace),
      generation,
      nowMs,
      appliedAtMs,
    }) ?? false
  );
}

/** Answers what is asked. True where there is news. */
async function answer(
  cluster: Cluster,
  played: RolloutCase,
  { askedImages, askedObjects }: RolloutAssessment,
  { images, objects }: Answers,
): Promise<boolean> {
  const news = askedImages.filter((image) => !images.has(image));
  for (const image of news) images.set(image, played.image ?? { kind: 'unknown' });
  return (await answerObjects(cluster, askedObjects, objects)) || news.length > 0;
}

/** Looks whether what is missed is there now. True where that is news. */
async function answerObjects(
  cluster: Cluster,
  asked: readonly AskedObject[],
  answers: Map<string, ObjectAnswer>,
): Promise<boolean> {
  let isNews = false;
  for (const { id, kind, namespace, name, key } of asked) {
    const object = await cluster.read({ apiVersion: 'v1', kind, namespace, name });
    const data = object?.['data'];
    const isThere =
      object !== undefined &&
      (key === undefined || (typeof data === 'object' && data !== null && key in data));
    const answer = isThere ? 'there' : 'missing';
    if (answers.get(id) !== answer) isNews = true;
    answers.set(id, answer);
  }
  return isNews;
}

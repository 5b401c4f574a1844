import { assessAbsence } from './assess-absence.ts';
import { type Cause, type ContainerSighting, STAGES } from './cause.ts';
import { findMissed } from './causes/config-missing.ts';
import { isPastDeadline } from './causes/progress-deadline.ts';
import { superseded } from './causes/superseded.ts';
import { unknown } from './causes/unknown.ts';
import { CAUSES } from './causes.ts';
import { findCompletion } from './completion.ts';
import type { Finding, FindingClass } from './finding.ts';
import { type Words, writeLine } from './finding-text.ts';
import type { LiveContainer, LivePod } from './live-pod.ts';
import { type Memory, readMemory, recall, remember } from './memory.ts';
import { explainPending } from './pending.ts';
import type {
  AskedObject,
  ObservedRollout,
  RolloutAssessment,
  RolloutMemory,
  RolloutProgress,
} from './rollout-assessment.ts';
import { type RolloutView, viewRollout } from './rollout-view.ts';
import type { Sign } from './sign.ts';
import { isSpeakingForAll } from './spokesman.ts';
import { findChange } from './supersession.ts';
import { readWorkload, replicasOf } from './workload.ts';

/**
 * Judges a rollout by what the cluster holds at a moment and what was seen before.
 *
 * A status counts once the controller has seen our write, a Pod once it is of the new revision. What a retry may mend
 * must be seen more than once and then last; what is a matter of one node doesn't speak for the others. Of several
 * causes the earliest in a Pod's life is named; the rest is in `also`. An object that can't be read is left out.
 *
 * @param memory That of the assessment before; undefined at the first.
 */
export function assessRollout(
  observed: ObservedRollout,
  memory: RolloutMemory | undefined,
): RolloutAssessment {
  const seen = readMemory(memory);
  const workload = readWorkload(observed.workload);
  if (workload === undefined) return assessAbsence(observed, seen);
  const change = findChange(observed, workload, seen);
  const kept: Memory = {
    ...seen,
    template: change.template,
    replicas: seen.replicas ?? replicasOf(readWorkload(observed.written) ?? workload),
  };
  const view = rememberPods(viewRollout(observed, workload, kept));
  if (change.isOthers) {
    const finding = toFinding(view, superseded, 'failed', sayOthers(observed), undefined, []);
    return answer(view, [], { kind: 'superseded', finding });
  }
  const completion = findCompletion(view);
  if (completion.isComplete) return answer(completion.view, [], { kind: 'complete' }, completion.nextLookMs);
  const candidates = weigh(completion.view, findSigns(view));
  return decide(completion.view, candidates, completion.nextLookMs);
}

/** A sign and whose it is. */
type Sighted = {
  readonly cause: Cause;
  readonly sign: Sign;
  readonly pod: LivePod | undefined;
  readonly key: string;
};

/** A sign with what time has made of it. */
type Weighed = Sighted & {
  readonly sinceMs: number;
  readonly state: 'certain' | 'suspected' | 'waiting';
  /** When it will be certain, if it lasts. */
  readonly certainMs: number | undefined;
};

function rememberPods(view: RolloutView): RolloutView {
  const uids = [...view.newPods, ...view.oldPods].map(({ uid }) => uid);
  const { memory, observed } = view;
  const hasLeft = memory.podUids.some((uid) => !uids.includes(uid));
  return {
    ...view,
    memory: {
      ...memory,
      podUids: uids,
      ...(hasLeft ? { podLeftMs: observed.nowMs } : {}),
      containers: remember(memory, view.newPods, observed.nowMs),
    },
  };
}

function findSigns(view: RolloutView): readonly Sighted[] {
  const pending = explainPending(view);
  return [
    ...CAUSES.flatMap((cause) => {
      const sign = cause.inWorkload?.(view);
      return sign === undefined ? [] : [{ cause, sign, pod: undefined, key: cause.code }];
    }),
    ...(pending === undefined ? [] : [{ ...pending, pod: undefined, key: `pending/${pending.cause.code}` }]),
    ...view.newPods.flatMap((pod) =>
      pod.containers.flatMap((container) => findContainerSigns(view, pod, container)),
    ),
  ];
}

function findContainerSigns(view: RolloutView, pod: LivePod, container: LiveContainer): readonly Sighted[] {
  const sighting = sightContainer(view, pod, container);
  return CAUSES.flatMap((cause) => {
    const sign = cause.inContainer?.(sighting);
    return sign === undefined
      ? []
      : [{ cause, sign, pod, key: `${pod.uid}/${container.name}/${cause.code}` }];
  });
}

function sightContainer(view: RolloutView, pod: LivePod, container: LiveContainer): ContainerSighting {
  const labels = view.nodes.find(({ name }) => name === pod.nodeName)?.labels;
  const architecture = labels?.get('kubernetes.io/arch');
  return {
    pod,
    container,
    view,
    seen: recall(view.memory, pod, container),
    platform:
      architecture === undefined
        ? undefined
        : `${labels?.get('kubernetes.io/os') ?? 'linux'}/${architecture}`,
    answer: view.observed.images.get(container.image),
    findObject: (kind, name, key) => view.observed.objects?.get(idOf(kind, pod.namespace, name, key)),
  };
}

function idOf(kind: string, namespace: string, name: string, key: string | undefined): string {
  return `${kind} ${namespace}/${name}${key === undefined ? '' : ` ${key}`}`;
}

/** What has happened often enough must still be so for a while. */
const holdMs = 2_000;

function weigh(view: RolloutView, signs: readonly Sighted[]): readonly Weighed[] {
  const { nowMs } = view.observed;
  return signs.map((sighted) => {
    const { proof } = sighted.sign;
    // Each kind of proof begins anew: what was waited for in vain, or a count that is reached, must last from then on.
    const isReached = proof.kind === 'repeated' && proof.times >= proof.needed;
    const key = `${sighted.key}/${isReached ? 'reached' : proof.kind}`;
    const sinceMs = view.memory.since[key] ?? nowMs;
    const certainMs = findCertainMs(sighted.sign, sinceMs, nowMs);
    const isCertain = certainMs !== undefined && certainMs <= nowMs;
    const isWaiting = proof.kind === 'waiting';
    return {
      ...sighted,
      key,
      sinceMs,
      certainMs,
      state: isCertain ? 'certain' : isWaiting ? 'waiting' : 'suspected',
    };
  });
}

function findCertainMs({ proof }: Sign, sinceMs: number, nowMs: number): number | undefined {
  switch (proof.kind) {
    case 'settled':
      return nowMs;
    case 'lasting':
      return sinceMs + proof.forMs;
    case 'repeated':
      if (proof.times >= proof.needed) return sinceMs + holdMs;
      return proof.nextLookMs === undefined ? undefined : Math.max(proof.nextLookMs, nowMs + 1) + holdMs;
    case 'budget':
      return proof.untilMs;
    case 'waiting':
    case 'open':
      return undefined;
  }
}

function decide(
  view: RolloutView,
  candidates: readonly Weighed[],
  completeMs: number | undefined,
): RolloutAssessment {
  const ranked = candidates.toSorted(compareRank);
  const certain = ranked.find(
    (candidate) => candidate.state === 'certain' && speaks(view, candidate, candidates),
  );
  if (certain !== undefined && certain.cause.code !== 'progress-deadline') {
    return fail(view, ranked, certain, 'failed');
  }
  if (isPastDeadline(view)) return fail(view, ranked, findDeepest(ranked), 'failed');
  if (view.observed.nowMs >= view.observed.deadlineMs) {
    return fail(view, ranked, findDeepest(ranked), 'timeout');
  }
  return answer(view, ranked, { kind: 'progressing' }, completeMs);
}

function compareRank(left: Weighed, right: Weighed): number {
  return (
    STAGES.indexOf(left.cause.stage) - STAGES.indexOf(right.cause.stage) ||
    CAUSES.indexOf(left.cause) - CAUSES.indexOf(right.cause)
  );
}

function speaks(view: RolloutView, candidate: Weighed, all: readonly Weighed[]): boolean {
  if (candidate.pod === undefined || !candidate.sign.isNodeBound) return true;
  const certain = all.filter(({ state, pod }) => state === 'certain' && pod !== undefined);
  return isSpeakingForAll(view, candidate.cause.stage, new Set(certain.flatMap(({ pod }) => pod ?? [])));
}

/** What best tells why time ran out: a Pod's cause before a controller's, a suspicion before a wait. */
function findDeepest(ranked: readonly Weighed[]): Weighed | undefined {
  const meant = ranked.filter(({ cause }) => cause.code !== 'progress-deadline' && cause.code !== 'unknown');
  return (
    meant.find(({ state }) => state !== 'waiting') ??
    meant[0] ??
    ranked.find(({ cause }) => cause.code === 'progress-deadline') ??
    ranked[0]
  );
}

function fail(
  view: RolloutView,
  ranked: readonly Weighed[],
  chosen: Weighed | undefined,
  kind: 'failed' | 'timeout',
): RolloutAssessment {
  const finding =
    chosen === undefined
      ? toFinding(view, unknown, kind, sayUnfinished(view), undefined, [])
      : toFinding(view, chosen.cause, kind, chosen.sign.words, chosen.pod, [], chosen.sign);
  const others = ranked.filter((candidate) => candidate.cause !== chosen?.cause);
  return answer(view, others, { kind: 'failed', finding });
}

function sayUnfinished(view: RolloutView): Words {
  const { desired, updated, ready, available } = progressOf(view);
  const observed = view.isObserved ? [] : ['its controller has not seen the change'];
  return {
    wrong: 'did not finish in time',
    seen: [
      ...observed,
      `${updated} of ${desired} Pods are updated, ${ready} ready and ${available} available, and nothing says why`,
    ],
    fix: 'Allow more time, or look at its Pods',
  };
}

function answer(
  view: RolloutView,
  candidates: readonly Weighed[],
  state: RolloutAssessment['state'],
  completeMs?: number,
): RolloutAssessment {
  const { observed } = view;
  const looks = [
    completeMs,
    observed.deadlineMs,
    ...candidates.flatMap(({ certainMs, sign }) => [
      certainMs,
      sign.proof.kind === 'waiting' ? sign.proof.untilMs : undefined,
    ]),
  ].flatMap((ms) => (ms !== undefined && ms > observed.nowMs ? [ms] : []));
  const isOver = state.kind !== 'progressing';
  return {
    memory: {
      ...view.memory,
      since: Object.fromEntries(candidates.map(({ key, sinceMs }) => [key, sinceMs])),
    },
    state,
    progress: progressOf(view),
    also: toFindings(view, candidates),
    askedImages: [...new Set(candidates.flatMap(({ sign }) => sign.askedImage ?? []))],
    askedObjects: isOver ? [] : findAskedObjects(view),
    nextLookMs: isOver || looks.length === 0 ? undefined : Math.min(...looks),
    newPods: view.newPods.map(({ name }) => name),
  };
}

function findAskedObjects(view: RolloutView): readonly AskedObject[] {
  const asked = view.newPods.flatMap((pod) =>
    pod.containers.flatMap((container) => {
      const missed = findMissed(sightContainer(view, pod, container));
      if (missed === undefined) return [];
      const { namespace } = pod;
      return [{ ...missed, namespace, id: idOf(missed.kind, namespace, missed.name, missed.key) }];
    }),
  );
  return [...new Map(asked.map((object) => [object.id, object])).values()];
}

/** One finding for each cause, with the Pods that it hits. */
function toFindings(view: RolloutView, candidates: readonly Weighed[]): readonly Finding[] {
  const byCause = Map.groupBy(candidates, ({ cause }) => cause);
  return [...byCause].flatMap(([cause, of]) => {
    const [first] = of;
    if (first === undefined) return [];
    const names = of.flatMap(({ pod }) => (pod === undefined ? [] : [`${pod.name}${on(pod)}`]));
    const kind = of.every(({ state }) => state === 'waiting') ? 'waiting' : 'suspected';
    return [toFinding(view, cause, kind, first.sign.words, first.pod, names, first.sign)];
  });
}

function on({ nodeName }: LivePod): string {
  return nodeName === undefined ? '' : ` on node ${nodeName}`;
}

function toFinding(
  { subject }: RolloutView,
  cause: Cause,
  kind: FindingClass,
  words: Words,
  pod: LivePod | undefined,
  names: readonly string[],
  sign?: Sign,
): Finding {
  const container = sign?.container;
  return {
    code: cause.code,
    class: kind,
    subject,
    message: writeLine(subject, words),
    details: [
      ...(pod !== undefined && names.length === 0 ? [`Pod ${pod.name}${on(pod)}.`] : []),
      ...names.map((name) => `Pod ${name}.`),
      ...(words.details ?? []),
    ],
    nodes: sign?.nodes ?? [],
    container:
      container === undefined || pod === undefined
        ? undefined
        : { namespace: pod.namespace, pod: pod.name, name: container.name, isPrevious: container.isPrevious },
  };
}

function progressOf(view: RolloutView): RolloutProgress {
  const { newPods, oldPods, workload, isObserved } = view;
  const desired =
    workload.kind === 'DaemonSet' ? (workload.status?.desiredNumberScheduled ?? 0) : view.replicas;
  const available = isObserved
    ? (view.newRevision?.status?.availableReplicas ?? newPods.filter(({ isReady }) => isReady).length)
    : 0;
  return {
    desired,
    updated: newPods.length,
    ready: newPods.filter(({ isReady }) => isReady).length,
    available,
    old: oldPods.length,
  };
}

function sayOthers({ workload }: ObservedRollout): Words {
  const name = readWorkload(workload) === undefined ? 'was deleted' : 'was changed by someone else';
  return {
    wrong: name,
    seen: ['its Pod template is no longer the one that was applied here'],
    fix: 'Leave this rollout to whoever did',
  };
}

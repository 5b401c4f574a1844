import {
  countPlaces,
  explainPod,
  InvalidObjectError,
  type Pod,
  parsePod,
  renderReason,
} from '@sophia/scheduling';
import type { Cause } from './cause.ts';
import { explainSurgeDeadlock, gpuSurgeDeadlock } from './causes/gpu-surge-deadlock.ts';
import { unknown } from './causes/unknown.ts';
import { count, list, shorten } from './finding-text.ts';
import type { LivePod } from './live-pod.ts';
import {
  isControllerMoving,
  leavingUntilMs,
  occupy,
  type PlacedPod,
  type RolloutView,
} from './rollout-view.ts';
import { findPlacementCause } from './shortage.ts';
import type { Proof, Sign } from './sign.ts';
import { strategyOf } from './workload.ts';

/** Nodes, Pods and ReplicaSets come over watches of their own, one a little later than another. */
const settleMs = 2_000;
/** An autoscaler looks about every ten seconds; if it will do nothing it may say so or not. */
const autoscalerSilenceMs = 30_000;
/** From the decision for a node until it has booted. */
const nodeBootMs = 600_000;
/** The scheduler writes its verdict in less than a second. */
const schedulerSilenceMs = 10_000;

/** Why new Pods have no node, by an explanation of its own: the scheduler's word is only the signal that it is so. */
export function explainPending(
  view: RolloutView,
): { readonly cause: Cause; readonly sign: Sign } | undefined {
  const pending = view.newPods.filter(({ nodeName }) => nodeName === undefined);
  const [first] = pending.filter(({ unscheduled }) => unscheduled?.reason === 'Unschedulable');
  if (first === undefined) return explainSilence(pending, view);
  const pod = read(first);
  if (pod === undefined || view.nodes.length === 0) return { cause: unknown, sign: quoteScheduler(first) };
  if (first.nominatedNodeName !== undefined) {
    return waitFor(pending, `a preemption makes room on node ${first.nominatedNodeName}`, undefined);
  }
  return (
    findRoomNow(view, pod, pending) ?? findRoomSoon(view, pod, pending) ?? explainShortage(view, pod, pending)
  );
}

type Found = { readonly cause: Cause; readonly sign: Sign };

function read({ document }: LivePod): Pod | undefined {
  try {
    return parsePod(document);
  } catch (error) {
    if (error instanceof InvalidObjectError) return undefined;
    throw error;
  }
}

function explainSilence(pending: readonly LivePod[], view: RolloutView): Found | undefined {
  const gated = pending.find(({ unscheduled }) => unscheduled?.reason === 'SchedulingGated');
  if (gated !== undefined) return waitFor(pending, 'a scheduling gate holds it', undefined);
  const silent = pending.find(
    ({ unscheduled, createdMs }) =>
      unscheduled === undefined &&
      createdMs !== undefined &&
      view.observed.nowMs - createdMs >= schedulerSilenceMs,
  );
  if (silent === undefined) return undefined;
  const sign: Sign = {
    words: {
      wrong: 'is not scheduled',
      seen: [`no scheduler has looked at Pod ${silent.name} in ${schedulerSilenceMs / 1_000} s`],
      fix: 'Check spec.schedulerName and the scheduler',
    },
    proof: { kind: 'open' },
    isNodeBound: false,
  };
  return { cause: unknown, sign };
}

function quoteScheduler(pod: LivePod): Sign {
  return {
    words: {
      wrong: 'cannot place its Pod',
      seen: [`the scheduler says of ${pod.name}: ${shorten(pod.unscheduled?.message ?? '', 110)}`],
      fix: '',
      details: [shorten(pod.unscheduled?.message ?? '', 1_000)],
    },
    proof: { kind: 'open' },
    isNodeBound: false,
  };
}

function waitFor(
  pending: readonly LivePod[],
  what: string,
  untilMs: number | undefined,
  cause: Cause = unknown,
): Found {
  const sign: Sign = {
    words: {
      wrong: 'waits for room',
      seen: [`${count(pending.length, 'Pod')} pending, ${what}`],
      fix: '',
      details: pending.map(
        ({ name, unscheduled }) => `Pod ${name}: ${shorten(unscheduled?.message ?? '', 500)}`,
      ),
    },
    proof: untilMs === undefined ? { kind: 'waiting' } : { kind: 'waiting', untilMs },
    isNodeBound: false,
  };
  return { cause, sign };
}

/** The scheduler looks again within seconds to minutes; where what isn't judged here decides, its word stands. */
function findRoomNow(view: RolloutView, pod: Pod, pending: readonly LivePod[]): Found | undefined {
  const verdicts = explainPod(
    pod,
    occupy(view, () => true),
  );
  const fitting = verdicts.filter(({ kind }) => kind === 'fits').map(({ node }) => node);
  if (fitting.length > 0) return waitFor(pending, `the scheduler will find ${list(fitting, 2)}`, undefined);
  const unsure = verdicts.find(({ kind }) => kind === 'may');
  const [first] = pending;
  if (unsure === undefined || first === undefined) return undefined;
  const sign = quoteScheduler(first);
  const reasons = unsure.reasons.map((reason) => renderReason(unsure.node, reason));
  return {
    cause: unknown,
    sign: {
      ...sign,
      words: { ...sign.words, details: [...(sign.words.details ?? []), ...reasons] },
      nodes: verdicts,
    },
  };
}

/** Pods that are ending hold their GPUs until they are gone, which the kubelet makes sure of. */
function findRoomSoon(view: RolloutView, pod: Pod, pending: readonly LivePod[]): Found | undefined {
  const lacking = () => {
    const present = occupy(view, () => true);
    return findPlacementCause(pod, pending.length, present, countPlaces(pod, present), [], view.workload.kind)
      .cause;
  };
  const leaving = view.pods.filter(({ deletionMs }) => leavingUntilMs(deletionMs, view) !== undefined);
  const places = countPlaces(
    pod,
    occupy(view, (entry) => !leaving.includes(entry)),
  );
  if (places.count > 0 && leaving.length > 0) {
    const nodes = leaving.filter((entry) => places.byNode.has(entry.pod.nodeName ?? ''));
    const untilMs = Math.max(...nodes.map(({ deletionMs }) => leavingUntilMs(deletionMs, view) ?? 0));
    const names = nodes.map((entry) => `${entry.pod.namespace}/${entry.pod.name}`);
    return waitFor(
      pending,
      `${list(names, 2)} ${names.length === 1 ? 'is' : 'are'} ending`,
      untilMs,
      lacking(),
    );
  }
  return isControllerMoving(view)
    ? waitFor(pending, 'old Pods are about to go', undefined, lacking())
    : undefined;
}

function explainShortage(view: RolloutView, pod: Pod, pending: readonly LivePod[]): Found {
  const { workload, oldPods } = view;
  // One that should be gone by now is held by a node that doesn't answer.
  const staying = oldPods.filter(({ deletionMs }) => deletionMs === undefined);
  const old = new Set(staying.map(({ namespace, name }) => `${namespace}/${name}`));
  const isOld = ({ pod: other }: PlacedPod) => old.has(`${other.namespace}/${other.name}`);
  // A StatefulSet's other Pods stay until this one is ready.
  const makesWay = workload.kind === 'Deployment';
  const emptied = occupy(
    view,
    (entry) => leavingUntilMs(entry.deletionMs, view) === undefined && !(makesWay && isOld(entry)),
  );
  const places = countPlaces(pod, emptied);
  if (places.count >= pending.length) return explainDeadlock(view, pod, pending);
  const { cause, facet, shortage, words } = findPlacementCause(
    pod,
    pending.length,
    emptied,
    places,
    [],
    workload.kind,
  );
  const proof = prove(view, pending, facet.settleMs?.(shortage) ?? settleMs, facet.endsWithNewNode);
  return {
    cause,
    sign: { words, proof, isNodeBound: false, nodes: shortage.nodes.map(({ verdict }) => verdict) },
  };
}

/** Old Pods hold the room, and their controller doesn't let go of them before new ones are available. */
function explainDeadlock(view: RolloutView, pod: Pod, pending: readonly LivePod[]): Found {
  const { workload, replicas, newPods, pods } = view;
  const strategy = strategyOf(workload) ?? { kind: 'recreate' };
  // One that is placed may become available, or be counted so, and then an old one goes.
  const placed = newPods.filter(({ nodeName }) => nodeName !== undefined).length;
  if (placed > (view.newRevision?.status?.availableReplicas ?? 0)) {
    return waitFor(pending, 'others are starting', undefined);
  }
  const old = new Set(view.oldPods.map(({ uid }) => uid));
  const oldPods = pods.filter((entry) => old.has(entry.uid)).map((entry) => entry.pod);
  const plan = {
    replicas,
    newPod: pod,
    oldPods,
    nodes: occupy(view, (entry) => entry.pod.name !== pod.name || entry.pod.namespace !== pod.namespace),
  };
  return {
    cause: gpuSurgeDeadlock,
    sign: {
      words: explainSurgeDeadlock(plan, strategy),
      proof: prove(view, pending, settleMs, true),
      isNodeBound: false,
      nodes: explainPod(pod, plan.nodes),
    },
  };
}

function prove(
  view: RolloutView,
  pending: readonly LivePod[],
  lastingMs: number,
  endsWithNewNode: boolean,
): Proof {
  if (lastingMs === Number.POSITIVE_INFINITY) return { kind: 'waiting' };
  // What was asked for has its places; an autoscaler of Pods has asked for more since.
  const asked = view.memory.replicas ?? view.replicas;
  const placed = view.newPods.filter(({ nodeName }) => nodeName !== undefined).length;
  if (view.replicas > asked && placed >= asked) return { kind: 'open' };
  if (!view.observed.hasAutoscaler || !endsWithNewNode) return { kind: 'lasting', forMs: lastingMs };
  return proveBesideAutoscaler(view, pending, lastingMs);
}

function proveBesideAutoscaler(view: RolloutView, pending: readonly LivePod[], lastingMs: number): Proof {
  const uids = new Set(pending.map(({ uid }) => uid));
  const said = view.events
    .filter(({ uid }) => uids.has(uid))
    .toSorted((left, right) => right.lastMs - left.lastMs)
    .find(
      ({ reason }) =>
        reason === 'NotTriggerScaleUp' || reason === 'TriggeredScaleUp' || reason === 'Nominated',
    );
  if (said === undefined) return { kind: 'lasting', forMs: Math.max(lastingMs, autoscalerSilenceMs) };
  const untilMs = said.lastMs + nodeBootMs;
  const isComing = said.reason !== 'NotTriggerScaleUp' && untilMs > view.observed.nowMs;
  return isComing ? { kind: 'waiting', untilMs } : { kind: 'lasting', forMs: lastingMs };
}

import type { ImagePlatforms } from './architecture.ts';
import { countPlaces, explainPod } from './fit.ts';
import type { OccupiedNode } from './node.ts';
import type { Pod } from './pod.ts';
import { podRequest } from './pod-request.ts';
import { type RollingNode, searchRolling } from './rolling-search.ts';
import { type Fenceposts, predictSurge, type SurgeOutcome } from './surge.ts';

/** How a Deployment replaces its Pods, with limits in Pods. */
export type Strategy = ({ readonly kind: 'rolling' } & Fenceposts) | { readonly kind: 'recreate' };

/** A Deployment's update that hasn't begun, on the cluster as it is. */
export type RolloutPlan = {
  readonly replicas: number;
  readonly newPod: Pod;
  /** All of the same Deployment; those that hold a node are among the Pods of `nodes` as well. */
  readonly oldPods: readonly Pod[];
  readonly nodes: readonly OccupiedNode[];
  /** Platforms of the new Pod's images, where known. */
  readonly images?: readonly ImagePlatforms[];
};

/** What becomes of a rollout. */
export type RolloutOutlook = {
  /** `may-end`: it depends on what isn't judged here, or on which of equal Pods the cluster picks. */
  readonly outcome: SurgeOutcome | 'may-end';
  /** New Pods that can be placed with every old one left. */
  readonly placesNow: number;
  /** New Pods that can be placed with all old ones gone. */
  readonly placesAtEnd: number;
  /** Places on nodes were counted that may turn out not to fit. */
  readonly isUpperBound: boolean;
  /** Whether a new Pod fits wherever an old one is: then the outcome is exact, else it was searched for. */
  readonly isSameShape: boolean;
};

/** A way to roll out that can end, and what it asks for. */
export type WorkingStrategy = {
  readonly strategy: Strategy;
  readonly outlook: RolloutOutlook;
  /** The most Pods there are at once, those that end among them. */
  readonly peakPods: number;
  /** Pods that serve at the worst moment. */
  readonly leastAvailable: number;
};

/**
 * Predicts whether a rollout can end. Pods that are ending already are taken as gone: their places come free within
 * their grace period. A StatefulSet, which deletes before it makes, is `rolling` with surge 0 and unavailable 1.
 */
export function predictRollout(plan: RolloutPlan, strategy: Strategy): RolloutOutlook {
  return predictOn(survey(plan), plan, strategy);
}

function predictOn(ground: Ground, plan: RolloutPlan, strategy: Strategy): RolloutOutlook {
  const { placesNow, placesAtEnd, isUpperBound, isSameShape } = ground;
  const outcome = placesAtEnd < plan.replicas ? 'too-few-places' : judge(plan, strategy, ground);
  return {
    outcome: outcome === 'ends' && isUpperBound ? 'may-end' : outcome,
    placesNow,
    placesAtEnd,
    isUpperBound,
    isSameShape,
  };
}

/**
 * Finds the strategies that can end, the gentlest first: as much surge as there is room for, then one Pod less at a
 * time, then all at once. Empty when there is no room for the new Pods even without the old ones.
 */
export function findWorkingStrategies(plan: RolloutPlan): readonly WorkingStrategy[] {
  const { replicas } = plan;
  const ground = survey(plan);
  const surge = Math.min(ground.placesNow, replicas);
  const candidates: (Omit<WorkingStrategy, 'outlook'> & { readonly isSensible: boolean })[] = [
    {
      strategy: { kind: 'rolling', surge, unavailable: 0 },
      peakPods: replicas + surge,
      leastAvailable: replicas,
      isSensible: surge > 0,
    },
    {
      strategy: { kind: 'rolling', surge: 0, unavailable: 1 },
      peakPods: replicas,
      leastAvailable: replicas - 1,
      isSensible: replicas > 1,
    },
    { strategy: { kind: 'recreate' }, peakPods: replicas, leastAvailable: 0, isSensible: true },
  ];
  return candidates
    .filter(({ isSensible }) => isSensible)
    .map(({ isSensible: _, ...candidate }) => ({
      ...candidate,
      outlook: predictOn(ground, plan, candidate.strategy),
    }))
    .filter(({ outlook }) => outlook.outcome === 'ends' || outlook.outcome === 'may-end');
}

type Ground = {
  readonly placesNow: number;
  readonly placesAtEnd: number;
  readonly isUpperBound: boolean;
  readonly isSameShape: boolean;
  readonly held: number;
  readonly nodes: readonly OccupiedNode[];
};

function survey({ newPod, oldPods, nodes, images }: RolloutPlan): Ground {
  const staying = nodes.map(({ node, pods }) => ({
    node,
    pods: pods.filter(({ isTerminating }) => !isTerminating),
  }));
  const old = new Set(oldPods.filter(isHolding).map(identify));
  const withoutOld = staying.map(({ node, pods }) => ({
    node,
    pods: pods.filter((pod) => !old.has(identify(pod))),
  }));
  const now = countPlaces(newPod, staying, images);
  const atEnd = countPlaces(newPod, withoutOld, images);
  return {
    placesNow: now.count,
    placesAtEnd: atEnd.count,
    isUpperBound: now.isUpperBound || atEnd.isUpperBound,
    isSameShape: isSameShape(newPod, oldPods.filter(isHolding), withoutOld, images),
    held: old.size,
    nodes: staying,
  };
}

function isHolding(pod: Pod): boolean {
  return pod.nodeName !== undefined && isLasting(pod);
}

function isLasting({ isTerminating, phase }: Pod): boolean {
  return !isTerminating && phase !== 'Succeeded' && phase !== 'Failed';
}

function identify({ namespace, name }: Pod): string {
  return `${namespace}/${name}`;
}

function isSameShape(
  newPod: Pod,
  oldPods: readonly Pod[],
  emptied: readonly OccupiedNode[],
  images: readonly ImagePlatforms[] | undefined,
): boolean {
  const verdicts = new Map(
    explainPod(newPod, emptied, images).map((verdict) => [verdict.node, verdict.kind]),
  );
  const asked = podRequest(newPod);
  return oldPods.every((old) => {
    const held = podRequest(old);
    return (
      (verdicts.get(old.nodeName ?? '') ?? 'misfit') !== 'misfit' &&
      [...asked].every(([resource, amount]) => amount <= (held.get(resource) ?? 0n)) &&
      newPod.hostPorts.every((port) => old.hostPorts.some((taken) => taken.port === port.port))
    );
  });
}

function judge(plan: RolloutPlan, strategy: Strategy, ground: Ground): RolloutOutlook['outcome'] {
  if (strategy.kind === 'recreate') return 'ends';
  const { surge, unavailable } = strategy;
  const { replicas } = plan;
  if (ground.isSameShape) {
    return predictSurge({
      replicas,
      surge,
      unavailable,
      held: ground.held,
      free: ground.placesNow,
    });
  }
  const old = new Set(plan.oldPods.filter(isHolding).map(identify));
  const nodes = ground.nodes.map((occupied) => toRollingNode(plan, old, occupied));
  const unplaced = plan.oldPods.filter((pod) => isLasting(pod) && pod.nodeName === undefined).length;
  const { finished, stuck } = searchRolling({ replicas, surge, unavailable, unplaced, nodes });
  if (finished === stuck) return 'may-end';
  return finished ? 'ends' : 'surge-deadlock';
}

/** Old Pods of one template are alike; where they are not, those that free least are taken to go first. */
function toRollingNode(
  { newPod, images }: RolloutPlan,
  names: ReadonlySet<string>,
  occupied: OccupiedNode,
): RollingNode {
  const old = occupied.pods.filter((pod) => names.has(identify(pod)));
  const others = occupied.pods.filter((pod) => !names.has(identify(pod)));
  const room = Array.from(
    { length: old.length + 1 },
    (_, left) =>
      countPlaces(
        newPod,
        [{ node: occupied.node, pods: [...others, ...old.slice(old.length - left)] }],
        images,
      ).count,
  );
  return { old: old.length, room };
}

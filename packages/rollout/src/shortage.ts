import {
  explainPod,
  type ImagePlatforms,
  type OccupiedNode,
  type Places,
  type Pod,
  podRequest,
  type Reason,
  renderReason,
} from '@sophia/scheduling';
import type { Candidate, Cause, PlacementFacet, Shortage } from './cause.ts';
import { CAUSES } from './causes.ts';
import type { Words } from './finding-text.ts';

/** Why there is no place for all Pods: the cause that weighs most on the nodes that come nearest. */
export type PlacementCause = {
  readonly cause: Cause;
  readonly facet: PlacementFacet;
  readonly shortage: Shortage;
  readonly words: Words;
};

/**
 * Finds why not all Pods find a place.
 *
 * @param nodes As they are once all that can go is gone.
 * @param places Where Pods find a place there, from `countPlaces`; the cause is what is against one Pod more.
 * @param kind Of the workload.
 */
export function findPlacementCause(
  pod: Pod,
  wanted: number,
  nodes: readonly OccupiedNode[],
  places: Places,
  images: readonly ImagePlatforms[],
  kind: string | undefined,
): PlacementCause {
  const filled = fill(pod, wanted, nodes, places);
  const verdicts = explainPod(pod, filled, images);
  const candidates = filled.flatMap((occupied, index): readonly Candidate[] => {
    const verdict = verdicts[index];
    return verdict === undefined ? [] : [{ occupied, verdict }];
  });
  const shortage: Shortage = {
    pod,
    request: podRequest(pod),
    wanted,
    placed: Math.min(places.count, wanted),
    hasReplicas: kind === 'Deployment' || kind === 'StatefulSet',
    nodes: candidates,
    nearest: findNearest(candidates.filter(({ verdict }) => verdict.kind === 'misfit')),
  };
  return nameCause(shortage);
}

/** Puts copies of the Pod where they fit, without names so that none is taken for the Pod itself or for a holder. */
function fill(
  pod: Pod,
  wanted: number,
  nodes: readonly OccupiedNode[],
  places: Places,
): readonly OccupiedNode[] {
  let left = wanted;
  return nodes.map(({ node, pods }) => {
    const copies = Math.min(left, places.byNode.get(node.name) ?? 0);
    left -= copies;
    const copy: Pod = { ...pod, name: '', nodeName: node.name, phase: 'Pending' };
    return { node, pods: [...pods, ...Array.from({ length: copies }, () => copy)] };
  });
}

type Obstacle = { readonly cause: Cause; readonly facet: PlacementFacet; readonly weight: number };

function findObstacle(reason: Reason): Obstacle | undefined {
  for (const cause of CAUSES) {
    const facet = cause.placement;
    const weight = facet?.weigh(reason);
    if (facet !== undefined && weight !== undefined) return { cause, facet, weight };
  }
  return undefined;
}

function weighAll({ verdict }: Candidate): number {
  return verdict.reasons.reduce((sum, reason) => sum + (findObstacle(reason)?.weight ?? 0), 0);
}

function findNearest(candidates: readonly Candidate[]): readonly Candidate[] {
  const weighed = candidates.map((candidate) => ({ candidate, weight: weighAll(candidate) }));
  const least = weighed.reduce((lowest, { weight }) => Math.min(lowest, weight), Number.POSITIVE_INFINITY);
  return weighed.filter(({ weight }) => weight === least).map(({ candidate }) => candidate);
}

function nameCause(shortage: Shortage): PlacementCause {
  const obstacles = shortage.nearest
    .flatMap(({ verdict }) => verdict.reasons.flatMap((reason) => findObstacle(reason) ?? []))
    .toSorted((left, right) => right.weight - left.weight);
  const heaviest = obstacles.filter(({ weight }) => weight === obstacles[0]?.weight);
  const meant = new Set(heaviest.map(({ cause }) => cause));
  for (const cause of CAUSES) {
    const facet = cause.placement;
    if (facet === undefined || !(meant.has(cause) || sharesReason(facet, shortage, heaviest))) continue;
    const words = facet.describe(shortage);
    if (words !== undefined) return { cause, facet, shortage, words: withNodes(words, shortage) };
  }
  const last = CAUSES.at(-1);
  const facet = last?.placement;
  if (last === undefined || facet === undefined) throw new Error('The list of causes has no last one.');
  const words = facet.describe(shortage) ?? { wrong: 'cannot place its Pods', seen: [], fix: '' };
  return { cause: last, facet, shortage, words: withNodes(words, shortage) };
}

/** Two causes may stand for the same reason, told apart by the whole: the second is asked when the first declines. */
function sharesReason(facet: PlacementFacet, { nearest }: Shortage, heaviest: readonly Obstacle[]): boolean {
  const weight = heaviest[0]?.weight;
  return nearest.some(({ verdict }) => verdict.reasons.some((reason) => facet.weigh(reason) === weight));
}

const mostNodes = 20;

/** Adds a line for each node, the nearest first. */
function withNodes(words: Words, { nearest, nodes }: Shortage): Words {
  const near = new Set(nearest);
  const ordered = [...nearest, ...nodes.filter((candidate) => !near.has(candidate))];
  const lines = ordered
    .slice(0, mostNodes)
    .flatMap(({ occupied, verdict }) =>
      verdict.reasons.map((reason) => renderReason(occupied.node.name, reason)),
    );
  const rest = ordered.length - mostNodes;
  const more = rest > 0 ? [`${rest} more nodes don't suit either.`] : [];
  return { ...words, details: [...(words.details ?? []), ...lines, ...more] };
}

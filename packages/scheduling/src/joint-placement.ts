import type { ImagePlatforms } from './architecture.ts';
import { explainPod } from './fit.ts';
import type { OccupiedNode } from './node.ts';
import type { Pod } from './pod.ts';

/** Equal Pods that have to be placed beside those of other groups. */
export type PodGroup = {
  readonly pod: Pod;
  readonly count: number;
  readonly images?: readonly ImagePlatforms[];
};

/**
 * Where the Pods of several groups go when all are placed at once. `none`: every way was tried, and there is none.
 * `unknown`: trying every way would take too long; the places of `byGroup` are the most that were found.
 */
export type JointPlacement = {
  readonly kind: 'found' | 'none' | 'unknown';
  /** For each group its Pods by node; of the try that placed most where not all found a place. */
  readonly byGroup: readonly ReadonlyMap<string, number>[];
};

const MOST_TRIES = 5_000;

/**
 * Finds places for all Pods of all groups together. Each group may fit by itself and not beside the others: two
 * Deployments that each want the only GPU of a node.
 *
 * Groups with the fewest nodes to choose from come first; a group's equal Pods are spread over its nodes in order, so
 * no two tries differ only in which of equal Pods is where.
 *
 * @param nodes As they will be once what is replaced is gone.
 */
export function placeJointly(groups: readonly PodGroup[], nodes: readonly OccupiedNode[]): JointPlacement {
  const ordered = groups
    .map((group, index) => ({ group, index, choice: countChoice(group, nodes) }))
    .filter(({ group }) => group.count > 0)
    .sort((a, b) => a.choice - b.choice || b.group.count - a.group.count);
  const search: Search = { tries: 0, best: [], ordered: ordered.map(({ group }) => group) };
  const found = placeFrom(search, 0, 0, 0, nodes, []);
  const placed = found ?? search.best;
  const byGroup = groups.map(() => new Map<string, number>());
  for (const { group, node } of placed) {
    const index = ordered[group]?.index ?? 0;
    const places = byGroup[index];
    places?.set(node, (places.get(node) ?? 0) + 1);
  }
  const isExhausted = search.tries <= MOST_TRIES;
  return { kind: found === undefined ? (isExhausted ? 'none' : 'unknown') : 'found', byGroup };
}

type Place = { readonly group: number; readonly node: string };
type Search = { tries: number; best: readonly Place[]; readonly ordered: readonly PodGroup[] };

function countChoice({ pod, images }: PodGroup, nodes: readonly OccupiedNode[]): number {
  return explainPod(pod, nodes, images).filter(({ kind }) => kind !== 'misfit').length;
}

/** Places the `copy`th Pod of a group and all that follow, on the `firstNode`th node or a later one. */
function placeFrom(
  search: Search,
  group: number,
  copy: number,
  firstNode: number,
  nodes: readonly OccupiedNode[],
  placed: readonly Place[],
): readonly Place[] | undefined {
  if (placed.length > search.best.length) search.best = placed;
  const current = search.ordered[group];
  if (current === undefined) return placed;
  if (copy === current.count) return placeFrom(search, group + 1, 0, 0, nodes, placed);
  search.tries += 1;
  if (search.tries > MOST_TRIES) return undefined;
  const verdicts = explainPod(current.pod, nodes, current.images);
  for (let index = firstNode; index < nodes.length; index += 1) {
    const occupied = nodes[index];
    if (occupied === undefined || verdicts[index]?.kind === 'misfit') continue;
    const pod = { ...current.pod, name: `placed-${group}-${copy}`, nodeName: occupied.node.name };
    const next = nodes.with(index, { ...occupied, pods: [...occupied.pods, pod] });
    const found = placeFrom(search, group, copy + 1, index, next, [
      ...placed,
      { group, node: occupied.node.name },
    ]);
    if (found !== undefined) return found;
  }
  return undefined;
}

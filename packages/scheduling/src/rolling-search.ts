import { nextControllerStep } from './surge.ts';

/**
 * A node as a rolling update sees it.
 *
 * `room[n]`: how many new Pods fit while `n` old ones are left.
 */
export type RollingNode = { readonly old: number; readonly room: readonly number[] };

/** Places and limits of a rolling update; `unplaced`: old Pods that hold no node, and won't. */
export type RollingUpdate = {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly unplaced: number;
  readonly nodes: readonly RollingNode[];
};

/** Which ends can be reached; both `false` when there are too many ways to try them all. */
export type ReachableEnds = { readonly finished: boolean; readonly stuck: boolean };

/** Nodes that are in the same state, so that it makes no difference which of them is next. */
type Group = {
  readonly room: readonly number[];
  readonly old: number;
  readonly fresh: number;
  readonly count: number;
};

type State = { readonly groups: readonly Group[]; readonly unplaced: number; readonly wanted: number };

/** Some tens of milliseconds; a Deployment of four on a dozen nodes needs some hundreds. */
const mostStates = 5_000;

/**
 * Finds how a rolling update can end when a new Pod doesn't fit wherever an old one was. What the cluster leaves open
 * (on which node a Pod is placed, which of equal Pods is deleted, who acts first) is tried in every way.
 *
 * @see `rolloutRolling` in kubernetes `pkg/controller/deployment/rolling.go`; the order of deletion is that of
 *   `ActivePodsWithRanks` in `pkg/controller/controller_utils.go`, with Pods alike in health, cost and age
 */
export function searchRolling(update: RollingUpdate): ReachableEnds {
  const free = update.nodes.reduce((sum, { old, room }) => sum + (room[old] ?? 0), 0);
  // Every new Pod finds a place, whatever becomes of the old ones.
  if (free >= update.replicas) return { finished: true, stuck: false };
  const groups = update.nodes
    .filter(({ old, room }) => old > 0 || (room[0] ?? 0) > 0)
    .map(({ old, room }) => ({ old, room, fresh: 0, count: 1 }));
  return explore({ groups: merge(groups), unplaced: update.unplaced, wanted: 0 }, update);
}

function explore(start: State, update: RollingUpdate): ReachableEnds {
  const ends = { finished: false, stuck: false };
  // A Map also goes through what is added on the way.
  const seen = new Map([[keyOf(start), start]]);
  for (const state of seen.values()) {
    let isEnd = true;
    for (const next of nextStates(state, update)) {
      isEnd = false;
      seen.set(keyOf(next), next);
      if (seen.size > mostStates) return { finished: false, stuck: false };
    }
    if (isEnd) ends[isFinished(state, update) ? 'finished' : 'stuck'] = true;
  }
  return ends;
}

function isFinished(state: State, { replicas }: RollingUpdate): boolean {
  return countOld(state) === 0 && countPlaced(state) >= replicas;
}

function idOf({ room, old, fresh }: Group): string {
  return `${room.join(' ')},${old},${fresh}`;
}

function keyOf({ groups, unplaced, wanted }: State): string {
  return `${unplaced};${wanted};${groups.map((group) => `${idOf(group)}*${group.count}`).join(';')}`;
}

/** Puts equal nodes into one group each, in an order that depends on nothing else. */
function merge(groups: readonly Group[]): readonly Group[] {
  const merged = new Map<string, Group>();
  for (const group of groups) {
    if (group.count === 0) continue;
    const id = idOf(group);
    merged.set(id, { ...group, count: group.count + (merged.get(id)?.count ?? 0) });
  }
  return [...merged].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group);
}

function countPlaced({ groups }: State): number {
  return groups.reduce((sum, { fresh, count }) => sum + fresh * count, 0);
}

/** Replicas that the old ReplicaSet still wants. */
function countOld({ groups, unplaced }: State): number {
  return groups.reduce((sum, { old, count }) => sum + old * count, unplaced);
}

function* nextStates(state: State, update: RollingUpdate): Generator<State> {
  const placed = countPlaced(state);
  if (placed < state.wanted) yield* placeOne(state);
  const oldPods = countOld(state);
  const step = nextControllerStep(update, {
    oldPods,
    oldAvailable: oldPods - state.unplaced,
    newPods: state.wanted,
    newAvailable: placed,
  });
  if (step.kind === 'scale-up') yield { ...state, wanted: state.wanted + step.by };
  if (step.kind !== 'scale-down') return;
  // Pods without a node go first, whatever the controller had in mind.
  const unplaced = Math.min(step.by, state.unplaced);
  for (const groups of deleteOld(state.groups, step.by - unplaced)) {
    yield { ...state, unplaced: state.unplaced - unplaced, groups: merge(groups) };
  }
}

function* placeOne(state: State): Generator<State> {
  for (const [index, group] of state.groups.entries()) {
    if (group.fresh >= (group.room[group.old] ?? 0)) continue;
    const groups = state.groups.with(index, { ...group, count: group.count - 1 });
    yield { ...state, groups: merge([...groups, { ...group, fresh: group.fresh + 1, count: 1 }]) };
  }
}

/** Deletes old Pods, those on the most crowded nodes first; the crowd is counted once, before the first goes. */
function* deleteOld(groups: readonly Group[], count: number): Generator<readonly Group[]> {
  const byCrowd = Map.groupBy(groups, ({ old, fresh }) => old + fresh);
  const crowds = [...byCrowd.keys()].sort((left, right) => right - left);
  const done: Group[] = [];
  let left = count;
  for (const crowd of crowds) {
    const tier = byCrowd.get(crowd) ?? [];
    const present = tier.reduce((sum, { old, count: nodes }) => sum + old * nodes, 0);
    if (left > 0 && left < present) {
      const later = crowds.filter((other) => other < crowd).flatMap((other) => byCrowd.get(other) ?? []);
      for (const taken of takeFrom(tier, left)) yield [...done, ...taken, ...later];
      return;
    }
    done.push(...tier.map((group) => (left > 0 ? { ...group, old: 0 } : group)));
    left -= Math.min(left, present);
  }
  yield done;
}

/** All ways to take `count` old Pods from these nodes; equal nodes give in order, the most generous first. */
function* takeFrom(
  groups: readonly Group[],
  count: number,
  most = Number.POSITIVE_INFINITY,
): Generator<readonly Group[]> {
  const [group, ...others] = groups;
  if (count === 0) yield groups;
  if (count === 0 || group === undefined) return;
  for (let taken = Math.min(count, group.old, most); taken > 0; taken -= 1) {
    const given = { ...group, old: group.old - taken, count: 1 };
    const rest = { ...group, count: group.count - 1 };
    const isLast = rest.count === 0;
    const ways = isLast ? takeFrom(others, count - taken) : takeFrom([rest, ...others], count - taken, taken);
    for (const way of ways) yield [given, ...way];
  }
  for (const way of takeFrom(others, count)) yield [group, ...way];
}

import { nextControllerStep } from './surge.ts';

/**
 * A node as a rolling update sees it.
 *
 * `room[n]`: how many new Pods fit while `n` old ones are left.
 */
export type RollingNode = { readonly old: number; readonly room: readonly number[] };

/** Places and limits of a rolling update; `unplaced`: old Pods that hold no node. */
export type RollingUpdate = {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly unplaced: number;
  readonly nodes: readonly RollingNode[];
};

/** Which ends can be reached; both `false` when the search was given up. */
export type ReachableEnds = { readonly finished: boolean; readonly stuck: boolean };

type Place = { readonly room: readonly number[]; readonly old: number; readonly fresh: number };
type State = { readonly places: readonly Place[]; readonly unplaced: number; readonly wanted: number };

/** About a quarter of a second; a fleet's own Deployments need some hundreds. */
const mostStates = 20_000;

/**
 * Finds how a rolling update can end when a new Pod doesn't fit wherever an old one was. What the cluster leaves open
 * (on which node a Pod is placed, which of equal Pods is deleted, who acts first) is tried in every way.
 *
 * @see `rolloutRolling` in kubernetes `pkg/controller/deployment/rolling.go`; the order of deletion is that of
 *   `ActivePodsWithRanks` in `pkg/controller/controller_utils.go`, with Pods alike in health, cost and age
 */
export function searchRolling(update: RollingUpdate): ReachableEnds {
  const start: State = {
    places: update.nodes.map(({ old, room }) => ({ old, room, fresh: 0 })),
    unplaced: update.unplaced,
    wanted: 0,
  };
  const seen = new Set<string>();
  const waiting = [start];
  let finished = false;
  let stuck = false;
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const key = keyOf(state);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > mostStates) return { finished: false, stuck: false };
    const next = [...placeOne(state), ...controllerSteps(state, update)];
    waiting.push(...next);
    if (next.length > 0) continue;
    if (oldOf(state) === 0 && placedOf(state) >= update.replicas) finished = true;
    else stuck = true;
    if (finished && stuck) break;
  }
  return { finished, stuck };
}

/** Equal nodes are interchangeable. */
function keyOf({ places, unplaced, wanted }: State): string {
  const each = places.map(({ old, fresh, room }) => `${old},${fresh},${room.join(' ')}`).sort();
  return `${unplaced};${wanted};${each.join(';')}`;
}

function placedOf({ places }: State): number {
  return places.reduce((sum, { fresh }) => sum + fresh, 0);
}

/** Replicas that the old ReplicaSet still wants. */
function oldOf({ places, unplaced }: State): number {
  return places.reduce((sum, { old }) => sum + old, unplaced);
}

function placeOne(state: State): readonly State[] {
  if (placedOf(state) >= state.wanted) return [];
  return state.places.flatMap((place, index) =>
    place.fresh < (place.room[place.old] ?? 0)
      ? [{ ...state, places: state.places.with(index, { ...place, fresh: place.fresh + 1 }) }]
      : [],
  );
}

function controllerSteps(state: State, update: RollingUpdate): readonly State[] {
  const oldPods = oldOf(state);
  const step = nextControllerStep(update, {
    oldPods,
    oldAvailable: oldPods - state.unplaced,
    newPods: state.wanted,
    newAvailable: placedOf(state),
  });
  if (step.kind === 'wait') return [];
  if (step.kind === 'scale-up') return [{ ...state, wanted: state.wanted + step.by }];
  // Pods without a node go first, whatever the controller had in mind.
  const unplaced = Math.min(step.by, state.unplaced);
  return deleteOld({ ...state, unplaced: state.unplaced - unplaced }, step.by - unplaced);
}

/** Deletes old Pods, those on the most crowded nodes first; the crowd is counted once, before the first goes. */
function deleteOld(state: State, count: number): readonly State[] {
  const crowds = state.places.map(({ old, fresh }) => old + fresh);
  const byCrowd = Map.groupBy([...state.places.keys()], (index) => crowds[index] ?? 0);
  let states: readonly State[] = [state];
  let left = count;
  for (const crowd of [...byCrowd.keys()].sort((a, b) => b - a)) {
    const indexes = byCrowd.get(crowd) ?? [];
    const present = indexes.reduce((sum, index) => sum + (state.places[index]?.old ?? 0), 0);
    const taken = Math.min(left, present);
    states = states.flatMap((from) => takeFrom(from, indexes, taken));
    left -= taken;
    if (left === 0) break;
  }
  return states;
}

/** All ways to take `count` old Pods from these nodes. */
function takeFrom(state: State, indexes: readonly number[], count: number): readonly State[] {
  const [index, ...others] = indexes;
  if (index === undefined) return count === 0 ? [state] : [];
  const place = state.places[index];
  if (place === undefined) return [];
  const ways: State[] = [];
  for (let taken = 0; taken <= Math.min(count, place.old); taken += 1) {
    const places = state.places.with(index, { ...place, old: place.old - taken });
    ways.push(...takeFrom({ ...state, places }, others, count - taken));
  }
  return ways;
}

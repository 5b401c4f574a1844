/**
 * A Deployment's rolling update played out in every possible order, one Pod and one controller step at a time. The
 * oracle for what `packages/scheduling` predicts; shares no code with it.
 *
 * Written from kubernetes 1.37 `pkg/controller/deployment/rolling.go` (`reconcileNewReplicaSet`,
 * `reconcileOldReplicaSets`) and `pkg/controller/controller_utils.go` (`ActivePodsWithRanks`: without a node, not ready,
 * more neighbours of the Deployment, then by what is taken as chance here).
 */
export type SimulatedUpdate = {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
  /** GPUs that an old and a new Pod take. */
  readonly oldSize: number;
  readonly newSize: number;
  readonly nodes: readonly SimulatedNode[];
  /** Old Pods that hold no node yet. */
  readonly oldPending: number;
};

export type SimulatedNode = {
  /** GPUs of the node that this Deployment may have. */
  readonly gpus: number;
  /** Old Pods on it that are ready, and that never will be. */
  readonly oldReady: number;
  readonly oldBroken: number;
  /** Whether the node's labels and taints let new and old Pods in. */
  readonly takesNew: boolean;
  readonly takesOld: boolean;
};

export type SimulatedEnds = { readonly finished: boolean; readonly stuck: boolean; readonly states: number };

/** Fields of a node in the flat state. */
const OLD_READY = 0;
const OLD_BROKEN = 1;
const OLD_ENDING = 2;
const NEW_STARTING = 3;
const NEW_READY = 4;
const FIELDS = 5;

/** `[old pending, new pending, then FIELDS counts for each node]`. */
type State = readonly number[];

const TAIL = 2;

export function simulateRollout(update: SimulatedUpdate): SimulatedEnds {
  const start = [
    update.oldPending,
    0,
    ...update.nodes.flatMap(({ oldReady, oldBroken }) => [oldReady, oldBroken, 0, 0, 0]),
  ];
  const seen = new Set([keyOf(start)]);
  const stack: State[] = [start];
  let finished = false;
  let stuck = false;
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const next = findNext(state, update);
    if (next.length === 0) {
      const done = countOld(state) === 0 && sum(state, NEW_READY) === update.replicas;
      finished ||= done;
      stuck ||= !done;
    }
    for (const candidate of next) {
      const key = keyOf(candidate);
      if (seen.has(key)) continue;
      seen.add(key);
      stack.push(candidate);
    }
  }
  return { finished, stuck, states: seen.size };
}

/** All that may happen next. */
function findNext(state: State, update: SimulatedUpdate): readonly State[] {
  const next: State[] = [...reconcile(state, update)];
  for (let node = 0; node < update.nodes.length; node += 1) {
    schedule(state, update, node, next);
    if (at(state, node, NEW_STARTING) > 0) {
      next.push(change(state, [indexOf(node, NEW_STARTING), -1], [indexOf(node, NEW_READY), 1]));
    }
    if (at(state, node, OLD_ENDING) > 0) next.push(change(state, [indexOf(node, OLD_ENDING), -1]));
  }
  return next;
}

/** Counts stay below 32, so a few of them fit a number; comparing text would take most of the time. */
function keyOf(state: State): number | string {
  return state.length > 10 ? state.join() : state.reduce((key, count) => key * 32 + count, 0);
}

function at(state: State, node: number, field: number): number {
  return state[TAIL + node * FIELDS + field] ?? 0;
}

function change(state: State, ...changes: readonly (readonly [index: number, by: number])[]): State {
  const copy = [...state];
  for (const [index, by] of changes) copy[index] = (copy[index] ?? 0) + by;
  return copy;
}

function indexOf(node: number, field: number): number {
  return TAIL + node * FIELDS + field;
}

function nodesOf(state: State): readonly number[] {
  return Array.from({ length: (state.length - TAIL) / FIELDS }, (_, node) => node);
}

function sum(state: State, field: number): number {
  let total = 0;
  for (let index = TAIL + field; index < state.length; index += FIELDS) total += state[index] ?? 0;
  return total;
}

/** `spec.replicas` of the old and of the new ReplicaSet: every Pod that isn't ending. */
function countOld(state: State): number {
  return (state[0] ?? 0) + sum(state, OLD_READY) + sum(state, OLD_BROKEN);
}

function countNew(state: State): number {
  return (state[1] ?? 0) + sum(state, NEW_STARTING) + sum(state, NEW_READY);
}

function schedule(
  state: State,
  { nodes, oldSize, newSize }: SimulatedUpdate,
  node: number,
  next: State[],
): void {
  const [oldPending = 0, newPending = 0] = state;
  const { gpus = 0, takesNew = false, takesOld = false } = nodes[node] ?? {};
  const oldHere = at(state, node, OLD_READY) + at(state, node, OLD_BROKEN) + at(state, node, OLD_ENDING);
  const newHere = at(state, node, NEW_STARTING) + at(state, node, NEW_READY);
  const free = gpus - oldHere * oldSize - newHere * newSize;
  if (newPending > 0 && takesNew && newSize <= free) {
    next.push(change(state, [1, -1], [indexOf(node, NEW_STARTING), 1]));
  }
  if (oldPending > 0 && takesOld && oldSize <= free) {
    next.push(change(state, [0, -1], [indexOf(node, OLD_READY), 1]));
  }
}

function reconcile(state: State, { replicas, surge, unavailable }: SimulatedUpdate): readonly State[] {
  const oldCount = countOld(state);
  const newCount = countNew(state);
  if (newCount < replicas && oldCount + newCount < replicas + surge) {
    return [change(state, [1, Math.min(replicas + surge - oldCount - newCount, replicas - newCount)])];
  }
  if (oldCount === 0) return [];
  const minAvailable = replicas - unavailable;
  const newUnavailable = newCount - sum(state, NEW_READY);
  const maxScaledDown = oldCount + newCount - minAvailable - newUnavailable;
  if (maxScaledDown <= 0) return [];
  const oldAvailable = sum(state, OLD_READY);
  const cleaned = Math.min(maxScaledDown, oldCount - oldAvailable);
  const surplus = oldAvailable + sum(state, NEW_READY) - minAvailable;
  const scaled = Math.max(0, Math.min(oldCount - cleaned, surplus));
  return cleaned + scaled === 0 ? [] : endOld(state, cleaned + scaled);
}

/** Every way in which the ReplicaSet controller may delete `count` old Pods. */
function endOld(state: State, count: number): readonly State[] {
  const neighbours = nodesOf(state).map(
    (node) =>
      at(state, node, OLD_READY) +
      at(state, node, OLD_BROKEN) +
      at(state, node, NEW_STARTING) +
      at(state, node, NEW_READY),
  );
  const pending = Math.min(count, state[0] ?? 0);
  const crowds = [...new Set(neighbours)].sort((a, b) => b - a);
  let ways: readonly Way[] = [{ state: change(state, [0, -pending]), left: count - pending }];
  for (const field of [OLD_BROKEN, OLD_READY]) {
    for (const crowd of crowds) {
      const nodes = nodesOf(state).filter((node) => neighbours[node] === crowd);
      ways = ways.flatMap((way) => takeAny(way.state, nodes, field, way.left));
    }
  }
  return ways.filter(({ left }) => left === 0).map((way) => way.state);
}

type Way = { readonly state: State; readonly left: number };

/** Takes as many as there are and are wanted, from any of the nodes. */
function takeAny(state: State, nodes: readonly number[], field: number, wanted: number): readonly Way[] {
  const [node, ...others] = nodes;
  if (node === undefined) return [{ state, left: wanted }];
  const here = at(state, node, field);
  const elsewhere = others.reduce((total, other) => total + at(state, other, field), 0);
  const ways: Way[] = [];
  for (
    let taken = Math.max(0, Math.min(wanted, here + elsewhere) - elsewhere);
    taken <= Math.min(wanted, here);
    taken += 1
  ) {
    const ended = change(state, [indexOf(node, field), -taken], [indexOf(node, OLD_ENDING), taken]);
    ways.push(...takeAny(ended, others, field, wanted - taken));
  }
  return ways;
}

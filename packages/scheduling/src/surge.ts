/** A Kubernetes IntOrString: a count of Pods (`1`) or a share of the replicas (`"25%"`). */
export type CountOrPercent = number | string;

/** How many Pods a rolling update may have beyond the replicas, and how many it may lack. */
export type Fenceposts = { readonly surge: number; readonly unavailable: number };

/** How a rolling update goes. `surge-deadlock`: old Pods wait for new ones to be ready, which wait for their room. */
export type SurgeOutcome = 'ends' | 'surge-deadlock' | 'too-few-places';

/**
 * Resolves maxSurge and maxUnavailable to counts, as the Deployment controller does: surge rounds up, unavailable
 * rounds down and is at most the replicas, and when both come to 0 unavailable becomes 1.
 *
 * So 1 replica at the default 25 %/25 % gives surge 1 and unavailable 0: a second Pod must fit before the first may
 * stop. With every GPU taken that rollout never ends.
 *
 * @param replicas Wanted Pods, a whole number ≥ 0.
 * @param maxSurge `spec.strategy.rollingUpdate.maxSurge`; the API server's default is 25 %.
 * @param maxUnavailable `spec.strategy.rollingUpdate.maxUnavailable`; the API server's default is 25 %.
 * @throws {RangeError} A value is negative, not whole, or no percentage.
 * @see `ResolveFenceposts` and `MaxUnavailable` in kubernetes `pkg/controller/deployment/util/deployment_util.go`
 */
export function resolveFenceposts(
  replicas: number,
  maxSurge: CountOrPercent = '25%',
  maxUnavailable: CountOrPercent = '25%',
): Fenceposts {
  requireCount('replicas', replicas);
  const surge = toPods('maxSurge', maxSurge, (percent) => Math.ceil((percent * replicas) / 100));
  const unavailable = toPods('maxUnavailable', maxUnavailable, (percent) =>
    Math.floor((percent * replicas) / 100),
  );
  return { surge, unavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable) };
}

/**
 * Says whether a rolling update that hasn't begun ends, where a new Pod fits wherever an old one was.
 *
 * Old and new Pods then share the places. Beside the places of the replicas one more Pod must be able to start (surge),
 * or one may be missing (unavailable); how many of either makes it faster, not possible. Whether the old Pods are ready
 * makes no difference, nor whether the number of replicas changes as well; Pod disruption budgets play no part.
 *
 * @param update.replicas Wanted Pods.
 * @param update.held Places that old Pods hold now.
 * @param update.free New Pods that could be placed now, with all else left in place.
 */
export function predictSurge(
  update: Fenceposts & { readonly replicas: number; readonly held: number; readonly free: number },
): SurgeOutcome {
  const { replicas, surge, unavailable, held, free } = update;
  const places = held + free;
  if (places < replicas) return 'too-few-places';
  if (replicas === 0 || unavailable > 0) return 'ends';
  return surge > 0 && (places > replicas || held === 0) ? 'ends' : 'surge-deadlock';
}

/** What the Deployment controller does next: changes one of the two ReplicaSets, or waits. */
export type ControllerStep =
  | { readonly kind: 'scale-up'; readonly by: number }
  /** `unhealthy` of the Pods to go are ones that aren't available, whatever their number. */
  | { readonly kind: 'scale-down'; readonly by: number; readonly unhealthy: number }
  | { readonly kind: 'wait' };

/**
 * Says the next step of a rolling update from its counts. When it is `wait`, new Pods are pending and nothing is
 * ending, only room from elsewhere gets the rollout on.
 *
 * @param counts.oldPods `spec.replicas` of all old ReplicaSets together; `oldAvailable` their available Pods.
 * @param counts.newPods `spec.replicas` of the new ReplicaSet; `newAvailable` its available Pods.
 * @see `reconcileNewReplicaSet` and `reconcileOldReplicaSets` in kubernetes `pkg/controller/deployment/rolling.go`
 */
export function nextControllerStep(
  { surge, unavailable, replicas }: Fenceposts & { readonly replicas: number },
  counts: {
    readonly oldPods: number;
    readonly oldAvailable: number;
    readonly newPods: number;
    readonly newAvailable: number;
  },
): ControllerStep {
  const { oldPods, oldAvailable, newPods, newAvailable } = counts;
  const vacant = Math.min(replicas + surge - oldPods - newPods, replicas - newPods);
  if (vacant > 0) return { kind: 'scale-up', by: vacant };
  const least = replicas - unavailable;
  const most = oldPods + newPods - least - (newPods - newAvailable);
  if (oldPods === 0 || most <= 0) return { kind: 'wait' };
  const unhealthy = Math.min(most, oldPods - oldAvailable);
  const surplus = Math.max(0, oldAvailable + newAvailable - least);
  const by = Math.min(oldPods, unhealthy + surplus);
  return by === 0 ? { kind: 'wait' } : { kind: 'scale-down', by, unhealthy };
}

function toPods(field: string, value: CountOrPercent, share: (percent: number) => number): number {
  if (typeof value === 'number') return requireCount(field, value);
  const percent = /^(\d{1,9})%$/.exec(value)?.[1];
  if (percent === undefined) {
    throw new RangeError(
      `${field} is ${JSON.stringify(value)}: expected a whole number or a percentage such as "25%".`,
    );
  }
  return share(Number(percent));
}

function requireCount(field: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${field} is ${value}: expected a whole number ≥ 0.`);
  }
  return value;
}

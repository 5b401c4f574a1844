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
 * Says whether a rolling update ends where a new Pod fits wherever an old one was.
 *
 * Old and new Pods then share the places. Beside the replicas' own places, one more Pod must be able to start (surge),
 * or one may be missing (unavailable); how many of either makes it faster, not possible. Pod disruption budgets play
 * no part. Pods that hold a place count whether they are ready or not: those that aren't are replaced first.
 *
 * @param update.replicas Wanted Pods.
 * @param update.held Places that Pods of this workload, old and new, hold now.
 * @param update.free Further new Pods that could be placed now, with all else left in place.
 */
export function predictSurge(
  update: Fenceposts & { readonly replicas: number; readonly held: number; readonly free: number },
): SurgeOutcome {
  const places = update.held + update.free;
  if (places < update.replicas) return 'too-few-places';
  if (update.replicas === 0 || update.unavailable > 0) return 'ends';
  return update.surge > 0 && places > update.replicas ? 'ends' : 'surge-deadlock';
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

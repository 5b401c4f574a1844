import { KubernetesError } from '@sophia/kubernetes';
import { type Pod, parseQuantity, podRequest } from '@sophia/scheduling';

/** One key of a quota that was exceeded. Amounts are nano-units. */
type ExceededKey = { readonly key: string; readonly used: bigint; readonly limited: bigint };

/**
 * Whether a quota that has no room for one Pod more has it for all of them once the old ones are gone.
 *
 * @param error The refusal of a Pod: `exceeded quota: gpus, requested: …, used: …, limited: …`.
 * @param pod As it would be made.
 */
export function releasesEnough(error: unknown, pod: Pod, oldPods: readonly Pod[], replicas: number): boolean {
  if (!(error instanceof KubernetesError)) return false;
  const keys = parseExceeded(error.answer);
  const isEnough = keys?.every(({ key, used, limited }) => {
    const resource = key === 'pods' ? 'pods' : /^requests\.(.+)$/.exec(key)?.[1];
    // Limits and counts of objects aren't summed here, so it isn't certain that they come free.
    if (resource === undefined) return false;
    const asked = podRequest(pod).get(resource) ?? 0n;
    const released = oldPods.reduce((sum, old) => sum + (podRequest(old).get(resource) ?? 0n), 0n);
    return used - released + asked * BigInt(replicas) <= limited;
  });
  return isEnough ?? false;
}

function parseExceeded(answer: string): readonly ExceededKey[] | undefined {
  const [, used, limited] = /\bused: (.+), limited: (.+?)\.?$/s.exec(answer) ?? [];
  if (used === undefined || limited === undefined) return undefined;
  const limits = parsePairs(limited);
  return [...parsePairs(used)].flatMap(([key, amount]) => {
    const limit = limits.get(key);
    return limit === undefined ? [] : [{ key, used: amount, limited: limit }];
  });
}

function parsePairs(text: string): ReadonlyMap<string, bigint> {
  return new Map(
    text.split(',').flatMap((pair) => {
      const [, key, amount] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(pair) ?? [];
      if (key === undefined || amount === undefined) return [];
      try {
        return [[key, parseQuantity(amount)] as const];
      } catch (error) {
        if (error instanceof Error && error.name === 'InvalidQuantityError') return [];
        throw error;
      }
    }),
  );
}

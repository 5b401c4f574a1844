import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import type { AppliedObject } from './apply-objects.ts';
import { toApplyGroups } from './apply-order.ts';
import { adoptPatches, extractApplied, FIELD_MANAGER } from './field-ownership.ts';
import { findLastGood, type LastGood } from './last-good.ts';
import { toMergePatch } from './merge-patch.ts';
import type { PlannedObject } from './plan.ts';
import { withoutBookkeeping } from './try-objects.ts';
import { isWorkload, keyOf, strategyOf, subjectOf, withoutStrategy, withStrategy } from './workload.ts';

/** What became of an object that was written. */
export type TakenBack = {
  readonly planned: PlannedObject;
  readonly change: 'restored' | 'removed' | 'kept';
  /** As the API answered; undefined for what was removed or kept. */
  readonly after: KubernetesObject | undefined;
  readonly answeredMs: number;
};

/** Made by this run and left: what is in them may be worth more than tidiness. */
const KEPT_KINDS = new Set([
  'Namespace',
  'PersistentVolumeClaim',
  'PersistentVolume',
  'CustomResourceDefinition',
]);

export type RollingBack = {
  readonly cluster: Cluster;
  readonly replicaSets: readonly KubernetesObject[];
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
};

/**
 * Takes back what was written, the last first: what was there before is brought back, what wasn't is removed.
 *
 * A Deployment keeps the strategy it was just rolled out with until its old Pods serve again: the one before may be
 * the very one that can't end while a broken Pod holds the GPU. `restoreStrategies` puts that back afterwards.
 */
export async function rollBack(
  applied: readonly AppliedObject[],
  { cluster, replicaSets, note, signal }: RollingBack,
): Promise<readonly TakenBack[]> {
  const items = applied
    .filter(({ planned }) => hasSomethingToTakeBack(planned, replicaSets))
    .map((item) => ({ ...item, object: item.planned.object }));
  const taken: TakenBack[] = [];
  for (const group of toApplyGroups(items).toReversed()) {
    const outcomes = await Promise.allSettled(
      group.map(async (item): Promise<TakenBack> => {
        const back = await takeBack(item, cluster, replicaSets, signal);
        note(
          `${{ restored: 'Brought back', removed: 'Removed', kept: 'Kept' }[back.change]} ${subjectOf(item.planned.key)}`,
        );
        return back;
      }),
    );
    taken.push(...outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
  return taken;
}

/** What this run didn't change is only brought back from the middle of a rollout, to what served before that. */
function hasSomethingToTakeBack(
  { before, change }: PlannedObject,
  replicaSets: readonly KubernetesObject[],
): boolean {
  if (change !== 'unchanged' || before === undefined) return true;
  return findLastGood(before, replicaSets).kind === 'earlier';
}

async function takeBack(
  { planned, after }: AppliedObject,
  cluster: Cluster,
  replicaSets: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<TakenBack> {
  const { key, before } = planned;
  if (before === undefined) {
    if (KEPT_KINDS.has(key.kind))
      return { planned, change: 'kept', after: undefined, answeredMs: Date.now() };
    await cluster.remove(key, { signal });
    return { planned, change: 'removed', after: undefined, answeredMs: Date.now() };
  }
  const good = findLastGood(before, replicaSets);
  // Recreate ends whatever holds the GPUs, and leaves Pods of the wanted template alone.
  const strategy = good.kind === 'earlier' ? { type: 'Recreate' } : strategyOf(after);
  const restored = await bringBack(cluster, good, strategy, signal);
  return { planned, change: 'restored', after: restored, answeredMs: Date.now() };
}

/** Puts back the strategies that were kept for the way back. It changes no Pod. */
export async function restoreStrategies(
  taken: readonly TakenBack[],
  cluster: Cluster,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    taken.map(async ({ planned, after }) => {
      const { before } = planned;
      if (before === undefined || after === undefined || planned.key.kind !== 'Deployment') return;
      const owned = extractApplied(before);
      if (owned !== undefined && strategyOf(owned) === undefined) {
        const present = extractApplied(after);
        if (present !== undefined) {
          const options = { fieldManager: FIELD_MANAGER, isForced: true, signal };
          await cluster.apply(withoutStrategy(present), options);
        }
      }
      await patchTo(cluster, before, (object) => ({ spec: { strategy: strategyOf(object) } }), signal);
    }),
  );
}

/**
 * Brings an object back by applying what had been applied: then a later deployment still knows which fields were its
 * own. What that leaves different, all of it where this action had never applied it, is patched.
 *
 * @param strategy Of a Deployment, for the way back.
 */
async function bringBack(
  cluster: Cluster,
  { kind, object }: LastGood,
  strategy: unknown,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  const isKept = object.kind === 'Deployment' && strategy !== undefined;
  const wanted = isKept ? withStrategy(object, strategy) : object;
  const owned = kind === 'as-before' ? extractApplied(object) : undefined;
  if (owned !== undefined) {
    const options = { fieldManager: FIELD_MANAGER, isForced: true, signal };
    await cluster.apply(isKept ? withStrategy(owned, strategy) : owned, options);
  }
  return patchTo(cluster, wanted, withoutBookkeeping, signal);
}

/** Patches what is there until the part of it is as in the wanted object. */
async function patchTo(
  cluster: Cluster,
  wanted: KubernetesObject,
  partOf: (object: KubernetesObject) => unknown,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  const key = keyOf(wanted);
  const present = await cluster.read(key, signal);
  if (present === undefined) return cluster.create(toNew(wanted), { signal });
  const patch = toMergePatch(partOf(present), partOf(wanted));
  if (patch === undefined) return present;
  return adoptPatches(cluster, await cluster.patch(key, patch, { signal }), signal);
}

function toNew(object: KubernetesObject): KubernetesObject {
  return {
    ...withoutBookkeeping(object),
    apiVersion: object.apiVersion,
    kind: object.kind,
  } as KubernetesObject;
}

/** Workloads to follow until they serve again. */
export function toFollow(taken: readonly TakenBack[]): readonly TakenBack[] {
  return taken.filter(({ change, planned }) => change === 'restored' && isWorkload(planned.object));
}

import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import type { AppliedObject } from './apply-objects.ts';
import { toApplyGroups } from './apply-order.ts';
import { findLastGood } from './last-good.ts';
import { toMergePatch } from './merge-patch.ts';
import { extractOwned, type FieldsEntry } from './owned-fields.ts';
import type { PlannedObject } from './plan.ts';
import { FIELD_MANAGER, isHandTool, isOurs, withoutBookkeeping } from './try-objects.ts';
import { isWorkload, subjectOf } from './workload.ts';

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
 * the very one that can't end while a broken Pod holds the GPU. `restoreStrategy` puts that back afterwards.
 */
export async function rollBack(
  applied: readonly AppliedObject[],
  { cluster, replicaSets, note, signal }: RollingBack,
): Promise<readonly TakenBack[]> {
  const items = applied.map((item) => ({ ...item, object: item.planned.object }));
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
  const wanted = key.kind === 'Deployment' ? withStrategyOf(good.object, after) : good.object;
  const restored = await bringBack(cluster, wanted, good.kind === 'as-before', signal);
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
      const { before, key } = planned;
      if (key.kind !== 'Deployment' || before === undefined || after === undefined) return;
      const patch = toMergePatch({ strategy: strategyOf(after) }, { strategy: strategyOf(before) });
      if (patch !== undefined) await cluster.patch(key, { spec: patch }, { signal });
    }),
  );
}

/**
 * Brings an object back by applying what had been applied: then a later deployment still knows which fields were its
 * own. What this action had never applied is brought back by a patch.
 */
async function bringBack(
  cluster: Cluster,
  wanted: KubernetesObject,
  isAsBefore: boolean,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  const key = { ...wanted, namespace: wanted.metadata.namespace, name: wanted.metadata.name };
  if (isAsBefore) {
    const isOwner = (entry: FieldsEntry) => isOurs(entry) || isHandTool(entry);
    const owned = extractOwned(wanted, isOwner);
    if (owned !== undefined) {
      await cluster.apply(owned, { fieldManager: FIELD_MANAGER, isForced: true, signal });
    }
  }
  const present = await cluster.read(key, signal);
  if (present === undefined) return cluster.create(toNew(wanted), { signal });
  const patch = toMergePatch(withoutBookkeeping(present), withoutBookkeeping(wanted));
  return patch === undefined ? present : cluster.patch(key, patch, { signal });
}

function toNew(object: KubernetesObject): KubernetesObject {
  return {
    ...withoutBookkeeping(object),
    ...{ apiVersion: object.apiVersion, kind: object.kind },
  } as KubernetesObject;
}

function strategyOf(object: KubernetesObject): unknown {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null && 'strategy' in spec ? spec.strategy : undefined;
}

function withStrategyOf(object: KubernetesObject, other: KubernetesObject): KubernetesObject {
  const spec = object['spec'];
  if (typeof spec !== 'object' || spec === null) return object;
  return { ...object, spec: { ...spec, strategy: strategyOf(other) } };
}

/** Workloads to follow until they serve again. */
export function toFollow(taken: readonly TakenBack[]): readonly TakenBack[] {
  return taken.filter(({ change, planned }) => change === 'restored' && isWorkload(planned.object));
}

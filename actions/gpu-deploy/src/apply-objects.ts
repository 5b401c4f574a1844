import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import * as z from 'zod/mini';
import { toApplyGroups } from './apply-order.ts';
import { FIELD_MANAGER, forgetPatches } from './field-ownership.ts';
import type { PlannedObject } from './plan.ts';
import { isTurnedToRecreate, RECREATE_PATCH, subjectOf } from './workload.ts';

/** An object that was written. */
export type AppliedObject = {
  readonly planned: PlannedObject;
  readonly after: KubernetesObject;
  /** When the write was answered, by this machine's clock, in epoch milliseconds. */
  readonly answeredMs: number;
};

export type Applying = {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  /** Told of each object as soon as it is written, so that a failure half-way knows what there is to take back. */
  readonly onApplied: (applied: AppliedObject) => void;
};

/**
 * Writes the objects, what others need first. Objects of one rank are written at once.
 *
 * @throws The first failure, when every write that was under way has ended.
 */
export async function applyObjects(
  objects: readonly PlannedObject[],
  { cluster, signal, note, onApplied }: Applying,
): Promise<void> {
  for (const group of toApplyGroups(objects)) {
    const writes = group.map(async (planned) => {
      signal.throwIfAborted();
      if (isTurnedToRecreate(planned.object, planned.before)) {
        await cluster.patch(planned.key, RECREATE_PATCH, { signal });
      }
      const after = await cluster.apply(planned.object, {
        fieldManager: FIELD_MANAGER,
        isForced: planned.isForced,
        signal,
      });
      onApplied({ planned, after, answeredMs: Date.now() });
      await forgetPatches(cluster, after, signal);
      note(`${verbOf(planned)} ${subjectOf(planned.key)}`);
    });
    const outcomes = await Promise.allSettled(writes);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const kinds = group.filter(({ key }) => key.kind === 'CustomResourceDefinition');
    await Promise.all(kinds.map((planned) => waitUntilServed(cluster, planned, signal)));
    if (kinds.length > 0) cluster.rediscover();
  }
}

function verbOf({ change }: PlannedObject): string {
  return { created: 'Made', changed: 'Changed', unchanged: 'Left as it was:', planned: 'Applied' }[change];
}

/** A kind takes a moment from its definition to being served. */
const SERVED_LIMIT_MS = 30_000;

const conditionsSchema = z.object({
  conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string() }))),
});

async function waitUntilServed(cluster: Cluster, { key }: PlannedObject, signal: AbortSignal): Promise<void> {
  const seen = new AbortController();
  const limited = AbortSignal.any([signal, seen.signal, AbortSignal.timeout(SERVED_LIMIT_MS)]);
  const selection = {
    apiVersion: key.apiVersion,
    kind: key.kind,
    fieldSelector: `metadata.name=${key.name}`,
  };
  for await (const event of cluster.watch(selection, limited)) {
    const objects =
      event.kind === 'snapshot' ? event.objects : event.kind === 'changed' ? [event.object] : [];
    if (objects.some(isEstablished)) seen.abort();
  }
  signal.throwIfAborted();
}

function isEstablished(object: KubernetesObject): boolean {
  const parsed = z.safeParse(conditionsSchema, object['status']);
  const conditions = parsed.success ? (parsed.data.conditions ?? []) : [];
  return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
}

import { type CountOrPercent, resolveFenceposts, type Strategy } from '@sophia/scheduling';
import * as z from 'zod/mini';

/** A field that may be absent, null or of a form that isn't understood: foreign objects are read for what they have. */
export function loose<T extends z.ZodMiniType>(schema: T) {
  return z.catch(z.optional(schema), undefined);
}

export const text = loose(z.string());
export const wholeNumber = loose(z.int());
export const flag = loose(z.boolean());
const textRecord = loose(z.record(z.string(), z.string()));

const intOrPercent = loose(
  z.union([z.int().check(z.nonnegative()), z.string().check(z.regex(/^\d{1,9}%$/))]),
);

const rollingSchema = loose(
  z.object({ maxSurge: intOrPercent, maxUnavailable: intOrPercent, partition: wholeNumber }),
);
const strategySchema = loose(z.object({ type: text, rollingUpdate: rollingSchema }));

const conditionSchema = z.object({
  type: text,
  status: text,
  reason: text,
  message: text,
  lastUpdateTime: text,
  lastTransitionTime: text,
});

/** `status.conditions` of any object; those that can't be read are left out. */
export const conditions = z.pipe(
  loose(z.array(z.unknown())),
  z.transform((entries) =>
    (entries ?? []).flatMap((entry) => z.safeParse(conditionSchema, entry).data ?? []),
  ),
);

export type Condition = z.output<typeof conditionSchema>;

export const metadataSchema = z.object({
  name: text,
  namespace: text,
  uid: text,
  generation: wholeNumber,
  creationTimestamp: text,
  deletionTimestamp: text,
  labels: textRecord,
  annotations: textRecord,
  ownerReferences: loose(z.array(z.object({ uid: text, controller: flag }))),
});

const workloadSchema = z.object({
  kind: text,
  metadata: metadataSchema,
  spec: loose(
    z.object({
      replicas: wholeNumber,
      paused: flag,
      suspend: flag,
      minReadySeconds: wholeNumber,
      progressDeadlineSeconds: wholeNumber,
      parallelism: wholeNumber,
      completions: wholeNumber,
      strategy: strategySchema,
      updateStrategy: strategySchema,
      template: z.optional(z.unknown()),
    }),
  ),
  status: loose(
    z.object({
      observedGeneration: wholeNumber,
      replicas: wholeNumber,
      updatedReplicas: wholeNumber,
      readyReplicas: wholeNumber,
      availableReplicas: wholeNumber,
      currentRevision: text,
      updateRevision: text,
      desiredNumberScheduled: wholeNumber,
      updatedNumberScheduled: wholeNumber,
      numberReady: wholeNumber,
      numberAvailable: wholeNumber,
      phase: text,
      reason: text,
      message: text,
      active: wholeNumber,
      ready: wholeNumber,
      succeeded: wholeNumber,
      failed: wholeNumber,
      conditions,
    }),
  ),
});

export type Workload = z.output<typeof workloadSchema>;

/** Undefined where it isn't an object with metadata. */
export function readWorkload(document: unknown): Workload | undefined {
  return z.safeParse(workloadSchema, document).data;
}

/** `Deployment inference/vllm` */
export function nameWorkload({ kind, metadata }: Workload, namespace = ''): string {
  const space = metadata.namespace ?? namespace;
  return `${kind ?? 'Workload'} ${space === '' ? '' : `${space}/`}${metadata.name ?? '?'}`;
}

/** Pods that are wanted. For a DaemonSet that is one on each node that suits, which the object doesn't say. */
export function replicasOf({ kind, spec }: Workload): number {
  if (kind === 'Job') {
    const parallelism = spec?.parallelism ?? 1;
    return Math.max(0, Math.min(parallelism, spec?.completions ?? parallelism));
  }
  return kind === 'Pod' ? 1 : Math.max(0, spec?.replicas ?? 1);
}

/** How the object says that Pods are replaced, with the API server's defaults; undefined for kinds that don't. */
export function strategyOf(workload: Workload): Strategy | undefined {
  const replicas = replicasOf(workload);
  if (workload.kind === 'StatefulSet')
    return { kind: 'rolling', surge: 0, unavailable: Math.min(1, replicas) };
  if (workload.kind !== 'Deployment') return undefined;
  const strategy = workload.spec?.strategy;
  if (strategy?.type === 'Recreate') return { kind: 'recreate' };
  return rollingOf(replicas, strategy?.rollingUpdate?.maxSurge, strategy?.rollingUpdate?.maxUnavailable);
}

export function rollingOf(
  replicas: number,
  maxSurge: CountOrPercent | undefined,
  maxUnavailable: CountOrPercent | undefined,
): Strategy {
  return { kind: 'rolling', ...resolveFenceposts(replicas, maxSurge, maxUnavailable) };
}

/** Whether the author chose how Pods are replaced. What the API server fills in can't be told from its default. */
export function statesStrategy({ spec }: Workload): boolean {
  const strategy = spec?.strategy;
  if (strategy === undefined) return false;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? {};
  return (maxSurge ?? '25%') !== '25%' || (maxUnavailable ?? '25%') !== '25%';
}

import type { KubernetesObject } from '@sophia/kubernetes';
import * as z from 'zod/mini';
import { isEqual } from './merge-patch.ts';
import { isOwnedBy } from './plan-on-cluster.ts';
import { type PodTemplate, templateOf, withTemplate } from './workload.ts';

/** Put on the ReplicaSet of a rollout that this action saw complete. */
export const COMPLETED_ANNOTATION = 'sophia.github.io/deployed-at';
const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';
const HASH_LABEL = 'pod-template-hash';

const statusSchema = z.object({
  metadata: z.object({ generation: z.optional(z.number()) }),
  spec: z.object({ replicas: z.optional(z.number()) }),
  status: z.optional(
    z.object({
      observedGeneration: z.optional(z.number()),
      replicas: z.optional(z.number()),
      updatedReplicas: z.optional(z.number()),
      availableReplicas: z.optional(z.number()),
    }),
  ),
});

/** Whether a Deployment's Pods are all of its present template and available. */
function isSettled(deployment: KubernetesObject): boolean {
  const parsed = z.safeParse(statusSchema, deployment);
  if (!parsed.success) return true;
  const { metadata, spec, status } = parsed.data;
  const wanted = spec.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted
  );
}

/** The state to go back to, and whether it is what was there before. */
export type LastGood =
  | { readonly kind: 'as-before'; readonly object: KubernetesObject }
  /** What was there was no good state itself, an interrupted rollout; the template is of an earlier revision. */
  | { readonly kind: 'earlier'; readonly object: KubernetesObject };

/**
 * Finds what to go back to. A Deployment in the middle of a rollout, such as one that a canceled run left, isn't worth
 * going back to where an earlier revision is known to have served: one that still has Pods available, or that this
 * action saw complete.
 */
export function findLastGood(before: KubernetesObject, replicaSets: readonly KubernetesObject[]): LastGood {
  const asBefore: LastGood = { kind: 'as-before', object: before };
  const { uid } = before.metadata;
  const present = templateOf(before);
  if (before.kind !== 'Deployment' || uid === undefined || present === undefined || isSettled(before))
    return asBefore;
  const earlier = replicaSets
    .filter((set) => isOwnedBy(set, new Set([uid])))
    .flatMap((set) => {
      const template = templateOf(set);
      return template === undefined ? [] : [{ set, template: withoutHash(template) }];
    })
    .filter(({ template }) => !isEqual(template, withoutHash(present)))
    .map((revision) => ({
      ...revision,
      served: availableOf(revision.set) > 0,
      sealed: isSealed(revision.set),
    }))
    .filter(({ served, sealed }) => served || sealed)
    .sort((a, b) => Number(b.served) - Number(a.served) || revisionOf(b.set) - revisionOf(a.set));
  const [best] = earlier;
  return best === undefined ? asBefore : { kind: 'earlier', object: withTemplate(before, best.template) };
}

function withoutHash(template: PodTemplate): PodTemplate {
  const metadata =
    z.safeParse(z.looseObject({ labels: z.optional(z.record(z.string(), z.unknown())) }), template.metadata)
      .data ?? {};
  const { [HASH_LABEL]: _hash, ...labels } = metadata.labels ?? {};
  const { creationTimestamp: _created, ...kept } = metadata;
  return { spec: template.spec, metadata: { ...kept, labels } };
}

function availableOf(set: KubernetesObject): number {
  return z.safeParse(z.object({ availableReplicas: z.number() }), set['status']).data?.availableReplicas ?? 0;
}

function isSealed({ metadata }: KubernetesObject): boolean {
  return metadata.annotations?.[COMPLETED_ANNOTATION] !== undefined;
}

function revisionOf({ metadata }: KubernetesObject): number {
  return Number(metadata.annotations?.[REVISION_ANNOTATION] ?? 0);
}

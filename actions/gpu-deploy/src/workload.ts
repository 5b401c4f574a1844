import type { KubernetesObject, ObjectKey } from '@sophia/kubernetes';
import * as z from 'zod/mini';

/** The kinds whose rollout is followed, and their `apiVersion`. */
const WORKLOAD_KINDS: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  Job: 'batch/v1',
  Pod: 'v1',
};

/** Whether an object runs Pods that are followed until they are available. */
export function isWorkload({ apiVersion, kind }: KubernetesObject): boolean {
  return WORKLOAD_KINDS[kind] === apiVersion;
}

export type PodTemplate = { readonly metadata?: unknown; readonly spec: Readonly<Record<string, unknown>> };

const record = z.record(z.string(), z.unknown());
const templateSchema = z.object({ metadata: z.optional(z.unknown()), spec: record });

/** The Pod that a workload makes; undefined where it has none that can be read. */
export function templateOf(object: KubernetesObject): PodTemplate | undefined {
  const found =
    object.kind === 'Pod'
      ? object
      : z.safeParse(z.object({ template: z.unknown() }), object['spec']).data?.template;
  const parsed = z.safeParse(templateSchema, found);
  return parsed.success ? parsed.data : undefined;
}

/** The same workload with another Pod template. */
export function withTemplate(object: KubernetesObject, template: PodTemplate): KubernetesObject {
  if (object.kind === 'Pod') return { ...object, spec: template.spec };
  const spec = z.safeParse(record, object['spec']).data ?? {};
  return { ...object, spec: { ...spec, template: { ...metadataPart(template), spec: template.spec } } };
}

function metadataPart({ metadata }: PodTemplate): { metadata?: unknown } {
  return metadata === undefined ? {} : { metadata };
}

const containersSchema = z.array(
  z.looseObject({
    name: z.optional(z.string()),
    image: z.optional(z.string()),
    resources: z.optional(z.looseObject({ limits: z.optional(record) })),
  }),
);
export type ContainerFields = z.output<typeof containersSchema>[number];

/** Containers of a template by its field, `containers` or `initContainers`. */
export function containersOf(
  template: PodTemplate,
  field: 'containers' | 'initContainers',
): readonly ContainerFields[] {
  return z.safeParse(containersSchema, template.spec[field]).data ?? [];
}

/** References of all images of a workload, each once. */
export function imagesOf(object: KubernetesObject): readonly string[] {
  const template = templateOf(object);
  if (template === undefined) return [];
  const all = [...containersOf(template, 'containers'), ...containersOf(template, 'initContainers')];
  return [...new Set(all.flatMap(({ image }) => (image === undefined || image === '' ? [] : [image])))];
}

/** `Deployment inference/vllm`, as messages and records name an object. */
export function subjectOf({ kind, namespace, name }: ObjectKey): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

export function keyOf(object: KubernetesObject): ObjectKey {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

const strategySchema = z.looseObject({ strategy: z.looseObject({ type: z.literal('Recreate') }) });

/**
 * A Deployment with `Recreate` that also says that it has no limits of a rolling update. Server-side apply leaves the
 * limits that the API server had filled in, which nobody owns, and then refuses the two together.
 */
export function withRecreate(object: KubernetesObject): KubernetesObject {
  const parsed = z.safeParse(strategySchema, object['spec']);
  if (
    object.kind !== 'Deployment' ||
    !parsed.success ||
    parsed.data.strategy['rollingUpdate'] !== undefined
  ) {
    return object;
  }
  return { ...object, spec: { ...parsed.data, strategy: { ...parsed.data.strategy, rollingUpdate: null } } };
}

import { InputError } from '@sophia/action';
import type { KubernetesObject, ObjectKey } from '@sophia/kubernetes';
import { type Pod, parsePod } from '@sophia/scheduling';
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

/**
 * Reads a Pod, Node or template for scheduling.
 *
 * @param wrong The error for one that can't be read, from what is wrong with it.
 */
export function readObject<T>(read: () => T, wrong: (why: string) => Error): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && error.name === 'InvalidObjectError') throw wrong(error.message);
    throw error;
  }
}

/**
 * The Pod that a workload's template makes, in its namespace.
 *
 * @throws {InputError} A field of the manifest can't be read.
 */
export function podOf(object: KubernetesObject, template: PodTemplate): Pod {
  const metadata = z.safeParse(record, template.metadata).data ?? {};
  const pod = { ...template, metadata: { ...metadata, namespace: object.metadata.namespace } };
  return readObject(
    () => ({ ...parsePod(pod), name: '' }),
    (why) => new InputError(`${subjectOf(keyOf(object))} can't be planned: ${why} Correct the manifest.`),
  );
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

const specSchema = z.looseObject({
  strategy: z.optional(z.nullable(z.looseObject({ type: z.optional(z.string()) }))),
});

/** `spec.strategy` of a Deployment; undefined where there is none. */
export function strategyOf(object: KubernetesObject): Readonly<Record<string, unknown>> | undefined {
  return z.safeParse(specSchema, object['spec']).data?.strategy ?? undefined;
}

/** The same Deployment with another `spec.strategy`. */
export function withStrategy(object: KubernetesObject, strategy: unknown): KubernetesObject {
  const parsed = z.safeParse(specSchema, object['spec']);
  return parsed.success ? { ...object, spec: { ...parsed.data, strategy } } : object;
}

export function withoutStrategy(object: KubernetesObject): KubernetesObject {
  const parsed = z.safeParse(specSchema, object['spec']);
  if (!parsed.success) return object;
  const { strategy: _strategy, ...spec } = parsed.data;
  return { ...object, spec };
}

/** What turns a Deployment to Recreate, whoever owns the limits of its rolling update. */
export const RECREATE_PATCH = { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } };

/**
 * Whether a Deployment is to have `Recreate` and still has limits of a rolling update. Server-side apply leaves those
 * that the API server had filled in, which nobody owns, and then refuses the two together.
 */
export function isTurnedToRecreate(object: KubernetesObject, before: KubernetesObject | undefined): boolean {
  return (
    object.kind === 'Deployment' &&
    before !== undefined &&
    strategyOf(object)?.['type'] === 'Recreate' &&
    (strategyOf(before)?.['rollingUpdate'] ?? null) !== null
  );
}

import type { KubernetesObject } from '@sophia/kubernetes';
import * as z from 'zod/mini';

const entrySchema = z.object({
  manager: z.optional(z.string()),
  operation: z.optional(z.string()),
  time: z.optional(z.string()),
  subresource: z.optional(z.string()),
  fieldsV1: z.optional(z.record(z.string(), z.unknown())),
});

/** One entry of `metadata.managedFields`: who set which fields. */
export type FieldsEntry = z.output<typeof entrySchema>;

/** Those of an object itself, not of its status. */
export function fieldsEntriesOf(object: KubernetesObject): readonly FieldsEntry[] {
  const entries = z.safeParse(z.array(entrySchema), object.metadata['managedFields']).data ?? [];
  return entries.filter(({ subresource }) => subresource === undefined || subresource === '');
}

/**
 * Takes out of an object what some managers had set: the object that, applied by one of them, brings exactly that
 * about again. Undefined where they had set nothing.
 *
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/ and `FieldsV1`: `f:name` is a field,
 * `k:{…}` an item by its keys, `v:…` an item by its value, `.` the thing itself
 */
export function extractOwned(
  object: KubernetesObject,
  isOwner: (entry: FieldsEntry) => boolean,
): KubernetesObject | undefined {
  const sets = fieldsEntriesOf(object)
    .filter(isOwner)
    .flatMap(({ fieldsV1 }) => (fieldsV1 === undefined ? [] : [fieldsV1]));
  if (sets.length === 0) return undefined;
  const taken = take(object, sets);
  const { metadata: found, ...rest } = isRecord(taken) ? taken : {};
  const { name, namespace } = object.metadata;
  return {
    ...rest,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { ...(isRecord(found) ? found : {}), name, ...(namespace === undefined ? {} : { namespace }) },
  };
}

type FieldSet = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function take(value: unknown, sets: readonly FieldSet[]): unknown {
  const isLeaf = sets.some(
    (set) => Object.keys(set).every((key) => key === '.') && Object.keys(set).length <= 1,
  );
  const parts = sets.flatMap((set) => Object.keys(set)).filter((key) => key !== '.');
  // A field owned as a whole: a scalar, an atomic list, an empty map.
  if (parts.length === 0) return isLeaf && isEmptied(sets) && isRecord(value) ? {} : value;
  if (Array.isArray(value)) return value.flatMap((item) => takeItem(item, sets));
  if (!isRecord(value)) return value;
  const fields = [...new Set(parts)].flatMap((key) => {
    const name = key.startsWith('f:') ? key.slice(2) : undefined;
    if (name === undefined || !Object.hasOwn(value, name)) return [];
    return [[name, take(value[name], childrenOf(sets, key))] as const];
  });
  return Object.fromEntries(fields);
}

/** `{".": {}}` owns that the map is there, not what is in it. */
function isEmptied(sets: readonly FieldSet[]): boolean {
  return sets.every((set) => Object.hasOwn(set, '.'));
}

function childrenOf(sets: readonly FieldSet[], key: string): readonly FieldSet[] {
  return sets.flatMap((set) => {
    const child = set[key];
    return isRecord(child) ? [child] : [];
  });
}

function takeItem(item: unknown, sets: readonly FieldSet[]): readonly unknown[] {
  const keys = [...new Set(sets.flatMap((set) => Object.keys(set)))];
  const matching = keys.filter((key) => isItem(key, item));
  if (matching.length === 0) return [];
  if (!isRecord(item)) return [item];
  const children = matching.flatMap((key) => childrenOf(sets, key));
  const taken = take(item, children);
  // The keys name the item, so they go with it whoever set them.
  const names = matching.flatMap((key) =>
    key.startsWith('k:') ? Object.entries(parseKey(key.slice(2)) ?? {}) : [],
  );
  return [isRecord(taken) ? { ...Object.fromEntries(names), ...taken } : taken];
}

function isItem(key: string, item: unknown): boolean {
  if (key.startsWith('v:')) return key.slice(2) === JSON.stringify(item);
  const wanted = key.startsWith('k:') ? parseKey(key.slice(2)) : undefined;
  return (
    wanted !== undefined &&
    isRecord(item) &&
    Object.entries(wanted).every(([name, value]) => item[name] === value)
  );
}

function parseKey(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const key: unknown = JSON.parse(text);
    return isRecord(key) ? key : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

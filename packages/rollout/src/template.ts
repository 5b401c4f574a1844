import * as z from 'zod/mini';

const templated = z.object({
  metadata: z.object({ uid: z.optional(z.string()) }),
  spec: z.object({ template: z.unknown() }),
});

/**
 * Whether an update leaves the Pods as they are, so that none is replaced. Only what a server dry-run returned (it has
 * a `uid`) can be told equal: a manifest lacks the defaults.
 */
export function isSameTemplate(wanted: unknown, current: unknown): boolean {
  const left = z.safeParse(templated, wanted);
  const right = z.safeParse(templated, current);
  if (!left.success || !right.success || left.data.metadata.uid === undefined) return false;
  return (
    left.data.metadata.uid === right.data.metadata.uid &&
    writeCanonically(left.data.spec.template) === writeCanonically(right.data.spec.template)
  );
}

/** JSON with keys in order, without nulls and fields that are absent. */
export function writeCanonically(value: unknown): string {
  return (
    JSON.stringify(value, (_, part: unknown) => {
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
      const entries = Object.entries(part).filter(([, field]) => field !== null && field !== undefined);
      return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
    }) ?? ''
  );
}

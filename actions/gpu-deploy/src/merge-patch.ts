type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The JSON merge patch that makes `wanted` of `present` (RFC 7386): members that are gone are null, lists are whole.
 *
 * @returns Undefined where they are equal.
 */
export function toMergePatch(present: unknown, wanted: unknown): unknown {
  if (!isRecord(present) || !isRecord(wanted)) return isEqual(present, wanted) ? undefined : wanted;
  const names = [...new Set([...Object.keys(present), ...Object.keys(wanted)])];
  const members = names.flatMap((name) => {
    if (!Object.hasOwn(wanted, name) || wanted[name] === undefined) {
      return present[name] === undefined ? [] : [[name, null] as const];
    }
    const member = toMergePatch(present[name], wanted[name]);
    return member === undefined ? [] : [[name, member] as const];
  });
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** What a JSON merge patch makes of a value (RFC 7386). */
export function applyMergePatch(present: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const kept = isRecord(present) ? present : {};
  const names = [...new Set([...Object.keys(kept), ...Object.keys(patch)])];
  return Object.fromEntries(
    names.flatMap((name) => {
      if (!Object.hasOwn(patch, name)) return [[name, kept[name]] as const];
      return patch[name] === null ? [] : [[name, applyMergePatch(kept[name], patch[name])] as const];
    }),
  );
}

/** Whether two JSON values are the same, whatever the order of members. */
export function isEqual(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) || Array.isArray(other)) {
    return (
      Array.isArray(one) &&
      Array.isArray(other) &&
      one.length === other.length &&
      one.every((item, index) => isEqual(item, other[index]))
    );
  }
  if (!isRecord(one) || !isRecord(other)) return one === other;
  const names = (value: Json) => Object.keys(value).filter((name) => value[name] !== undefined);
  return (
    names(one).length === names(other).length && names(one).every((name) => isEqual(one[name], other[name]))
  );
}

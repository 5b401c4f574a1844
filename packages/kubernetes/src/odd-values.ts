/** A value that YAML has and JSON, in which the API is spoken, has not. */
export type OddValue = { readonly path: readonly (string | number)[]; readonly message: string };

const MAX_DEPTH = 100;
/** More than any object that etcd takes could hold. */
const MAX_VALUES = 2_000_000;

/** The first value that can't be sent: not a number, infinite, or nested without end. */
export function findOddValue(value: unknown): OddValue | undefined {
  return look(value, [], { left: MAX_VALUES });
}

function look(
  value: unknown,
  path: readonly (string | number)[],
  budget: { left: number },
): OddValue | undefined {
  budget.left -= 1;
  if (budget.left < 0) return { path: [], message: 'has too many values. Split it.' };
  if (typeof value === 'number') return lookAtNumber(value, path);
  if (typeof value !== 'object' || value === null) return undefined;
  if (path.length >= MAX_DEPTH)
    return { path: path.slice(0, 3), message: `is nested deeper than ${MAX_DEPTH}. Write it flatter.` };
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, child] of entries) {
    const found = look(child, [...path, key], budget);
    if (found !== undefined) return found;
  }
  return undefined;
}

function lookAtNumber(value: number, path: readonly (string | number)[]): OddValue | undefined {
  if (Number.isFinite(value)) return undefined;
  return {
    path,
    message: `is ${value}, which JSON can't hold. Write another number, or put it in quotes.`,
  };
}

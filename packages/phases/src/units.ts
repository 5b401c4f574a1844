import type { Unit } from './phase-schema.ts';

/** Each unit as a multiple of the first of its kind. */
const KINDS: readonly Readonly<Partial<Record<Unit, number>>>[] = [
  { ms: 1, s: 1000, min: 60_000, h: 3_600_000 },
  { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 },
  { ratio: 1 },
  { count: 1 },
  { usd: 1 },
];

/** What a value in one unit is multiplied by to be in another; undefined where they measure different things. */
export function factorBetween(from: string, to: string): number | undefined {
  const kind = KINDS.find((units) => Object.hasOwn(units, from) && Object.hasOwn(units, to));
  const source = kind?.[from as Unit];
  const target = kind?.[to as Unit];
  return source === undefined || target === undefined ? undefined : source / target;
}

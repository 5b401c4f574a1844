/**
 * Where a build's time can go, in the order in which overlapping phases claim it: running the Dockerfile's own
 * instructions first, because that is the work the build exists for, then what feeds it, then what saves it.
 */
export const BUILD_PHASES = [
  'executing',
  'base-pull',
  'context-transfer',
  'cache-import',
  'push',
  'cache-export',
  'image-export',
  'resolving',
] as const;

export type BuildPhase = (typeof BUILD_PHASES)[number];

/** A stretch of time spent in a phase. Epoch milliseconds, fractions allowed. */
export type PhaseInterval = { readonly phase: BuildPhase; readonly startMs: number; readonly endMs: number };

/** Milliseconds that add up to the build's wall time, to the rounding of a double. */
export type TimeAttribution = {
  readonly phases: Readonly<Record<BuildPhase, number>>;
  /** The buildx process before BuildKit's first step and after its last: start, connect, read results, exit. */
  readonly clientMs: number;
  /** Time between the first and the last step in which no step ran. */
  readonly remainderMs: number;
};

/**
 * Attributes a build's wall time to phases, each moment to exactly one: of the phases active at that moment the
 * first in `BUILD_PHASES`.
 *
 * Steps are timed by BuildKit's clock and the wall by ours. Only differences within one clock are used, so a
 * builder on a machine whose clock is off changes nothing.
 *
 * @param intervals May overlap, in any order. Those that end before they start are left out.
 * @param wallMs Wall time of the buildx process.
 */
export function attributeTime(intervals: readonly PhaseInterval[], wallMs: number): TimeAttribution {
  const phases: Record<BuildPhase, number> = {
    executing: 0,
    'base-pull': 0,
    'context-transfer': 0,
    'cache-import': 0,
    push: 0,
    'cache-export': 0,
    'image-export': 0,
    resolving: 0,
  };
  const edges = intervals
    .filter(({ startMs, endMs }) => endMs > startMs)
    .flatMap(({ phase, startMs, endMs }) => [
      { atMs: startMs, phase, change: 1 },
      { atMs: endMs, phase, change: -1 },
    ])
    .sort((a, b) => a.atMs - b.atMs);
  const active = new Map<BuildPhase, number>();
  let previousMs = edges[0]?.atMs ?? 0;
  let remainderMs = 0;
  for (const { atMs, phase, change } of edges) {
    const owner = BUILD_PHASES.find((candidate) => (active.get(candidate) ?? 0) > 0);
    if (owner === undefined) remainderMs += atMs - previousMs;
    else phases[owner] += atMs - previousMs;
    active.set(phase, (active.get(phase) ?? 0) + change);
    previousMs = atMs;
  }
  const spanMs = previousMs - (edges[0]?.atMs ?? previousMs);
  return { phases, clientMs: Math.max(0, wallMs - spanMs), remainderMs };
}

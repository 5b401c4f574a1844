/** What happened when, for the log, the summary and the record. */
export type Timeline = {
  /** Notes it, and writes it to the log. */
  readonly note: (text: string) => void;
  readonly entries: () => readonly { readonly atMs: number; readonly text: string }[];
};

/** More than a person reads; a rollout that flaps must not grow the record without end. */
const MOST_ENTRIES = 300;

/**
 * @param now Milliseconds on a clock that doesn't jump.
 * @param log Takes a line.
 */
export function createTimeline(now: () => number, log: (line: string) => void): Timeline {
  const startMs = now();
  const entries: { readonly atMs: number; readonly text: string }[] = [];
  return {
    note: (text) => {
      const atMs = Math.round(now() - startMs);
      if (entries.length < MOST_ENTRIES) entries.push({ atMs, text });
      log(`${(atMs / 1000).toFixed(1).padStart(6)} s  ${text}`);
    },
    entries: () => entries,
  };
}

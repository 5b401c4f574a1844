import type { Observation } from '@sophia/records';
import { type Defect, defect } from './verdict.ts';

type Answer = Extract<Observation, { kind: 'series' | 'absent' }>;
export type SeriesAnswer = Extract<Observation, { kind: 'series' }>;

/** When evidence is judged, and how old it may be. All in milliseconds. */
export type Terms = {
  readonly nowMs: number;
  readonly maxAgeMs: number;
  readonly maxClockSkewMs: number;
  /** What was observed before does not count. */
  readonly windowStartMs: number;
};

export type SoundSeries = {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly timestampMs: number; readonly value: number }[];
};

/** The reason in the way of using a moment as that of evidence, if any. */
export function judgeMoment(momentMs: number, subject: string, terms: Terms): Defect | undefined {
  const ageMs = terms.nowMs - momentMs;
  if (!Number.isFinite(ageMs)) return defect('stale', `${subject} has no time.`);
  if (!(ageMs >= -terms.maxClockSkewMs)) {
    return defect(
      'clock-skew',
      `${subject} is ${formatMs(-ageMs)} in the future: expected at most ${formatMs(terms.maxClockSkewMs)}. Set the clocks.`,
    );
  }
  if (!(ageMs <= terms.maxAgeMs)) {
    return defect(
      'stale',
      `${subject} is ${formatMs(ageMs)} old: expected at most ${formatMs(terms.maxAgeMs)}.`,
    );
  }
  return undefined;
}

export function formatMs(durationMs: number): string {
  const [unit, factor] =
    durationMs >= 172_800_000
      ? ['d', 86_400_000]
      : durationMs >= 7_200_000
        ? ['h', 3_600_000]
        : durationMs >= 120_000
          ? ['min', 60_000]
          : ['s', 1000];
  return `${Number((durationMs / Number(factor)).toFixed(1))} ${unit}`;
}

/** The reason why a value is none, if it is none. */
export function judgeValue(value: unknown): Defect | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return undefined;
  if (value === '+Inf' || value === '-Inf' || value === Infinity || value === -Infinity) {
    return defect('inf', 'A value is infinite: expected a finite number.');
  }
  if (value === 'NaN' || (typeof value === 'number' && Number.isNaN(value))) {
    return defect('nan', 'A value is NaN: expected a number. A division by zero gives it.');
  }
  return defect('not-data', 'A value is no number: expected one.');
}

/** What is asked of an answer beside its being sound. */
export type Demands = {
  /** The values are ratios of a part to its whole, so from 0 to 1. */
  readonly isShare: boolean;
  /** Share of the moments that there must be data of, where the source tells. */
  readonly minCoverage: number;
};

/**
 * Takes an answer of a time-series database for what it is worth: finite samples in the order of time, from within
 * the phase's window, the newest datum of each series fresh, by a clock that agrees with ours; or the first defect.
 */
export function takeSeries(answer: Answer, terms: Terms, demands: Demands): readonly SoundSeries[] | Defect {
  if (answer.kind === 'absent') return defect(answer.reason, answer.message);
  if (answer.warnings.length > 0) {
    return defect('partial', `The source warns of its own answer: ${answer.warnings[0]?.slice(0, 120)}`);
  }
  const late = judgeMoment(answer.observedAtMs, 'The answer', terms);
  if (late !== undefined) return late;
  const skewed = judgeClock(answer.clockOffsetMs, terms);
  if (skewed !== undefined) return skewed;
  if (answer.series.every(({ samples }) => samples.length === 0)) {
    return defect('missing', 'The source has no series for the query: expected one.');
  }
  const taken: SoundSeries[] = [];
  for (const each of answer.series) {
    const sound = takeOne(each, terms, demands);
    if ('kind' in sound) return sound;
    taken.push(sound);
  }
  return taken;
}

function judgeClock(offsetMs: number | undefined, { maxClockSkewMs }: Terms): Defect | undefined {
  if (offsetMs === undefined || Math.abs(offsetMs) <= maxClockSkewMs) return undefined;
  const side = offsetMs > 0 ? 'ahead of' : 'behind';
  return defect(
    'clock-skew',
    `The source’s clock is ${formatMs(Math.abs(offsetMs))} ${side} this one: expected at most ${formatMs(maxClockSkewMs)}. Set the clocks.`,
  );
}

function takeOne(
  series: SeriesAnswer['series'][number],
  terms: Terms,
  { isShare, minCoverage }: Demands,
): SoundSeries | Defect {
  const newest = series.samples.at(-1);
  if (newest === undefined)
    return defect('missing', `${nameSeries(series.labels)} has no samples: expected some.`);
  const samples: { timestampMs: number; value: number }[] = [];
  let beforeMs = -Infinity;
  for (const { timestampMs, value } of series.samples) {
    if (!(timestampMs > beforeMs))
      return defect('not-data', `${nameSeries(series.labels)} is not in the order of time.`);
    beforeMs = timestampMs;
    const broken = judgeValue(value) ?? (isShare ? judgeShare(Number(value)) : undefined);
    if (broken !== undefined) return broken;
    if (timestampMs >= terms.windowStartMs) samples.push({ timestampMs, value: Number(value) });
  }
  const spoilt = judgeData(series, newest.timestampMs, terms, minCoverage);
  if (spoilt !== undefined) return spoilt;
  if (samples.length === 0) return defect('window-open', 'All samples are from before the phase’s window.');
  return { labels: series.labels, samples };
}

/** The reason in the way of using what is known of the data that samples rest on, if any. */
function judgeData(
  { labels, newestMs, fromMs, coverage }: SeriesAnswer['series'][number],
  lastMs: number,
  terms: Terms,
  minCoverage: number,
): Defect | undefined {
  const name = nameSeries(labels);
  // Neither the moment an answer is for nor the data behind it may be of the past or of the future.
  const moments = [lastMs, newestMs ?? lastMs];
  const judge = (momentMs: number) => judgeMoment(momentMs, `The newest sample of ${name}`, terms);
  const late = judge(Math.min(...moments)) ?? judge(Math.max(...moments));
  if (late !== undefined) return late;
  if (fromMs !== undefined && !(fromMs >= terms.windowStartMs - terms.maxClockSkewMs)) {
    const beforeMs = terms.windowStartMs - fromMs;
    return defect(
      'window-open',
      `${name} rests on data from ${formatMs(beforeMs)} before the phase’s window: expected none.`,
    );
  }
  if (coverage === undefined || coverage >= minCoverage) return undefined;
  return defect(
    'low-coverage',
    `${name} has data of ${toPercent(coverage)} of the time asked about: expected ${toPercent(minCoverage)}.`,
  );
}

/** Rounded down, so that what is too little does not look like enough. */
function toPercent(share: number): string {
  return `${Math.floor(share * 1000 + 1e-9) / 10} %`;
}

function judgeShare(value: number): Defect | undefined {
  // A quotient of floating-point sums may exceed 1 by its last digits.
  return value < 0 || value > 1 + 1e-9
    ? defect('unit-mismatch', `A value is ${value}: expected a ratio from 0 to 1. Divide percent by 100.`)
    : undefined;
}

function nameSeries(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels)
    .slice(0, 3)
    .map(([name, value]) => `${name}="${value.slice(0, 40)}"`);
  return pairs.length === 0 ? 'The series' : `The series {${pairs.join(', ')}}`;
}

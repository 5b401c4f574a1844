import type { Observation } from '@sophia/records';
import { type Estimate, estimateMean, estimateProportion, estimateQuantile } from '@sophia/statistics';
import type { Criterion, Question } from './criterion.ts';
import { formatMs, type SoundSeries, type Terms, takeSeries } from './sound-samples.ts';
import { factorBetween } from './units.ts';
import { type Defect, defect, exactly, type Finding } from './verdict.ts';

type SeriesObservation = Extract<Observation, { kind: 'series' }>;
type RatioObservation = Extract<Observation, { kind: 'ratio' }>;
type Count = { readonly value: number; readonly timestampMs: number };

/** Below this the bounds of a mean are too narrow: see estimateMean. */
const MIN_EFFECTIVE_COUNT = 10;

/** One answer at one moment ▶ its value. */
export function reduceInstant(
  criterion: Criterion,
  observation: SeriesObservation,
  terms: Terms,
): Finding | Defect {
  const series = takeNamedSeries(criterion, observation, terms);
  if ('kind' in series) return series;
  const values = series.map(({ samples }) => samples);
  if (values.some((samples) => samples.length !== 1)) {
    return defect('not-data', 'The answer holds several samples: expected one, at one moment.');
  }
  const numbers = values.flatMap((samples) => samples.map(({ value }) => value));
  const moments = values.flatMap((samples) => samples.map(({ timestampMs }) => timestampMs));
  return convert(criterion, observation.unit, {
    kind: 'quantity',
    estimate: exactly(aggregate(numbers, criterion.series?.aggregate ?? 'mean')),
    facts: {
      sampleCount: 1,
      fromMs: Math.min(...moments),
      toMs: Math.max(...moments),
      notes: describeExceptions(criterion, observation),
    },
  });
}

/** The objects that a check of a cluster found not to meet it. */
function describeExceptions({ question }: Criterion, { series }: SeriesObservation): readonly string[] {
  if (question.kind !== 'cluster') return [];
  return series.flatMap(({ labels: { exceptions } }) =>
    exceptions === undefined ? [] : [`All but ${exceptions}`],
  );
}

/** The values over a range of time ▶ the statistic that the criterion asks for. */
export function reduceRange(
  criterion: Criterion,
  question: Extract<Question, { kind: 'range' }>,
  observation: SeriesObservation,
  terms: Terms,
): Finding | Defect {
  const series = takeNamedSeries(criterion, observation, terms);
  if ('kind' in series) return series;
  const slots = takeRange(
    series.map(({ samples }) => toSlots(samples, question.stepMs)),
    Math.floor(question.durationMs / question.stepMs),
  );
  const spans = series.map(({ samples }) => ({
    fromMs: samples[0]?.timestampMs ?? 0,
    toMs: samples.at(-1)?.timestampMs ?? 0,
  }));
  const fromMs = Math.max(...spans.map((span) => span.fromMs));
  const toMs = Math.min(...spans.map((span) => span.toMs));
  if (toMs - fromMs + question.stepMs < criterion.minDurationMs) {
    return defect(
      'too-short',
      `The samples span ${formatMs(toMs - fromMs)}: expected ${formatMs(criterion.minDurationMs)}.`,
    );
  }
  // The first and the last step both have a sample.
  const expected = Math.floor(question.durationMs / question.stepMs);
  const coverage = Math.min(1, ...slots.map((each) => each.size / expected));
  if (coverage < criterion.minCoverage) {
    return defect(
      'low-coverage',
      `${Math.floor(coverage * 1000) / 10} % of the expected samples are there: expected ${criterion.minCoverage * 100} %.`,
    );
  }
  const values = alignSlots(slots, criterion.series?.aggregate ?? 'mean');
  if (values.length < expected / 2) {
    return defect('low-coverage', 'The series have too few moments in common: expected half of them.');
  }
  if (values.length < criterion.minSamples) return tooFew(values.length, criterion.minSamples);
  const estimate = estimateFrom(criterion, values);
  if (
    criterion.confidence !== undefined &&
    criterion.estimator.kind === 'mean' &&
    estimate.effectiveCount < MIN_EFFECTIVE_COUNT
  ) {
    return defect(
      'too-few',
      `${values.length} samples depend on one another so much that they are worth ${estimate.effectiveCount.toFixed(1)}: expected ${MIN_EFFECTIVE_COUNT}. Ask for a longer range.`,
    );
  }
  return convert(criterion, observation.unit, {
    kind: 'quantity',
    estimate,
    facts: { sampleCount: values.length, coverage, fromMs, toMs },
  });
}

/** The estimate of samples in the order of time by the criterion's estimator. */
export function estimateFrom({ estimator }: Criterion, values: readonly number[]): Estimate {
  switch (estimator.kind) {
    case 'mean':
      return estimateMean(values);
    case 'quantile':
      return estimateQuantile(values, estimator.share);
    case 'min':
      return exactly(
        values.reduce((least, value) => Math.min(least, value), Infinity),
        values.length,
      );
    case 'max':
      return exactly(
        values.reduce((most, value) => Math.max(most, value), -Infinity),
        values.length,
      );
    case 'count':
      return exactly(values.length, values.length);
    default:
      return exactly(Number.NaN);
  }
}

export function tooFew(count: number, needed: number): Defect {
  return defect('too-few', `There are ${count} samples: expected at least ${needed}.`);
}

/** The finding in the unit of the target, if what was observed can be. */
export function convert(criterion: Criterion, unit: string | undefined, finding: Finding): Finding | Defect {
  const target = criterion.target.unit;
  if (finding.kind === 'every' || target === undefined || criterion.estimator.kind === 'count')
    return finding;
  const factor = unit === undefined ? 1 : factorBetween(unit, target);
  if (factor === undefined)
    return defect(
      'unit-mismatch',
      `The values are in ${unit}: expected ${target} or what can be turned into it.`,
    );
  const { estimate } = finding;
  return {
    ...finding,
    estimate: {
      ...estimate,
      value: estimate.value * factor,
      boundAt: (confidence, side) => estimate.boundAt(confidence, side) * factor,
    },
  };
}

/** The series of an answer, exactly one unless the criterion says how several become one. */
function takeNamedSeries(
  criterion: Criterion,
  observation: SeriesObservation,
  terms: Terms,
): readonly SoundSeries[] | Defect {
  const series = takeSeries(observation, terms, {
    isShare: criterion.target.unit === 'ratio' && criterion.estimator.kind !== 'count',
    minCoverage: criterion.minCoverage,
  });
  if ('kind' in series) return series;
  const { series: naming } = criterion;
  if (naming === undefined) {
    return series.length === 1
      ? series
      : defect(
          'ambiguous-series',
          `The query has ${series.length} series: expected one. Aggregate them in the query, or name "series".`,
        );
  }
  const names = series.map(({ labels }) => labels[naming.by]);
  if (names.includes(undefined) || new Set(names).size !== names.length) {
    return defect(
      'ambiguous-series',
      `Not every series has a label "${naming.by}" of its own: expected that.`,
    );
  }
  if (naming.expect !== undefined && naming.expect !== series.length) {
    return defect(
      series.length < naming.expect ? 'low-coverage' : 'ambiguous-series',
      `The query has ${series.length} series: expected ${naming.expect}.`,
    );
  }
  return series;
}

function toSlots(samples: SoundSeries['samples'], stepMs: number): ReadonlyMap<number, number> {
  return new Map(samples.map(({ timestampMs, value }) => [Math.floor(timestampMs / stepMs), value]));
}

/** No more steps than were asked for, up to the newest of all, so that what lies before fills no gap. */
function takeRange(
  slots: readonly ReadonlyMap<number, number>[],
  steps: number,
): readonly ReadonlyMap<number, number>[] {
  const newest = slots.reduce(
    (latest, each) => [...each.keys()].reduce((a, b) => Math.max(a, b), latest),
    -Infinity,
  );
  return slots.map((each) => new Map([...each].filter(([slot]) => slot >= newest - steps)));
}

/** One value for each step that every series has a sample in, in the order of time: each step weighs the same. */
function alignSlots(
  slots: readonly ReadonlyMap<number, number>[],
  how: 'mean' | 'min' | 'max' | 'sum',
): readonly number[] {
  const [first = new Map<number, number>(), ...others] = slots;
  return [...first].flatMap(([slot, value]) => {
    const values = [value];
    for (const other of others) {
      const beside = other.get(slot);
      if (beside === undefined) return [];
      values.push(beside);
    }
    return [aggregate(values, how)];
  });
}

function aggregate(values: readonly number[], how: 'mean' | 'min' | 'max' | 'sum'): number {
  if (how === 'min') return Math.min(...values);
  if (how === 'max') return Math.max(...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return how === 'sum' ? sum : sum / values.length;
}

/** Counts of a part and its whole ▶ the part's share. */
export function reduceRatio(
  criterion: Criterion,
  observation: RatioObservation,
  terms: Terms,
): Finding | Defect {
  const total = takeCount(observation.total, terms, criterion.minCoverage);
  if ('kind' in total) return total;
  const part = takePart(criterion, observation, terms);
  if ('kind' in part) return part;
  if (Math.abs(part.timestampMs - total.timestampMs) > Math.max(terms.maxClockSkewMs, 1000)) {
    return defect('partial', 'The part and the total are of different moments: expected the same.');
  }
  if (total.value < criterion.minSamples || total.value <= 0)
    return tooFew(Math.floor(total.value), Math.max(1, criterion.minSamples));
  if (part.value > total.value)
    return defect('unit-mismatch', `The part is ${part.value} of ${total.value}: expected at most all.`);
  return {
    kind: 'quantity',
    estimate: estimateProportion(part.value, total.value, criterion.method),
    facts: { sampleCount: total.value, toMs: total.timestampMs },
  };
}

/**
 * The part's count. Where it is shown that all who would have counted were watched, a part without any count is 0, and
 * one whose last count is long ago has had no more since.
 */
function takePart(
  { minCoverage }: Criterion,
  { part, proof }: RatioObservation,
  terms: Terms,
): Count | Defect {
  const counted = takeCount(part, terms, minCoverage);
  const isSparse = 'kind' in counted && ['missing', 'stale', 'low-coverage'].includes(counted.reason);
  if (!isSparse || proof === undefined) return counted;
  const proven = takeCount(proof, terms, minCoverage);
  if ('kind' in proven) return defect(proven.reason, `That none means 0 is not shown. ${proven.message}`);
  if (proven.value !== 1)
    return defect('missing', `That none means 0 is not shown: the proof is ${proven.value}, expected 1.`);
  if (counted.reason === 'missing') return { value: 0, timestampMs: proven.timestampMs };
  return takeCount(withoutAge(part), terms, minCoverage);
}

/** The answer without what is told of the data behind it; how old the answer itself is stays. */
function withoutAge(answer: RatioObservation['part']): RatioObservation['part'] {
  if (answer.kind === 'absent') return answer;
  return { ...answer, series: answer.series.map(({ labels, samples }) => ({ labels, samples })) };
}

function takeCount(answer: RatioObservation['total'], terms: Terms, minCoverage: number): Count | Defect {
  const series = takeSeries(answer, terms, { isShare: false, minCoverage });
  if ('kind' in series) return series;
  const [first, ...others] = series.flatMap(({ samples }) => samples);
  if (first === undefined) return defect('missing', 'The source has no series for the query: expected one.');
  if (others.length > 0)
    return defect(
      'ambiguous-series',
      `The query has ${series.length} series: expected one number. Sum them in the query.`,
    );
  return first.value < 0 ? defect('unit-mismatch', `A count is ${first.value}: expected 0 or more.`) : first;
}

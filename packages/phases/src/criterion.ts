import type { DataSource, Metric, Operator, Unit } from './phase-schema.ts';

/** What is asked of a data source. */
export type Question =
  | { readonly kind: 'query'; readonly query: string }
  | { readonly kind: 'range'; readonly query: string; readonly durationMs: number; readonly stepMs: number }
  | {
      readonly kind: 'ratio';
      readonly part: 'bad' | 'good';
      readonly partQuery: string;
      readonly totalQuery: string;
      /** Answers 1 where it is shown that no series for the part means no such event. */
      readonly proofQuery: string | undefined;
    }
  | { readonly kind: 'builds'; readonly select: Readonly<Record<string, string>> }
  | { readonly kind: 'ledger'; readonly lines: readonly string[] }
  | { readonly kind: 'cluster'; readonly check: string };

export type Estimator =
  | { readonly kind: 'quantile'; readonly share: number }
  | {
      readonly kind:
        | 'value'
        | 'mean'
        | 'min'
        | 'max'
        | 'count'
        | 'all'
        | 'max-per-image'
        | 'coverage'
        | 'binomial'
        | 'median-ratio'
        | 'ratio-to-baseline';
    };

export type Target = {
  readonly operator: Operator;
  readonly value: number | string;
  readonly unit: Unit | undefined;
};

/** One metric of a phase with every default filled in: the question, how its answer is reduced, and the limit. */
export type Criterion = {
  readonly name: string;
  readonly isKeyObjective: boolean;
  /** Name of the data source that answers. */
  readonly source: string;
  readonly question: Question;
  readonly estimator: Estimator;
  /** How sure a verdict must be, one-sided; without it the estimate itself is compared with the target. */
  readonly confidence: number | undefined;
  readonly method: 'wilson' | 'clopper-pearson';
  readonly strata: readonly string[];
  readonly target: Target;
  readonly minSamples: number;
  /** Share of the samples expected in a range that must be there, for each series. */
  readonly minCoverage: number;
  readonly minDurationMs: number;
  readonly series:
    | {
        readonly aggregate: 'mean' | 'min' | 'max' | 'sum';
        readonly by: string;
        readonly expect: number | undefined;
      }
    | undefined;
  readonly baseline: { readonly ref: string; readonly sha256: string | undefined } | undefined;
  readonly missing: 'inconclusive' | 'fail';
};

const DEFAULT_COVERAGE = 0.95;
const DEFAULT_CONFIDENCE = 0.95;

/** The kind and share of an estimator by its name in a phase file, which the schema has accepted. */
export function parseEstimator(name: string): Estimator {
  if (name === 'time-weighted-mean') return { kind: 'mean' };
  if (name === 'median') return { kind: 'quantile', share: 0.5 };
  const [, percent] = /^p(\d.*)$/.exec(name) ?? [];
  if (percent !== undefined) return { kind: 'quantile', share: Number(percent) / 100 };
  return { kind: name as Exclude<Estimator['kind'], 'quantile'> };
}

/** The estimator where a metric names none: by what its question is answered with. */
export function defaultEstimatorOf(metric: Metric): string {
  if (metric.indicator !== undefined) return 'binomial';
  return metric.provider?.prometheus.rangeQuery === undefined ? 'value' : 'mean';
}

/**
 * Below this a series over time is too short to tell how much its values depend on one another, and bounds on it hold
 * less often than they promise: see estimateMean.
 */
const MIN_DEPENDENT_SAMPLES = 400;

/**
 * How many samples an estimator needs to say anything at all, whatever the file asks for: a percentile the values of
 * which are all on one side of it is no percentile.
 */
function leastSamples(estimator: Estimator, question: Question, confidence: number | undefined): number {
  if (question.kind === 'range' && confidence !== undefined) return MIN_DEPENDENT_SAMPLES;
  switch (estimator.kind) {
    case 'quantile':
      return Math.ceil(1 / Math.min(estimator.share, 1 - estimator.share) - 1e-9);
    case 'mean':
    case 'median-ratio':
      return 2;
    default:
      return 1;
  }
}

/** Undefined where the fields that make the question are missing; the rules have said so. */
export function toQuestion(metric: Metric, kind: DataSource['kind']): Question | undefined {
  switch (kind) {
    case 'prometheus':
      return toPrometheusQuestion(metric);
    case 'build-history':
      return metric.select === undefined ? undefined : { kind: 'builds', select: metric.select };
    case 'cost-ledger':
      return { kind: 'ledger', lines: metric.scope?.lines ?? [] };
    case 'cluster-snapshot':
      return metric.check === undefined ? undefined : { kind: 'cluster', check: metric.check };
  }
}

function toPrometheusQuestion(metric: Metric): Question | undefined {
  const { provider, indicator, absentMeansZero } = metric;
  if (provider !== undefined) {
    const { query, rangeQuery } = provider.prometheus;
    return rangeQuery === undefined
      ? { kind: 'query', query }
      : { kind: 'range', query, durationMs: rangeQuery.duration, stepMs: rangeQuery.step };
  }
  if (indicator === undefined) return undefined;
  const { bad, good, total } = indicator.ratioMetric;
  const partQuery = bad ?? good;
  if (partQuery === undefined) return undefined;
  return {
    kind: 'ratio',
    part: bad === undefined ? 'good' : 'bad',
    partQuery,
    totalQuery: total,
    proofQuery: absentMeansZero?.provenBy,
  };
}

export function sourceNameOf(metric: Metric): string | undefined {
  return metric.provider?.prometheus.dataSource ?? metric.dataSource;
}

/** How sure a verdict must be by one limit; two limits hold together if each holds with half the doubt. */
function toConfidence(metric: Metric, estimator: Estimator): number | undefined {
  const { method, side, confidence } = metric.statistic ?? {};
  const isEstimate = method !== undefined || estimator.kind === 'binomial';
  const asked = confidence ?? (isEstimate ? DEFAULT_CONFIDENCE : undefined);
  return asked !== undefined && side === 'two-sided' ? (1 + asked) / 2 : asked;
}

/** A metric with every default filled in. */
export function toCriterion(metric: Metric, source: string, question: Question): Criterion {
  const { statistic, target, series, baseline } = metric;
  const estimator = parseEstimator(statistic?.estimator ?? defaultEstimatorOf(metric));
  const confidence = toConfidence(metric, estimator);
  return {
    name: metric.name,
    isKeyObjective: metric.keyObjective === true,
    source,
    question,
    estimator,
    confidence,
    method: statistic?.method === 'wilson' ? 'wilson' : 'clopper-pearson',
    strata: statistic?.strata ?? [],
    target: { operator: target.op, value: target.value, unit: target.unit },
    minSamples: Math.max(metric.minSamples ?? 1, leastSamples(estimator, question, confidence)),
    minCoverage: metric.minCoverage ?? DEFAULT_COVERAGE,
    minDurationMs: metric.minDuration ?? 0,
    series: series && { aggregate: series.aggregate, by: series.by, expect: series.expect },
    baseline: baseline && { ref: baseline.ref, sha256: baseline.sha256 },
    missing: metric.missing ?? 'inconclusive',
  };
}

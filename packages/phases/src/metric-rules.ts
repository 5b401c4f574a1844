import { defaultEstimatorOf, parseEstimator, sourceNameOf } from './criterion.ts';
import { hintAt } from './nearest.ts';
import { CLUSTER_CHECKS } from './observe-cluster.ts';
import type { DataSource, Metric } from './phase-schema.ts';
import type { Path } from './phase-yaml.ts';
import { quote } from './phase-yaml.ts';

/** What breaks a rule between the fields of a metric: where in it, and the message without the field's name. */
export type Breach = { readonly path: Path; readonly message: string };

type SourceKind = DataSource['kind'];

const ESTIMATORS: Readonly<Record<SourceKind, readonly string[]>> = {
  prometheus: ['value', 'mean', 'quantile', 'min', 'max', 'count', 'binomial'],
  'build-history': ['mean', 'quantile', 'min', 'max', 'count', 'all', 'max-per-image', 'median-ratio'],
  'cost-ledger': ['ratio-to-baseline', 'coverage'],
  'cluster-snapshot': ['value'],
};
const METHODS: Readonly<Record<string, readonly string[]>> = {
  binomial: ['wilson', 'clopper-pearson'],
  mean: ['block-bootstrap'],
  quantile: ['order-statistics'],
  'median-ratio': ['stratified-bootstrap'],
};
/** A ratio that these give lies between 0 and 1; a ratio to a baseline may exceed it. */
const UNBOUNDED = ['median-ratio', 'ratio-to-baseline'];
/** Prometheus' own limit for one query. */
const MAX_POINTS = 11_000;
/** Metrics that their exporters give in percent: DCGM's utilisations, and names that say so. */
const PERCENT = /\b(?:DCGM_FI_DEV_\w*UTIL\w*|\w+(?:_percent|_percentage|_pct|:percent))\b/;

/**
 * Every rule that the fields of one metric break together.
 *
 * @param sources Kind by name; undefined for a data source that is there but has problems of its own.
 */
export function findMetricBreaches(
  metric: Metric,
  sources: ReadonlyMap<string, SourceKind | undefined>,
): readonly Breach[] {
  const name = sourceNameOf(metric);
  const kind = name === undefined ? undefined : sources.get(name);
  const namedAt: Path =
    metric.provider === undefined ? ['dataSource'] : ['provider', 'prometheus', 'dataSource'];
  const breaches: Breach[] = [
    ...findStatisticBreaches(metric),
    ...findTargetBreaches(metric),
    ...findQueryBreaches(metric),
  ];
  if (name === undefined) {
    breaches.push({
      path: [],
      message: 'names no data source: expected "dataSource" or "provider". Add one.',
    });
  } else if (!sources.has(name)) {
    const known = [...sources.keys()];
    breaches.push({
      path: namedAt,
      message: `is ${quote(name)}: expected one of spec.dataSources, ${known.map(quote).join(', ')}.${hintAt(name, known)}`,
    });
  } else if (kind !== undefined) {
    breaches.push(...findSourceBreaches(metric, kind, namedAt));
  }
  if (metric.provider !== undefined && metric.dataSource !== undefined) {
    breaches.push({
      path: ['dataSource'],
      message: 'stands beside "provider", which names one: expected one of the two. Remove it.',
    });
  }
  return breaches;
}

const BELONGS: Readonly<Record<string, SourceKind>> = {
  provider: 'prometheus',
  indicator: 'prometheus',
  series: 'prometheus',
  absentMeansZero: 'prometheus',
  select: 'build-history',
  scope: 'cost-ledger',
  check: 'cluster-snapshot',
};

function findSourceBreaches(metric: Metric, kind: SourceKind, namedAt: Path): readonly Breach[] {
  const breaches: Breach[] = [];
  for (const [field, owner] of Object.entries(BELONGS)) {
    if (metric[field as keyof Metric] === undefined || owner === kind) continue;
    breaches.push({
      path: [field],
      message: `belongs to a data source of kind "${owner}": this one is of kind "${kind}". Remove it.`,
    });
  }
  const needed: Readonly<Record<SourceKind, boolean>> = {
    prometheus: metric.provider !== undefined || metric.indicator !== undefined,
    'build-history': metric.select !== undefined,
    'cost-ledger': true,
    'cluster-snapshot': metric.check !== undefined,
  };
  if (!needed[kind]) {
    const field = {
      prometheus: 'provider',
      'build-history': 'select',
      'cost-ledger': 'scope',
      'cluster-snapshot': 'check',
    }[kind];
    breaches.push({
      path: namedAt,
      message: `is of kind "${kind}", but nothing is asked of it: expected "${field}". Add it.`,
    });
  }
  const checks: readonly string[] = CLUSTER_CHECKS;
  if (metric.check !== undefined && kind === 'cluster-snapshot' && !checks.includes(metric.check)) {
    breaches.push({
      path: ['check'],
      message: `is ${quote(metric.check)}: expected ${checks.map(quote).join(' or ')}.${hintAt(metric.check, checks)}`,
    });
  }
  const estimator = metric.statistic?.estimator ?? defaultEstimatorOf(metric);
  if (!ESTIMATORS[kind].includes(parseEstimator(estimator).kind)) {
    breaches.push({
      path: ['statistic', 'estimator'],
      message: `is ${quote(estimator)}: expected for a data source of kind "${kind}" one of ${ESTIMATORS[kind].map((each) => (each === 'quantile' ? '"p90"' : quote(each))).join(', ')}.`,
    });
  }
  return breaches;
}

function findStatisticBreaches(metric: Metric): readonly Breach[] {
  const { statistic, target } = metric;
  const name = statistic?.estimator ?? defaultEstimatorOf(metric);
  const estimator = parseEstimator(name);
  const breaches: Breach[] = [];
  const methods = METHODS[estimator.kind] ?? [];
  if (statistic?.method !== undefined && !methods.includes(statistic.method)) {
    breaches.push({
      path: ['statistic', 'method'],
      message: `is "${statistic.method}": expected for "${name}" ${methods.length === 0 ? 'none, because it is exact' : methods.map(quote).join(' or ')}.`,
    });
  }
  if (statistic?.confidence !== undefined && methods.length === 0) {
    breaches.push({
      path: ['statistic', 'confidence'],
      message: `is ${statistic.confidence}: expected none for "${name}", which is exact. Remove it.`,
    });
  }
  if (methods.length > 0 && statistic?.confidence !== undefined && ['==', '!='].includes(target.op)) {
    breaches.push({
      path: ['target', 'op'],
      message: `is "${target.op}": expected "<", "<=", ">" or ">=", because an estimate is never known exactly.`,
    });
  }
  return [...breaches, ...findSideBreaches(metric), ...findComparisonBreaches(metric, name)];
}

function findSideBreaches({ statistic, target }: Metric): readonly Breach[] {
  const breaches: Breach[] = [];
  const wanted = target.op.startsWith('<') ? 'upper' : 'lower';
  if (statistic?.side !== undefined && statistic.side !== 'two-sided' && statistic.side !== wanted) {
    breaches.push({
      path: ['statistic', 'side'],
      message: `is "${statistic.side}": expected "${wanted}", the limit that a target of "${target.op}" is shown by.`,
    });
  }
  return breaches;
}

function findComparisonBreaches(metric: Metric, name: string): readonly Breach[] {
  const estimator = parseEstimator(name);
  const breaches: Breach[] = [];
  if (UNBOUNDED.includes(estimator.kind) && metric.baseline === undefined) {
    breaches.push({
      path: [],
      message: `has no "baseline": expected one, because "${name}" compares with it. Add it.`,
    });
  }
  if (estimator.kind === 'ratio-to-baseline' && metric.scope === undefined) {
    breaches.push({
      path: [],
      message: 'has no "scope": expected the ledger lines it sums. Add scope: { lines: […] }.',
    });
  }
  return breaches;
}

function findTargetBreaches(metric: Metric): readonly Breach[] {
  const { value, unit } = metric.target;
  const name = metric.statistic?.estimator ?? defaultEstimatorOf(metric);
  const isAll = name === 'all';
  const breaches: Breach[] = [];
  if (typeof value === 'string' && !isAll) {
    breaches.push({
      path: ['target', 'value'],
      message: `is the text ${quote(value)}: expected a number; only the estimator "all" compares text.`,
    });
  }
  if (typeof value === 'string' && isAll && !['==', '!='].includes(metric.target.op)) {
    breaches.push({
      path: ['target', 'op'],
      message: `is "${metric.target.op}": expected "==" or "!=" for text.`,
    });
  }
  if (unit === undefined && typeof value === 'number') {
    breaches.push({
      path: ['target'],
      message: 'has no "unit": expected one, so that percent is not taken for a ratio. Add it.',
    });
  }
  const isBounded = unit === 'ratio' && !UNBOUNDED.includes(name);
  if (isBounded && typeof value === 'number' && (value < 0 || value > 1)) {
    breaches.push({
      path: ['target', 'value'],
      message: `is ${value}: expected a ratio from 0 to 1. Write ${value / 100} if it is a percentage.`,
    });
  }
  return breaches;
}

function findQueryBreaches(metric: Metric): readonly Breach[] {
  const breaches: Breach[] = [];
  const ratio = metric.indicator?.ratioMetric;
  const queries: readonly (readonly [Path, string | undefined])[] = [
    [['provider', 'prometheus', 'query'], metric.provider?.prometheus.query],
    [['indicator', 'ratioMetric', 'bad'], ratio?.bad],
    [['indicator', 'ratioMetric', 'good'], ratio?.good],
    [['indicator', 'ratioMetric', 'total'], ratio?.total],
  ];
  for (const [path, query] of queries) {
    if (query !== undefined && /\bor\s+(?:on\s*\(\s*\)\s*)?vector\s*\(/i.test(query)) {
      breaches.push({
        path,
        message:
          'has "or vector(…)", which makes up an answer where there is none. Remove it; "absentMeansZero" says when nothing means 0.',
      });
    }
    if (
      query !== undefined &&
      metric.target.unit === 'ratio' &&
      PERCENT.test(query) &&
      !/\/\s*100\b|\*\s*0?\.01\b/.test(query) &&
      ratio === undefined
    ) {
      breaches.push({
        path,
        message: `asks for ${PERCENT.exec(query)?.[0]}, which is in percent: expected a ratio. Divide it by 100.`,
      });
    }
  }
  if (metric.provider !== undefined && metric.indicator !== undefined) {
    breaches.push({
      path: ['indicator'],
      message: 'stands beside "provider": expected one of the two. Remove one.',
    });
  }
  if (ratio !== undefined && (ratio.bad === undefined) === (ratio.good === undefined)) {
    breaches.push({
      path: ['indicator', 'ratioMetric'],
      message: 'needs either "bad" or "good": expected one of the two.',
    });
  }
  if (metric.absentMeansZero !== undefined && ratio?.[metric.absentMeansZero.for] === undefined) {
    breaches.push({
      path: ['absentMeansZero', 'for'],
      message: `is "${metric.absentMeansZero.for}", but the metric asks for no such part.`,
    });
  }
  return [...breaches, ...findRangeBreaches(metric)];
}

function findRangeBreaches(metric: Metric): readonly Breach[] {
  const range = metric.provider?.prometheus.rangeQuery;
  const estimator = parseEstimator(metric.statistic?.estimator ?? defaultEstimatorOf(metric)).kind;
  const breaches: Breach[] = [];
  if (range !== undefined && (range.duration < range.step || range.duration / range.step > MAX_POINTS)) {
    breaches.push({
      path: ['provider', 'prometheus', 'rangeQuery', 'step'],
      message: `gives ${Math.floor(range.duration / range.step)} steps: expected 1 to ${MAX_POINTS}.`,
    });
  }
  if (range !== undefined && (metric.minDuration ?? 0) > range.duration) {
    breaches.push({
      path: ['minDuration'],
      message: 'is longer than the range asked for: no answer could be enough. Ask for a longer range.',
    });
  }
  if (metric.provider !== undefined && (range === undefined) !== (estimator === 'value')) {
    breaches.push({
      path: metric.statistic === undefined ? [] : ['statistic', 'estimator'],
      message:
        range === undefined
          ? 'needs "rangeQuery": a single answer has no statistic but "value".'
          : 'is "value": expected a statistic over the range, such as "mean".',
    });
  }
  if (metric.provider === undefined && metric.indicator !== undefined && estimator !== 'binomial') {
    breaches.push({
      path: ['statistic', 'estimator'],
      message: 'is not "binomial": expected that for "ratioMetric".',
    });
  }
  return breaches;
}

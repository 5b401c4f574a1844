import * as z from 'zod/mini';

const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `15m`, `6h`, `14d` ▶ milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|w)$/.exec(text) ?? [];
  const factor = MS[unit ?? ''];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

/** Text that a rule accepts; the words say what is expected, and end a message. */
function textThat(isAccepted: (text: string) => boolean, expected: string) {
  return z.string().check(z.refine(isAccepted, { error: expected }));
}

const isPositiveDuration = (text: string) => (parseDuration(text) ?? 0) > 0;
const duration = z.pipe(
  textThat(isPositiveDuration, 'a time such as "90s", "6h" or "14d"'),
  z.transform((text: string) => parseDuration(text) ?? Number.NaN),
);
const label = textThat(
  (text) => /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/.test(text),
  'small letters, digits, "-" and ".", at most 63',
);
const line = textThat((text) => text.trim() !== '' && text.length <= 4000, 'a text of 1 to 4,000 characters');
const moment = z.pipe(
  textThat(
    (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(text) && !Number.isNaN(Date.parse(text)),
    'a time in UTC such as "2026-12-01T00:00:00Z"',
  ),
  z.transform((text: string) => Date.parse(text)),
);
const count = z
  .number()
  .check(z.refine((value) => Number.isInteger(value) && value > 0, { error: 'a whole number above 0' }));
const share = z
  .number()
  .check(
    z.refine((value) => value > 0 && value <= 1, { error: 'a share above 0 and at most 1, such as 0.95' }),
  );
const finite = z.number().check(z.refine(Number.isFinite, { error: 'a finite number' }));

export const UNITS = [
  'ratio',
  'count',
  'ms',
  's',
  'min',
  'h',
  'bytes',
  'kB',
  'MB',
  'GB',
  'KiB',
  'MiB',
  'GiB',
  'usd',
] as const;
export type Unit = (typeof UNITS)[number];
export const OPERATORS = ['<', '<=', '>', '>=', '==', '!='] as const;
export type Operator = (typeof OPERATORS)[number];

const httpAddress = textThat(
  (text) => /^https?:\/\/[^\s@]+$/.test(text) && URL.canParse(text),
  'an http or https address without a user name',
);
const path = textThat(
  (text) => /^[\w][\w./@-]{0,250}$/.test(text) && !text.split('/').includes('..'),
  'a path in the repository, relative and without ".."',
);

export const dataSourceSchema = z.strictObject({
  name: label,
  kind: z.enum(['prometheus', 'build-history', 'cost-ledger', 'cluster-snapshot']),
  address: z.optional(httpAddress),
  timeout: z.optional(duration),
  retries: z.optional(
    z.number().check(
      z.refine((value) => Number.isInteger(value) && value >= 0 && value <= 10, {
        error: 'a whole number from 0 to 10',
      }),
    ),
  ),
  ref: z.optional(line),
  path: z.optional(path),
  prices: z.optional(path),
});

export const taskSchema = z.strictObject({
  id: line,
  title: line,
  verify: z.optional(z.array(line)),
  rollback: z.optional(
    z.strictObject({
      workflow: z.optional(line),
      image: z.optional(z.enum(['previous-digest'])),
      manifest: z.optional(path),
      drillMaxAge: z.optional(duration),
    }),
  ),
});

const isEstimator = (text: string) =>
  [
    'value',
    'mean',
    'time-weighted-mean',
    'median',
    'min',
    'max',
    'count',
    'all',
    'max-per-image',
    'coverage',
    'binomial',
    'median-ratio',
    'ratio-to-baseline',
  ].includes(text) || /^p(?!0+(?:\.0*)?$)\d{1,2}(?:\.\d{1,2})?$/.test(text);

export const metricSchema = z.strictObject({
  name: label,
  keyObjective: z.optional(z.boolean()),
  dataSource: z.optional(line),
  provider: z.optional(
    z.strictObject({
      prometheus: z.strictObject({
        dataSource: line,
        query: line,
        rangeQuery: z.optional(z.strictObject({ duration, step: duration })),
      }),
    }),
  ),
  indicator: z.optional(
    z.strictObject({
      ratioMetric: z.strictObject({
        counter: z.optional(z.boolean()),
        bad: z.optional(line),
        good: z.optional(line),
        total: line,
      }),
    }),
  ),
  scope: z.optional(z.strictObject({ lines: z.array(line).check(z.minLength(1)) })),
  select: z.optional(z.record(z.string(), line)),
  check: z.optional(label),
  series: z.optional(
    z.strictObject({ aggregate: z.enum(['mean', 'min', 'max', 'sum']), by: line, expect: z.optional(count) }),
  ),
  statistic: z.optional(
    z.strictObject({
      estimator: textThat(
        isEstimator,
        'one of "value", "mean", "time-weighted-mean", "median", "p90" (or another percentile), "min", "max", "count", "all", "max-per-image", "coverage", "binomial", "median-ratio", "ratio-to-baseline"',
      ),
      method: z.optional(
        z.enum(['wilson', 'clopper-pearson', 'block-bootstrap', 'stratified-bootstrap', 'order-statistics']),
      ),
      confidence: z.optional(
        z.number().check(
          z.refine((value) => value > 0.5 && value < 1, {
            error: 'a number above 0.5 and below 1, such as 0.95',
          }),
        ),
      ),
      side: z.optional(z.enum(['lower', 'upper', 'two-sided'])),
      strata: z.optional(z.array(line)),
    }),
  ),
  target: z.strictObject({
    op: z.enum(OPERATORS),
    value: z.union([finite, z.string()]),
    unit: z.optional(z.enum(UNITS)),
  }),
  minSamples: z.optional(count),
  minCoverage: z.optional(share),
  minDuration: z.optional(duration),
  baseline: z.optional(
    z.strictObject({
      kind: z.enum(['build-history', 'ledger-snapshot']),
      ref: line,
      sha256: z.optional(line),
    }),
  ),
  absentMeansZero: z.optional(z.strictObject({ for: z.enum(['bad', 'good']), provenBy: line })),
  missing: z.optional(z.enum(['inconclusive', 'fail'])),
});

/** All but the lists whose members are read one by one, so that a problem in one hides none in another. */
export const phaseSchema = z.strictObject({
  apiVersion: z.literal('migration.sophia.ai/v1alpha1'),
  kind: z.literal('Phase'),
  metadata: z.strictObject({ name: label, displayName: z.optional(line) }),
  spec: z.strictObject({
    dependsOn: z.optional(
      z.array(z.strictObject({ phase: label, stillHolds: z.array(line).check(z.minLength(1)) })),
    ),
    window: z.strictObject({ start: moment, duration }),
    evidence: z.strictObject({ maxAge: duration, maxClockSkew: z.optional(duration) }),
    budgets: z.optional(
      z.array(z.strictObject({ name: label, limit: finite, unit: z.enum(UNITS), per: duration })),
    ),
    dataSources: z.array(z.unknown()).check(z.minLength(1)),
    tasks: z.optional(z.array(z.unknown())),
    metrics: z.array(z.unknown()).check(z.minLength(1)),
    decision: z.strictObject({
      require: z.enum(['all']),
      onInconclusive: textThat(
        (text) => text === 'block' || isPositiveDuration(/^hold\((.*)\)$/.exec(text)?.[1] ?? ''),
        '"block" or "hold(6h)"',
      ),
      multiplicity: z.optional(z.enum(['holm', 'none'])),
    }),
  }),
});

export type DataSource = z.infer<typeof dataSourceSchema>;
export type Task = z.infer<typeof taskSchema>;
export type Metric = z.infer<typeof metricSchema>;
export type PhaseDocumentShape = z.infer<typeof phaseSchema>;

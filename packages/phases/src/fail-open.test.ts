import type { Observation } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import type { Criterion } from './criterion.ts';
import { judgeCriterion } from './judge-criterion.ts';
import type { Terms } from './sound-samples.ts';

/*
 * Evidence with a defect never passes, whatever the target: each defect is tried against targets that any number
 * meets, so that a comparison with what the defect leaves behind would pass.
 */

const DAY = 86_400_000;
const MINUTE = 60_000;
const now = Date.UTC(2026, 11, 16);
const terms: Terms = {
  nowMs: now,
  maxAgeMs: 6 * 3_600_000,
  maxClockSkewMs: 30_000,
  windowStartMs: now - 15 * DAY,
};

type SeriesObservation = Extract<Observation, { kind: 'series' }>;
type RunsObservation = Extract<Observation, { kind: 'runs' }>;
type LedgerObservation = Extract<Observation, { kind: 'ledger' }>;
type Value = SeriesObservation['series'][number]['samples'][number]['value'];

const common = {
  name: 'metric',
  isKeyObjective: false,
  source: 'source',
  confidence: undefined,
  method: 'clopper-pearson',
  strata: [],
  minSamples: 1,
  minCoverage: 0.95,
  minDurationMs: 0,
  series: undefined,
  baseline: undefined,
  missing: 'inconclusive',
} as const;

const instant: Criterion = {
  ...common,
  question: { kind: 'query', query: 'min(up)' },
  estimator: { kind: 'value' },
  target: { operator: '>=', value: 0.8, unit: 'ratio' },
};
const range: Criterion = {
  ...common,
  question: { kind: 'range', query: 'util', durationMs: DAY, stepMs: MINUTE },
  estimator: { kind: 'mean' },
  confidence: 0.95,
  target: { operator: '>=', value: 0.8, unit: 'ratio' },
  minDurationMs: DAY,
  minSamples: 100,
};
const ratio: Criterion = {
  ...common,
  question: { kind: 'ratio', part: 'bad', partQuery: 'bad', totalQuery: 'total', proofQuery: 'proof' },
  estimator: { kind: 'binomial' },
  confidence: 0.95,
  target: { operator: '<', value: 0.001, unit: 'ratio' },
  minSamples: 2995,
};
const builds: Criterion = {
  ...common,
  question: { kind: 'builds', select: { scenario: 'unchanged' } },
  estimator: { kind: 'quantile', share: 0.9 },
  target: { operator: '<=', value: 8, unit: 's' },
  minSamples: 20,
};
const faster: Criterion = {
  ...builds,
  estimator: { kind: 'median-ratio' },
  confidence: 0.95,
  strata: ['cpuModel'],
  target: { operator: '<=', value: 0.4, unit: 'ratio' },
  baseline: { ref: 'baseline', sha256: 'a'.repeat(64) },
};
const ledger: Criterion = {
  ...common,
  question: { kind: 'ledger', lines: ['inference'] },
  estimator: { kind: 'ratio-to-baseline' },
  target: { operator: '<=', value: 0.27, unit: 'ratio' },
  baseline: { ref: 'baseline', sha256: 'a'.repeat(64) },
};
const metered: Criterion = {
  ...common,
  question: { kind: 'ledger', lines: [] },
  estimator: { kind: 'coverage' },
  target: { operator: '>=', value: 0.999, unit: 'ratio' },
};

function at(value: Value, timestampMs = now, labels: Record<string, string> = {}): SeriesObservation {
  return {
    kind: 'series',
    observedAtMs: now,
    warnings: [],
    series: [{ labels, samples: [{ timestampMs, value }] }],
  };
}

/** A day of minutes around a mean, with a wave of half an hour. */
function day(mean: number, labels: Record<string, string> = {}): SeriesObservation {
  return {
    kind: 'series',
    observedAtMs: now,
    warnings: [],
    series: [
      {
        labels,
        samples: Array.from({ length: 1441 }, (_, index) => ({
          timestampMs: now - DAY + index * MINUTE,
          value: mean + 0.02 * Math.sin(index / 5),
        })),
      },
    ],
  };
}

function counts(
  part: SeriesObservation | Extract<Observation, { kind: 'absent' }>,
  total: SeriesObservation | Extract<Observation, { kind: 'absent' }>,
): Extract<Observation, { kind: 'ratio' }> {
  return { kind: 'ratio', part, total };
}

function runs(value: RunsObservation['runs'][number]['value'], count = 40): RunsObservation {
  const run = (index: number, each: typeof value) => ({
    timestampMs: now - DAY + index * MINUTE,
    value: typeof each === 'number' ? each + (index % 5) * 100 : each,
    image: 'api',
    strata: { cpuModel: 'EPYC' },
  });
  return {
    kind: 'runs',
    observedAtMs: now,
    unit: 'ms',
    runs: Array.from({ length: count }, (_, index) => run(index, value)),
    baseline: {
      ref: 'baseline',
      sha256: 'a'.repeat(64),
      runs: Array.from({ length: 40 }, (_, index) => run(index, 20_000)),
    },
  };
}

function money(usdPerMonth: string, billedTokens = 1000): LedgerObservation {
  return {
    kind: 'ledger',
    observedAtMs: now,
    lines: [{ id: 'inference', usdPerMonth }],
    baseline: { ref: 'baseline', sha256: 'a'.repeat(64), lines: [{ id: 'inference', usdPerMonth: '930' }] },
    usage: [{ model: 'llama', servedTokens: 1000, billedTokens }],
  };
}

const empty: SeriesObservation = { ...at(1), series: [] };
const withSeries = (
  observation: SeriesObservation,
  series: SeriesObservation['series'],
): SeriesObservation => ({ ...observation, series });
const mapRuns = (
  observation: RunsObservation,
  change: (run: RunsObservation['runs'][number]) => RunsObservation['runs'][number],
): RunsObservation => ({
  ...observation,
  runs: observation.runs.map((run, index) => (index === 3 ? change(run) : run)),
});
const mapDay = (
  change: (
    sample: SeriesObservation['series'][number]['samples'][number],
    index: number,
  ) => SeriesObservation['series'][number]['samples'][number] | undefined,
): SeriesObservation => {
  const whole = day(0.9);
  return withSeries(
    whole,
    whole.series.map((each) => ({
      ...each,
      samples: each.samples.flatMap((sample, index) => change(sample, index) ?? []),
    })),
  );
};

const KINDS = {
  instant: { criterion: instant, pass: at(0.9), fail: at(0.7) },
  range: { criterion: range, pass: day(0.9), fail: day(0.7) },
  ratio: { criterion: ratio, pass: counts(at(0), at(3000)), fail: counts(at(30), at(3000)) },
  builds: { criterion: builds, pass: runs(7000), fail: runs(9000) },
  faster: { criterion: faster, pass: runs(7000), fail: runs(9000) },
  ledger: { criterion: ledger, pass: money('250'), fail: money('300') },
  metered: { criterion: metered, pass: money('250'), fail: money('250', 990) },
} as const satisfies Record<string, { criterion: Criterion; pass: Observation; fail: Observation }>;
type Kind = keyof typeof KINDS;

describe('evidence without a defect', () => {
  it.each(Object.entries(KINDS))('passes and fails as it should: %s', (_, { criterion, pass, fail }) => {
    expect(judgeCriterion(criterion, pass, terms).verdict).toEqual({ kind: 'pass' });
    expect(judgeCriterion(criterion, fail, terms).verdict.kind).toBe('fail');
  });
});

/** What each defect looks like for each kind of criterion that can have it, and the reason it must give. */
const absences = [
  'missing',
  'provider-error',
  'rate-limited',
  'timeout',
  'redirect',
  'not-data',
  'partial',
  'unit-mismatch',
  'baseline-missing',
] as const;
const absent = (reason: (typeof absences)[number]): Extract<Observation, { kind: 'absent' }> => ({
  kind: 'absent',
  reason,
  message: `It is ${reason}.`,
});

const defects: readonly (readonly [string, string, Partial<Record<Kind, Observation>>])[] = [
  ...absences.map((reason): [string, string, Partial<Record<Kind, Observation>>] => [
    `the source’s answer is ${reason}`,
    reason,
    {
      instant: absent(reason),
      range: absent(reason),
      ratio: counts(at(0), absent(reason)),
      builds: absent(reason),
      faster: absent(reason),
      ledger: absent(reason),
      metered: absent(reason),
    },
  ]),
  [
    'nothing is there',
    'missing',
    {
      instant: empty,
      range: empty,
      ratio: counts(at(0), empty),
      builds: runs(7000, 0),
      faster: runs(7000, 0),
      ledger: { ...money('250'), lines: [] },
      metered: { ...money('250'), usage: [] },
    },
  ],
  [
    'a series without samples',
    'missing',
    {
      instant: withSeries(at(1), [{ labels: {}, samples: [] }]),
      range: withSeries(at(1), [{ labels: {}, samples: [] }]),
      ratio: counts(at(0), withSeries(at(1), [{ labels: {}, samples: [] }])),
      builds: mapRuns(runs(7000), ({ value: _, ...run }) => run),
    },
  ],
  ['only the part is missing, and no proof', 'missing', { ratio: counts(empty, at(3000)) }],
  ['the proof is not given', 'missing', { ratio: { ...counts(empty, at(3000)), proof: empty } }],
  ['the proof is not 1', 'missing', { ratio: { ...counts(empty, at(3000)), proof: at(0.99) } }],
  ['the proof failed', 'timeout', { ratio: { ...counts(empty, at(3000)), proof: absent('timeout') } }],
  [
    'the part failed, beside a good proof',
    'provider-error',
    { ratio: { ...counts(absent('provider-error'), at(3000)), proof: at(1) } },
  ],
  ...(['NaN', '+Inf', '-Inf'] as const).map((value): [string, string, Partial<Record<Kind, Observation>>] => [
    `a value is ${value}`,
    value === 'NaN' ? 'nan' : 'inf',
    {
      instant: at(value),
      range: mapDay((sample, index) => (index === 700 ? { ...sample, value } : sample)),
      ratio: counts(at(value), at(3000)),
      builds: mapRuns(runs(7000), (run) => ({ ...run, value })),
      faster: mapRuns(runs(7000), (run) => ({ ...run, value })),
    },
  ]),
  ['the total is NaN', 'nan', { ratio: counts(at(0), at('NaN')) }],
  [
    'a number is NaN',
    'nan',
    { instant: at(Number.NaN), builds: mapRuns(runs(7000), (run) => ({ ...run, value: Number.NaN })) },
  ],
  [
    'a number is infinite',
    'inf',
    {
      instant: at(Infinity),
      ratio: counts(at(0), at(Infinity)),
      builds: mapRuns(runs(7000), (run) => ({ ...run, value: -Infinity })),
    },
  ],
  [
    'a text stands for a number',
    'not-data',
    { builds: mapRuns(runs(7000), (run) => ({ ...run, value: '7000' })) },
  ],
  [
    'the answer is a day old',
    'stale',
    {
      instant: { ...at(0.9), observedAtMs: now - DAY },
      range: { ...day(0.9), observedAtMs: now - DAY },
      ratio: counts(at(0), { ...at(3000), observedAtMs: now - DAY }),
      builds: { ...runs(7000), observedAtMs: now - DAY },
      faster: { ...runs(7000), observedAtMs: now - DAY },
      ledger: { ...money('250'), observedAtMs: now - DAY },
      metered: { ...money('250'), observedAtMs: now - DAY },
    },
  ],
  [
    'the newest sample is a day old',
    'stale',
    {
      instant: at(0.9, now - DAY),
      range: mapDay((sample) => ({ ...sample, timestampMs: sample.timestampMs - DAY })),
      ratio: counts(at(0, now - DAY), at(3000, now - DAY)),
    },
  ],
  [
    'the answer is from the future',
    'clock-skew',
    {
      instant: { ...at(0.9), observedAtMs: now + MINUTE },
      range: { ...day(0.9), observedAtMs: now + MINUTE },
      ratio: counts({ ...at(0), observedAtMs: now + MINUTE }, at(3000)),
      builds: { ...runs(7000), observedAtMs: now + MINUTE },
      ledger: { ...money('250'), observedAtMs: now + MINUTE },
    },
  ],
  [
    'a sample is from the future',
    'clock-skew',
    {
      instant: at(0.9, now + MINUTE),
      builds: mapRuns(runs(7000), (run) => ({ ...run, timestampMs: now + MINUTE })),
    },
  ],
  [
    'the answer has no time',
    'stale',
    {
      instant: { ...at(0.9), observedAtMs: Number.NaN },
      builds: { ...runs(7000), observedAtMs: Number.NaN },
      ledger: { ...money('250'), observedAtMs: Number.NaN },
    },
  ],
  [
    'too few',
    'too-few',
    {
      ratio: counts(at(0), at(2994)),
      builds: runs(7000, 19),
      faster: runs(7000, 19),
    },
  ],
  ['no trial at all', 'too-few', { ratio: counts(at(0), at(0)) }],
  ['half the time', 'too-short', { range: mapDay((sample, index) => (index < 720 ? undefined : sample)) }],
  ['gaps', 'low-coverage', { range: mapDay((sample, index) => (index % 10 === 5 ? undefined : sample)) }],
  [
    'gaps, with as many samples elsewhere',
    'low-coverage',
    {
      range: withSeries(day(0.9), [
        {
          labels: {},
          samples: [
            ...Array.from({ length: 1440 }, (_, index) => ({
              timestampMs: now - DAY + index * 10,
              value: 0.9,
            })),
            { timestampMs: now, value: 0.9 },
          ],
        },
      ]),
    },
  ],
  [
    'several series',
    'ambiguous-series',
    {
      instant: withSeries(at(0.9), [...at(0.9).series, ...at(0.9, now, { a: 'b' }).series]),
      range: withSeries(day(0.9), [...day(0.9).series, ...day(0.9, { a: 'b' }).series]),
      ratio: counts(at(0), withSeries(at(3000), [...at(3000).series, ...at(3000, now, { a: 'b' }).series])),
    },
  ],
  [
    'several samples for one moment',
    'not-data',
    {
      instant: day(0.9),
      range: withSeries(day(0.9), [
        { labels: {}, samples: [...(day(0.9).series[0]?.samples ?? []), { timestampMs: now, value: 0.9 }] },
      ]),
    },
  ],
  [
    'out of order',
    'not-data',
    {
      range: withSeries(
        day(0.9),
        day(0.9).series.map((each) => ({ ...each, samples: each.samples.toReversed() })),
      ),
    },
  ],
  [
    'percent for a ratio',
    'unit-mismatch',
    { instant: at(90), range: mapDay((sample) => ({ ...sample, value: 90 })), metered: money('250', 99_900) },
  ],
  ['more of the part than of the whole', 'unit-mismatch', { ratio: counts(at(4000), at(3000)) }],
  ['less than none', 'unit-mismatch', { instant: at(-0.1), ratio: counts(at(-1), at(3000)) }],
  [
    'another unit',
    'unit-mismatch',
    {
      instant: { ...at(0.9), unit: 's' },
      range: { ...day(0.9), unit: 'bytes' },
      builds: { ...runs(7000), unit: 'bytes' },
    },
  ],
  [
    'a unit nobody knows',
    'unit-mismatch',
    { instant: { ...at(0.9), unit: 'percent' }, builds: { ...runs(7000), unit: 'constructor' } },
  ],
  [
    'a warning beside the answer',
    'partial',
    {
      instant: { ...at(0.9), warnings: ['partial response'] },
      range: { ...day(0.9), warnings: ['x'] },
      ratio: counts(at(0), { ...at(3000), warnings: ['x'] }),
    },
  ],
  ['part and total of different moments', 'partial', { ratio: counts(at(0, now - 3_600_000), at(3000)) }],
  [
    'no baseline',
    'baseline-missing',
    { faster: { ...runs(7000), baseline: undefined }, ledger: { ...money('250'), baseline: undefined } },
  ],
  [
    'another baseline',
    'baseline-missing',
    {
      faster: { ...runs(7000), baseline: { ref: 'other', sha256: 'a'.repeat(64), runs: runs(20_000).runs } },
      ledger: {
        ...money('250'),
        baseline: { ref: 'other', sha256: 'a'.repeat(64), lines: [{ id: 'inference', usdPerMonth: '930' }] },
      },
    },
  ],
  [
    'a baseline with another digest',
    'baseline-missing',
    {
      faster: {
        ...runs(7000),
        baseline: { ref: 'baseline', sha256: 'b'.repeat(64), runs: runs(20_000).runs },
      },
      ledger: {
        ...money('250'),
        baseline: { ref: 'baseline', lines: [{ id: 'inference', usdPerMonth: '930' }] },
      },
    },
  ],
  [
    'a baseline of nothing',
    'baseline-missing',
    {
      faster: { ...runs(7000), baseline: { ref: 'baseline', sha256: 'a'.repeat(64), runs: [] } },
      ledger: {
        ...money('250'),
        baseline: { ref: 'baseline', sha256: 'a'.repeat(64), lines: [{ id: 'inference', usdPerMonth: '0' }] },
      },
    },
  ],
  [
    'a baseline of other machines',
    'baseline-missing',
    {
      faster: {
        ...runs(7000),
        runs: runs(7000).runs.map((run) => ({ ...run, strata: { cpuModel: 'other' } })),
      },
    },
  ],
  [
    'runs that do not tell their machine',
    'missing',
    { faster: mapRuns(runs(7000), (run) => ({ ...run, strata: {} })) },
  ],
  ['runs of no length', 'not-data', { faster: mapRuns(runs(7000), (run) => ({ ...run, value: 0 })) }],
  [
    'a line that is missing',
    'missing',
    { ledger: { ...money('250'), lines: [{ id: 'total', usdPerMonth: '250' }] } },
  ],
  [
    'a line that is there twice',
    'missing',
    { ledger: { ...money('250'), lines: [...money('250').lines, ...money('1').lines] } },
  ],
  ['an amount that is none', 'missing', { ledger: money('-250') }],
  [
    'an answer to another question',
    'not-data',
    {
      instant: runs(7000),
      range: money('250'),
      ratio: day(0.9),
      builds: at(7),
      faster: at(7),
      ledger: runs(7000),
      metered: at(1),
    },
  ],
];

const cases = defects.flatMap(([name, reason, observations]) =>
  (Object.entries(observations) as [Kind, Observation][]).map(([kind, observation]) => ({
    name,
    reason,
    kind,
    observation,
  })),
);

describe('evidence with a defect', () => {
  it('is a baseline of fewer runs than asked for', () => {
    const observation = runs(7000);
    const few = {
      ...observation,
      baseline: { ref: 'baseline', sha256: 'a'.repeat(64), runs: runs(20_000, 19).runs },
    };
    expect(judgeCriterion(faster, few, terms).verdict).toMatchObject({ reason: 'baseline-missing' });
  });

  it('is a list of runs that does not tell the unit', () => {
    const { unit: _, ...observation } = runs(7);
    expect(judgeCriterion(builds, observation, terms).verdict).toMatchObject({ reason: 'unit-mismatch' });
  });

  it.each(cases)('$name ▶ $reason ($kind)', ({ reason, kind, observation }) => {
    const { verdict } = judgeCriterion(KINDS[kind].criterion, observation, terms);
    expect(verdict).toEqual({ kind: 'inconclusive', reason, message: expect.any(String) });
  });

  it.each(cases)('$name is no pass by any target ($kind)', ({ kind, observation }) => {
    const { criterion } = KINDS[kind];
    for (const [operator, value] of [
      ['>=', -1e300],
      ['>', -1e300],
      ['<=', 1e300],
      ['<', 1e300],
      ['!=', 12345.678],
    ] as const) {
      for (const confidence of [criterion.confidence, undefined]) {
        const open = { ...criterion, confidence, target: { ...criterion.target, operator, value } };
        expect(judgeCriterion(open, observation, terms).verdict.kind).toBe('inconclusive');
      }
    }
  });

  it('takes nothing from before the window', () => {
    const late: Terms = { ...terms, windowStartMs: now - DAY / 2 };
    expect(
      judgeCriterion(instant, at(0.9, now - MINUTE), { ...terms, windowStartMs: now }).verdict,
    ).toMatchObject({
      reason: 'window-open',
    });
    expect(judgeCriterion(range, day(0.9), late).verdict).toMatchObject({ reason: 'too-short' });
    expect(judgeCriterion({ ...range, minDurationMs: 0 }, day(0.9), late).verdict).toMatchObject({
      reason: 'low-coverage',
    });
    expect(judgeCriterion(builds, runs(7000), late).verdict).toMatchObject({ reason: 'missing' });
    expect(judgeCriterion(ledger, money('250'), { ...terms, windowStartMs: now + 1 }).verdict).toMatchObject({
      reason: 'window-open',
    });
  });

  it('takes nothing from before the range asked for to fill its gaps', () => {
    const hour: Criterion = {
      ...range,
      question: { kind: 'range', query: 'util', durationMs: 60 * MINUTE, stepMs: MINUTE },
      minDurationMs: 0,
      minSamples: 1,
    };
    const gappy = mapDay((sample, index) => (index > 1440 - 60 && index < 1440 - 30 ? undefined : sample));
    expect(judgeCriterion(hour, gappy, terms).verdict).toMatchObject({ reason: 'low-coverage' });
  });

  it('needs the series that are expected, each with its own label', () => {
    const fleet: Criterion = { ...range, series: { aggregate: 'mean', by: 'UUID', expect: 2 } };
    const of = (...names: readonly (string | undefined)[]) =>
      withSeries(
        day(0.9),
        names.flatMap((name) => day(0.9, name === undefined ? {} : { UUID: name }).series),
      );
    expect(judgeCriterion(fleet, of('a', 'b'), terms).verdict).toEqual({ kind: 'pass' });
    expect(judgeCriterion(fleet, of('a'), terms).verdict).toMatchObject({ reason: 'low-coverage' });
    expect(judgeCriterion(fleet, of('a', 'b', 'c'), terms).verdict).toMatchObject({
      reason: 'ambiguous-series',
    });
    expect(judgeCriterion(fleet, of('a', 'a'), terms).verdict).toMatchObject({ reason: 'ambiguous-series' });
    expect(judgeCriterion(fleet, of('a', undefined), terms).verdict).toMatchObject({
      reason: 'ambiguous-series',
    });
  });

  it('needs moments that the series have in common', () => {
    const fleet: Criterion = {
      ...range,
      series: { aggregate: 'mean', by: 'UUID', expect: undefined },
      minCoverage: 0.4,
      minDurationMs: 0,
    };
    const half = (name: string, remainder: number) => ({
      labels: { UUID: name },
      samples: (day(0.9).series[0]?.samples ?? []).filter(
        (_, index) => index % 2 === remainder || index === 1440,
      ),
    });
    expect(
      judgeCriterion(fleet, withSeries(day(0.9), [half('a', 0), half('b', 1)]), terms).verdict,
    ).toMatchObject({ reason: 'low-coverage' });
  });

  it('is undecided where the estimate meets the target and its limit does not', () => {
    // 2 of 3,000: at 95 % at most 0.0021 (scipy: beta.ppf(0.95, 3, 2998)).
    expect(judgeCriterion(ratio, counts(at(2), at(3000)), terms)).toMatchObject({
      value: 2 / 3000,
      upper: expect.closeTo(0.0020973, 6),
      verdict: { kind: 'inconclusive', reason: 'undecided' },
    });
    // 4 of 3,000: the estimate misses the target, but at 95 % it may still be 0.00046.
    expect(judgeCriterion(ratio, counts(at(4), at(3000)), terms).verdict).toMatchObject({
      reason: 'undecided',
    });
  });

  it('takes the newest build of each image', () => {
    const size: Criterion = {
      ...builds,
      estimator: { kind: 'max-per-image' },
      target: { operator: '<=', value: 1.2, unit: 'GB' },
      minSamples: 1,
    };
    const built = (image: string, value: number, minute: number) => ({
      timestampMs: now - DAY + minute * MINUTE,
      value,
      image,
      strata: {},
    });
    const sizes = (...list: RunsObservation['runs']): RunsObservation => ({
      kind: 'runs',
      observedAtMs: now,
      unit: 'bytes',
      runs: list,
    });
    const small = built('api', 1.1e9, 2);
    expect(judgeCriterion(size, sizes(small, built('api', 2.5e9, 1)), terms)).toMatchObject({
      value: expect.closeTo(1.1, 9),
      verdict: { kind: 'pass' },
    });
    expect(judgeCriterion(size, sizes(small, built('api', 2.5e9, 3)), terms).verdict.kind).toBe('fail');
    expect(judgeCriterion(size, sizes(small, built('worker', 2.5e9, 1)), terms).verdict.kind).toBe('fail');
  });

  // The plan's own figures: $5,147.60 ▶ $2,390 as it claims, ratio 0.464; $3,677.60 ▶ $2,390 net, ratio 0.650.
  it('judges a cost net of what the ledger holds twice, and says both', () => {
    const lines = (
      inference: string,
      infrastructure: string,
      partOf?: string,
    ): LedgerObservation['lines'] => [
      { id: 'inference', usdPerMonth: inference, ...(partOf === undefined ? {} : { partOf }) },
      { id: 'infrastructure', usdPerMonth: infrastructure },
    ];
    const total: Criterion = {
      ...ledger,
      question: { kind: 'ledger', lines: ['inference', 'infrastructure'] },
      target: { operator: '<=', value: 0.6, unit: 'ratio' },
    };
    const observation: LedgerObservation = {
      ...money('0'),
      lines: lines('250', '2140'),
      baseline: {
        ref: 'baseline',
        sha256: 'a'.repeat(64),
        lines: lines('1470', '3677.60', 'infrastructure'),
      },
    };
    const { value, verdict, notes } = judgeCriterion(total, observation, terms);
    expect(value).toBeCloseTo(0.65, 3);
    expect(verdict.kind).toBe('fail');
    expect(notes).toEqual([
      'as the plan claims: $5,147.60 ▶ $2,390.00 a month, ratio 0.464',
      'net of overlap: $3,677.60 ▶ $2,390.00 a month (inference is part of infrastructure)',
    ]);
  });

  it('is not sure of a mean by samples that say the same over and over', () => {
    const drift = mapDay((sample, index) => ({ ...sample, value: 0.9 + Math.sin(index / 400) / 20 }));
    expect(judgeCriterion(range, drift, terms).verdict).toMatchObject({ reason: 'too-few' });
    const hour: Criterion = {
      ...range,
      question: { kind: 'range', query: 'util', durationMs: 60 * MINUTE, stepMs: MINUTE },
      minDurationMs: 0,
    };
    const slope = mapDay((sample, index) => ({ ...sample, value: 0.9 + index / 100_000 }));
    expect(judgeCriterion({ ...hour, minSamples: 50 }, slope, terms).verdict).toMatchObject({
      reason: 'too-few',
    });
  });

  // OCI image specification, config.User: user, uid, user:group or uid:gid; root where it is empty.
  it.each(['', '0', 'root', '0:0', 'root:root', ' 0 ', '00', ':1000'])('knows root as %j', (user) => {
    const nonRoot: Criterion = {
      ...builds,
      question: { kind: 'builds', select: { field: 'config.user' } },
      estimator: { kind: 'all' },
      target: { operator: '!=', value: '0', unit: undefined },
      minSamples: 1,
    };
    expect(
      judgeCriterion(
        nonRoot,
        mapRuns(runs('1000'), (run) => ({ ...run, value: user })),
        terms,
      ).verdict,
    ).toEqual({
      kind: 'fail',
      message: `api has ${JSON.stringify(user)}: expected != "0" in every run.`,
    });
    expect(judgeCriterion(nonRoot, runs('1000:1000'), terms).verdict).toEqual({ kind: 'pass' });
  });

  it('counts no run twice', () => {
    const few = runs(7000, 10).runs;
    const { verdict } = judgeCriterion(builds, { ...runs(7000), runs: [...few, ...few, ...few] }, terms);
    expect(verdict).toEqual({
      kind: 'inconclusive',
      reason: 'too-few',
      message: 'There are 10 samples: expected at least 20.',
    });
  });

  it.each(['nowMs', 'maxAgeMs', 'maxClockSkewMs'] as const)(
    'never passes without a number for %s',
    (name) => {
      for (const { criterion, pass } of Object.values(KINDS)) {
        const { verdict } = judgeCriterion(criterion, pass, { ...terms, [name]: Number.NaN });
        expect(verdict.kind).toBe('inconclusive');
      }
    },
  );

  it('never passes where nothing was observed', () => {
    for (const { criterion } of Object.values(KINDS)) {
      expect(judgeCriterion(criterion, undefined, terms).verdict).toMatchObject({ reason: 'missing' });
    }
  });

  it('fails where a missing answer is said to fail, and only then', () => {
    const strict: Criterion = { ...instant, missing: 'fail' };
    expect(judgeCriterion(strict, empty, terms).verdict.kind).toBe('fail');
    expect(judgeCriterion(strict, absent('timeout'), terms).verdict.kind).toBe('inconclusive');
    expect(judgeCriterion(strict, at('NaN'), terms).verdict.kind).toBe('inconclusive');
  });
});

import type { Observation } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import {
  at,
  counts,
  DAY,
  day,
  empty,
  KINDS,
  type Kind,
  MINUTE,
  mapDay,
  mapRuns,
  money,
  now,
  runs,
  type SeriesObservation,
  terms,
  withSeries,
} from './fixtures/evidence.ts';
import { judgeCriterion } from './judge-criterion.ts';

/*
 * Evidence with a defect never passes, whatever the target: each defect is tried against targets that any number
 * meets, so that a comparison with what the defect leaves behind would pass.
 */

describe('evidence without a defect', () => {
  it.each(Object.entries(KINDS))('passes and fails as it should: %s', (_, { criterion, pass, fail }) => {
    expect(judgeCriterion(criterion, pass, terms).verdict).toEqual({ kind: 'pass' });
    expect(judgeCriterion(criterion, fail, terms).verdict.kind).toBe('fail');
  });
});

/** An answer of which is told what it rests on. */
const resting = (answer: SeriesObservation, facts: Partial<SeriesObservation['series'][number]>) =>
  withSeries(
    answer,
    answer.series.map((each) => ({ ...each, ...facts })),
  );

describe('a part that is rarely counted', () => {
  it.each([
    ['old', { newestMs: now - DAY }],
    ['there for a part of the time', { coverage: 0.1 }],
  ])('counts where it is %s and shown to have been watched', (_, facts) => {
    const { criterion } = KINDS.ratio;
    const judge = (value: number) => {
      const observation = { ...counts(resting(at(value), facts), at(3000)), proof: at(1) };
      return judgeCriterion(criterion, observation, terms).verdict.kind;
    };
    expect([judge(0), judge(30)]).toEqual(['pass', 'fail']);
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
  [
    'the answer is new, its data are a day old',
    'stale',
    {
      instant: resting(at(0.9), { newestMs: now - DAY }),
      range: resting(day(0.9), { newestMs: now - DAY }),
      ratio: counts(at(0), resting(at(3000), { newestMs: now - DAY })),
    },
  ],
  [
    'an answer from the future, on data of now',
    'clock-skew',
    {
      instant: resting(at(0.9, now + DAY), { newestMs: now }),
      range: resting(
        mapDay((sample) => ({ ...sample, timestampMs: sample.timestampMs + DAY })),
        { newestMs: now },
      ),
      ratio: counts(at(0, now + DAY), resting(at(3000, now + DAY), { newestMs: now })),
    },
  ],
  [
    'the part’s data are old, and no proof',
    'stale',
    { ratio: counts(resting(at(0), { newestMs: now - DAY }), at(3000)) },
  ],
  [
    'the part’s data are old, and the proof’s too',
    'stale',
    {
      ratio: {
        ...counts(resting(at(0), { newestMs: now - DAY }), at(3000)),
        proof: resting(at(1), { newestMs: now - DAY }),
      },
    },
  ],
  [
    'data of a part of the time',
    'low-coverage',
    {
      instant: resting(at(0.9), { coverage: 0.9 }),
      range: resting(day(0.9), { coverage: 0.9 }),
      ratio: counts(at(0), resting(at(3000), { coverage: 0.9 })),
    },
  ],
  [
    'a proof of a part of the time',
    'low-coverage',
    { ratio: { ...counts(empty, at(3000)), proof: resting(at(1), { coverage: 0.5 }) } },
  ],
  [
    'data from before the window',
    'window-open',
    {
      instant: resting(at(0.9), { fromMs: terms.windowStartMs - DAY }),
      ratio: counts(at(0), resting(at(3000), { fromMs: terms.windowStartMs - DAY })),
    },
  ],
  ...([MINUTE, -MINUTE] as const).map(
    (clockOffsetMs): [string, string, Partial<Record<Kind, Observation>>] => [
      `a clock that is off by ${clockOffsetMs} ms`,
      'clock-skew',
      {
        instant: { ...at(0.9), clockOffsetMs },
        range: { ...day(0.9), clockOffsetMs },
        ratio: counts(at(0), { ...at(3000), clockOffsetMs }),
      },
    ],
  ),
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
});

import { describe, expect, it } from 'vitest';
import type { Criterion } from './criterion.ts';
import {
  at,
  builds,
  counts,
  DAY,
  day,
  empty,
  faster,
  instant,
  KINDS,
  type LedgerObservation,
  ledger,
  MINUTE,
  mapDay,
  mapRuns,
  money,
  now,
  type RunsObservation,
  range,
  ratio,
  runs,
  terms,
  withSeries,
} from './fixtures/evidence.ts';
import { judgeCriterion } from './judge-criterion.ts';
import type { Terms } from './sound-samples.ts';

describe('judgeCriterion', () => {
  it('needs as many runs in the baseline as in the phase', () => {
    const observation = runs(7000);
    const few = {
      ...observation,
      baseline: { ref: 'baseline', sha256: 'a'.repeat(64), runs: runs(20_000, 19).runs },
    };
    expect(judgeCriterion(faster, few, terms).verdict).toMatchObject({ reason: 'baseline-missing' });
  });

  it('needs the unit of runs', () => {
    const { unit: _, ...observation } = runs(7);
    expect(judgeCriterion(builds, observation, terms).verdict).toMatchObject({ reason: 'unit-mismatch' });
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
    expect(
      judgeCriterion(strict, { kind: 'absent', reason: 'timeout', message: '' }, terms).verdict.kind,
    ).toBe('inconclusive');
    expect(judgeCriterion(strict, at('NaN'), terms).verdict.kind).toBe('inconclusive');
  });
});

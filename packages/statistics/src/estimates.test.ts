import { describe, expect, it } from 'vitest';
import { estimateMean } from './estimate-mean.ts';
import { estimateMedianRatio } from './estimate-median-ratio.ts';
import { estimateProportion } from './estimate-proportion.ts';
import { estimateQuantile } from './estimate-quantile.ts';

/** Uniform numbers below 1 by Mulberry32, so that each run draws the same. */
function createUniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function createNormal(seed: number): () => number {
  const uniform = createUniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** A stationary AR(1) series of variance 1. */
function autoregress(count: number, coefficient: number, normal: () => number): readonly number[] {
  let value = normal();
  return Array.from({ length: count }, () => {
    value = coefficient * value + Math.sqrt(1 - coefficient ** 2) * normal();
    return value;
  });
}

describe('estimateMean', () => {
  it('is Student’s t interval where observations do not depend on one another', () => {
    const values = [4.1, 3.9, 5.2, 4.8, 4.4, 5.0, 3.7, 4.6, 4.9, 4.2];
    const estimate = estimateMean(values);
    expect(estimate.value).toBeCloseTo(4.48, 12);
    // scipy 1.17.1: stats.t.interval(0.9, 9, loc=mean, scale=sem) is (4.18977, 4.77023); never narrower than that.
    expect(estimate.boundAt(0.95, 'lower')).toBeLessThanOrEqual(4.189773199379554 + 1e-9);
    expect(estimate.boundAt(0.95, 'lower')).toBeGreaterThan(4.1);
  });

  // The coverage that the confidence promises, over 500 series; three standard errors of 500 draws are 2.9 %.
  it.each([
    { count: 400, coefficient: 0 },
    { count: 400, coefficient: 0.5 },
    { count: 100, coefficient: 0.8 },
    { count: 400, coefficient: 0.8 },
    { count: 600, coefficient: 0.95 },
  ])(
    'covers the true mean for $count values with ρ $coefficient',
    { timeout: 60_000 },
    ({ count, coefficient }) => {
      const normal = createNormal(20261125);
      let below = 0;
      let above = 0;
      for (let run = 0; run < 500; run += 1) {
        const { boundAt } = estimateMean(autoregress(count, coefficient, normal));
        if (boundAt(0.975, 'lower') > 0) above += 1;
        if (boundAt(0.975, 'upper') < 0) below += 1;
      }
      expect(1 - (below + above) / 500).toBeGreaterThan(0.92);
      expect(1 - (below + above) / 500).toBeLessThan(0.985);
    },
  );

  // Dependence of the other sign would allow a narrower interval; the wider one is kept.
  it('is never surer of values that swing than of independent ones', () => {
    const estimate = estimateMean(autoregress(400, -0.3, createNormal(3)));
    expect(estimate.effectiveCount).toBeLessThanOrEqual(400);
  });

  it('counts one-minute values with ρ 0.8 as a ninth of their number', () => {
    const { effectiveCount, count } = estimateMean(autoregress(14_400, 0.8, createNormal(7)));
    // (1 - ρ) / (1 + ρ) = 1/9, by the variance of an AR(1) mean.
    expect(count / effectiveCount).toBeGreaterThan(8);
    expect(count / effectiveCount).toBeLessThan(11);
  });

  it('gives no bound to a single value, and the value itself to a constant', () => {
    expect(estimateMean([1]).boundAt(0.95, 'lower')).toBe(-Infinity);
    expect(estimateMean([1]).boundAt(0.95, 'upper')).toBe(Infinity);
    expect(estimateMean(Array.from({ length: 50 }, () => 0.9)).boundAt(0.95, 'lower')).toBeCloseTo(0.9, 12);
  });
});

describe('estimateProportion', () => {
  // Expected: statsmodels proportion_confint(k, n, alpha=0.1), methods "wilson" and "beta".
  it.each([
    [0, 2995, 'wilson', 0, 0.0009025380961793741],
    [0, 2995, 'clopper-pearson', 0, 0.0009997444209011422],
    [3, 100, 'wilson', 0.01205181424927991, 0.07271034328690397],
    [3, 100, 'clopper-pearson', 0.008225829107652688, 0.07571079374983006],
    [50, 60, 'wilson', 0.7402144143192729, 0.8976877199518801],
    [50, 60, 'clopper-pearson', 0.7337092016272058, 0.9066930672947636],
    [60, 60, 'clopper-pearson', 0.9512970866899025, 1],
    [1, 5, 'wilson', 0.04596245388060394, 0.564707446578457],
  ] as const)('bounds %d of %d by %s', (hits, trials, method, lower, upper) => {
    const { boundAt } = estimateProportion(hits, trials, method);
    expect(boundAt(0.95, 'lower')).toBeCloseTo(lower, 10);
    expect(boundAt(0.95, 'upper')).toBeCloseTo(upper, 10);
  });

  it('needs 2,995 exact trials without a hit to show less than 0.1 %', () => {
    expect(estimateProportion(0, 2994, 'clopper-pearson').boundAt(0.95, 'upper')).toBeGreaterThan(0.001);
    expect(estimateProportion(0, 2995, 'clopper-pearson').boundAt(0.95, 'upper')).toBeLessThan(0.001);
  });
});

describe('estimateQuantile', () => {
  /** 1 to n in an order without dependence: steps of a number that shares no factor with n. */
  const shuffled = (count: number) => {
    const uniform = createUniform(count);
    return Array.from({ length: count }, (_, index) => ({ key: uniform(), value: index + 1 }))
      .sort((a, b) => a.key - b.key)
      .map(({ value }) => value);
  };

  it('interpolates as numpy does', () => {
    const values = [4.1, 3.9, 5.2, 4.8, 4.4, 5.0, 3.7, 4.6, 4.9, 4.2];
    // numpy.quantile(values, [0.1, 0.5, 0.9])
    expect([0.1, 0.5, 0.9].map((share) => estimateQuantile(values, share).value)).toEqual([
      expect.closeTo(3.88, 12),
      expect.closeTo(4.5, 12),
      expect.closeTo(5.02, 12),
    ]);
  });

  // Expected ranks: scipy binom.cdf, the first r with P(fewer than r of n) of at least 0.95, and its mirror image.
  // What dependence a shuffled series shows by chance may move a bound outwards, never inwards.
  it.each([
    { count: 29, share: 0.9, upper: 29, lower: 23 },
    { count: 28, share: 0.9, upper: Infinity, lower: 22 },
    { count: 100, share: 0.9, upper: 96, lower: 85 },
    { count: 100, share: 0.5, upper: 59, lower: 42 },
    { count: 20, share: 0.5, upper: 15, lower: 6 },
  ])('bounds the quantile $share of $count values by their ranks', ({ count, share, upper, lower }) => {
    const { boundAt, effectiveCount } = estimateQuantile(shuffled(count), share);
    expect(boundAt(0.95, 'upper')).toBeGreaterThanOrEqual(upper);
    expect(boundAt(0.95, 'lower')).toBeLessThanOrEqual(lower);
    if (effectiveCount === count)
      expect([boundAt(0.95, 'lower'), boundAt(0.95, 'upper')]).toEqual([lower, upper]);
  });

  it.each([0, 0.8])('covers the true p90 at ρ %d', { timeout: 60_000 }, (coefficient) => {
    const normal = createNormal(99);
    let outside = 0;
    for (let run = 0; run < 500; run += 1) {
      const { boundAt } = estimateQuantile(autoregress(500, coefficient, normal), 0.9);
      // The normal distribution's 0.9 quantile.
      if (boundAt(0.975, 'lower') > 1.2815515655 || boundAt(0.975, 'upper') < 1.2815515655) outside += 1;
    }
    expect(1 - outside / 500).toBeGreaterThan(0.92);
  });
});

describe('estimateMedianRatio', () => {
  it('is the ratio of the medians in one stratum', () => {
    expect(estimateMedianRatio([{ candidate: [2, 4, 9], baseline: [8, 10, 30] }]).value).toBeCloseTo(0.4, 12);
  });

  it('takes no faster machine for a faster build', () => {
    // Both machines are as fast as before; only which one is used how often has changed.
    const slow = { candidate: [20], baseline: [20, 20, 20, 20] };
    const fast = { candidate: [5, 5, 5, 5], baseline: [5] };
    expect(estimateMedianRatio([slow, fast]).value).toBeCloseTo(1, 12);
  });

  it.each([20, 40])('covers the true ratio with %d builds a side', { timeout: 60_000 }, (count) => {
    const normal = createNormal(5);
    let outside = 0;
    for (let run = 0; run < 60; run += 1) {
      const times = (median: number) =>
        Array.from({ length: count }, () => median * Math.exp(0.2 * normal()));
      const { boundAt } = estimateMedianRatio([{ candidate: times(8), baseline: times(20) }]);
      if (boundAt(0.975, 'lower') > 0.4 || boundAt(0.975, 'upper') < 0.4) outside += 1;
    }
    expect(1 - outside / 60).toBeGreaterThan(0.9);
  });

  it('gives the same bounds for the same builds', () => {
    const strata = [{ candidate: [2, 4, 9, 3, 3.5], baseline: [8, 10, 30, 9, 11] }];
    const once = estimateMedianRatio(strata);
    const again = estimateMedianRatio(strata);
    expect(once.boundAt(0.95, 'upper')).toBe(again.boundAt(0.95, 'upper'));
    expect(once.boundAt(0.95, 'lower')).toBeLessThan(once.value);
    expect(once.boundAt(0.95, 'upper')).toBeGreaterThan(once.value);
  });
});

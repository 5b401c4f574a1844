import { describe, expect, it } from 'vitest';
import { selectBlockLength } from './autocorrelation.ts';
import { autoregressiveVariance } from './autoregressive-variance.ts';

/** x[t] = ρ x[t-1] + e[t], e from the linear congruential generator of C's example rand(). */
function autoregress(count: number, coefficient: number, seed: bigint): readonly number[] {
  let state = seed;
  let value = 0;
  return Array.from({ length: count }, () => {
    state = (1103515245n * state + 12345n) % 2n ** 31n;
    value = coefficient * value + Number(state) / 2 ** 31 - 0.5;
    return value;
  });
}

describe('selectBlockLength', () => {
  // Expected: optimal_block_length of the Python package arch 8.0.0, column "circular", on the same series.
  it.each([
    [50, 0, 1n, 1.2506643861164002],
    [200, 0.5, 7n, 4.343333340477396],
    [200, 0.8, 7n, 10.222130752253385],
    [500, 0.8, 3n, 18.75842080845346],
    [1440, 0.95, 11n, 63.30609473010688],
    [300, -0.4, 5n, 4.550324213037826],
  ])(
    'agrees with arch on %d values with coefficient %d and seed %d',
    (count, coefficient, seed, expected) => {
      expect(selectBlockLength(autoregress(count, coefficient, seed))).toBeCloseTo(expected, 6);
    },
  );

  it.each([
    ['nothing', []],
    ['one value', [1]],
    ['a constant', [3, 3, 3, 3, 3, 3]],
  ])('is 1 for %s', (_, values) => {
    expect(selectBlockLength(values)).toBe(1);
  });
});

describe('autoregressiveVariance', () => {
  // Expected: yule_walker(x, order, method="mle") of statsmodels for each order, the one with the least
  // n ln(sigma²) + 2 order taken, as sigma² n / (n - order - 1) / (1 - Σ coefficients)².
  it.each([
    [50, 0, 1n, 0.07246164424919471],
    [200, 0.5, 7n, 0.216475889719937],
    [500, 0.8, 3n, 2.318922447144604],
    [1440, 0.95, 11n, 21.863515513233228],
    [300, -0.4, 5n, 0.045208579644081606],
  ])(
    'agrees with statsmodels on %d values with coefficient %d and seed %d',
    (count, coefficient, seed, expected) => {
      const variance = autoregressiveVariance(autoregress(count, coefficient, seed));
      expect(variance / expected).toBeCloseTo(1, 6);
    },
  );
});

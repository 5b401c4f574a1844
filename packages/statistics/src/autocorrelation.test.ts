import { describe, expect, it } from 'vitest';
import { selectBlockLength } from './autocorrelation.ts';

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

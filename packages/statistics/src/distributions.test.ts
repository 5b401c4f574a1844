import { describe, expect, it } from 'vitest';
import { betaQuantile, normalQuantile, studentTQuantile } from './distributions.ts';

// Expected: scipy 1.17.1, stats.t.ppf, stats.norm.ppf, stats.beta.ppf.
describe('quantiles of distributions', () => {
  it.each([
    [0.975, 9, 2.262157162798205],
    [0.95, 1, 6.313751514675037],
    [0.995, 30, 2.749995653567226],
    [0.9, 2.5, 1.7302509288071766],
    [0.99, 4, 3.746947387979196],
  ])('has %d of Student’s t with %d degrees of freedom below %d', (probability, degrees, expected) => {
    expect(studentTQuantile(probability, degrees)).toBeCloseTo(expected, 9);
    expect(studentTQuantile(1 - probability, degrees)).toBeCloseTo(-expected, 9);
  });

  it.each([
    [0.5, 0],
    [0.95, 1.6448536269514722],
    [0.975, 1.959963984540054],
    [0.995, 2.5758293035489004],
    [0.999, 3.090232306167813],
  ])('has %d of the normal distribution below %d', (probability, expected) => {
    expect(normalQuantile(probability)).toBeCloseTo(expected, 11);
  });

  it.each([
    [0.95, 1, 2995, 0.000999744420901142],
    [0.025, 3, 8, 0.06673951117773447],
    [0.5, 2, 2, 0.5],
    [0.99, 40, 2, 0.9963384083493521],
  ])('has %d of Beta(%d, %d) below %d', (probability, a, b, expected) => {
    expect(betaQuantile(probability, a, b)).toBeCloseTo(expected, 11);
  });
});

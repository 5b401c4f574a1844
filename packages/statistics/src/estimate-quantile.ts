import { incompleteBeta, invertRising } from './distributions.ts';
import type { Estimate } from './estimate.ts';
import { effectiveCountOf } from './estimate-mean.ts';

/**
 * The value below which a share of the sorted values lies, between the two nearest where it falls between them.
 *
 * @see Hyndman, Fan: Sample quantiles in statistical packages. The American Statistician 50 (1996), definition 7
 */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below === above ? below : below + (position - Math.floor(position)) * (above - below);
}

export function medianOf(values: readonly number[]): number {
  return quantileOf(sortNumbers(values), 0.5);
}

/** Typed arrays sort by number and several times faster than with a comparison function. */
export function sortNumbers(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/**
 * A quantile, bounded by order statistics, which needs no assumption on the distribution: the r-th smallest of n is
 * above the quantile p unless r or more of n fall below it, a binomial matter. Where observations depend on one
 * another n is the effective count of "at or below the quantile". No bound exists where too few values lie beyond
 * the quantile: p90 has an upper one at 95 % from 29 independent values on.
 *
 * @param values In the order of time; at least one.
 * @param share From 0 to 1, both excluded: 0.9 for p90.
 * @see Conover: Practical Nonparametric Statistics, 3rd edition, section 3.2
 */
export function estimateQuantile(values: readonly number[], share: number): Estimate {
  const sorted = sortNumbers(values);
  const value = quantileOf(sorted, share);
  const effectiveCount = effectiveCountOf(values.map((each) => (each <= value ? 1 : 0)));
  return {
    value,
    count: values.length,
    effectiveCount,
    boundAt: (confidence, side) => {
      if (side === 'upper') {
        const rank = upperRank(effectiveCount, share, confidence) / effectiveCount;
        return sorted[Math.ceil(rank * sorted.length - 1e-9) - 1] ?? Infinity;
      }
      const rank = upperRank(effectiveCount, 1 - share, confidence) / effectiveCount;
      return sorted[sorted.length - Math.ceil(rank * sorted.length - 1e-9)] ?? -Infinity;
    },
  };
}

/**
 * The smallest r, not whole, for which fewer than r of n fall below the quantile with the given chance; above n
 * where there is none. P(fewer than r of n) is 1 - I_p(r, n - r + 1) (NIST DLMF 8.17.5).
 */
function upperRank(count: number, share: number, confidence: number): number {
  const chance = (rank: number) => 1 - incompleteBeta(share, rank, count - rank + 1);
  return chance(count) < confidence ? count * 2 : invertRising(chance, confidence, 1e-9, count);
}

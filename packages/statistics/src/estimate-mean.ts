import { autocovariances, selectBlockLength } from './autocorrelation.ts';
import { autoregressiveVariance } from './autoregressive-variance.ts';
import { studentTQuantile } from './distributions.ts';
import type { Estimate } from './estimate.ts';
import { meanOf } from './moments.ts';

/**
 * The variance of a circular block bootstrap's mean times n: it needs no resampling, because it equals the sum of
 * the autocovariances under weights that fall to 0 at the block's length.
 *
 * @param stretch How many times as long as selected the blocks are.
 * @see Künsch: The jackknife and the bootstrap for general stationary observations. Annals of Statistics 17 (1989),
 * formula 3.6
 */
function blockVariance(values: readonly number[], stretch = 1): number {
  const selected = Math.round(stretch * selectBlockLength(values));
  const length = Math.max(1, Math.min(selected, Math.floor(values.length / 2)));
  const variance = autocovariances(values, length - 1).reduce(
    (sum, covariance, lag) => sum + (lag === 0 ? 1 : 2 * (1 - lag / length)) * covariance,
    0,
  );
  // The deviations from the sample's own mean sum to 0, which takes a share of the variance with it.
  return stretch === 1 ? variance : (variance * values.length) / (values.length - length);
}

/**
 * The same after an AR(1) fit has taken most of the dependence out, put back afterwards: the blocks alone make
 * intervals too narrow where the series is short (for AR(1) with ρ 0.8 and 100 observations 81 % instead of 95 %).
 * The fitted coefficient is freed of its bias towards 0 to first order (Kendall 1954) and kept within ±0.97.
 *
 * @see Andrews, Monahan: An improved heteroskedasticity and autocorrelation consistent covariance matrix estimator.
 * Econometrica 60 (1992) 953-966
 */
function prewhitenedVariance(values: readonly number[], variance: number, first: number): number {
  const raw = first / variance;
  const coefficient = Math.max(-0.97, Math.min(0.97, raw + (1 + 3 * raw) / values.length));
  const mean = meanOf(values);
  const residuals = values
    .slice(1)
    .map((value, index) => value - mean - coefficient * ((values[index] ?? mean) - mean));
  return blockVariance(residuals) / (1 - coefficient) ** 2;
}

/**
 * How many independent observations would say as much about the mean as these equally spaced ones: n times the
 * variance over the long-run variance, so at most n. The latter is the largest of three estimates, each of which
 * alone is too small for some series: by blocks twice as long as selected, by an AR(1) fit and by a longer
 * autoregression. A series that never varies has nothing to estimate dependence from and counts in full.
 *
 * @param values In the order of time.
 */
export function effectiveCountOf(values: readonly number[]): number {
  const [variance = 0, first = 0] = autocovariances(values, 1);
  if (values.length < 3 || !(variance > Number.EPSILON * meanOf(values.map((value) => value * value)))) {
    return values.length;
  }
  const longRun = Math.max(
    variance,
    blockVariance(values, 2),
    prewhitenedVariance(values, variance, first),
    autoregressiveVariance(values),
  );
  return Math.max(1, (values.length * variance) / longRun);
}

/**
 * The mean with bounds that hold for observations that depend on those before them: Student's t over the effective
 * count.
 *
 * Measured, 600 series each of AR(1) with ρ 0 to 0.95, AR(1) under noise, moving averages, two states and a daily
 * wave: one-sided 95 % bounds hold 91.7 % or more from 400 values with an effective count of 10 on, 94 % or more from
 * 1,000 on. With fewer, dependence can't be told from the series itself, and they may hold half as often.
 *
 * @param values In the order of time, equally spaced; at least one.
 */
export function estimateMean(values: readonly number[]): Estimate {
  const value = meanOf(values);
  const effectiveCount = effectiveCountOf(values);
  const [variance = 0] = autocovariances(values, 0);
  const standardError = Math.sqrt((variance * (values.length / (values.length - 1))) / effectiveCount);
  return {
    value,
    count: values.length,
    effectiveCount,
    boundAt: (confidence, side) => {
      if (values.length < 2 || effectiveCount <= 1.5) return side === 'lower' ? -Infinity : Infinity;
      const margin = studentTQuantile(confidence, effectiveCount - 1) * standardError;
      return side === 'lower' ? value - margin : value + margin;
    },
  };
}

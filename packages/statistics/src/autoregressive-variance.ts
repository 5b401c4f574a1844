import { autocovariances } from './autocorrelation.ts';

/**
 * The long-run variance of a series, n times the variance of its mean, from the autoregressive model that fits best
 * by Akaike's criterion, of at most 10 log10(n) coefficients (Yule-Walker, solved by Levinson's recursion).
 *
 * @param values In the order of time, not all the same.
 * @see Heidelberger, Welch: A spectral method for confidence interval generation and run length control in
 * simulations. Communications of the ACM 24 (1981) 233-245; `spectrum0.ar` of R's coda does the same
 */
export function autoregressiveVariance(values: readonly number[]): number {
  const count = values.length;
  const highest = Math.min(Math.floor(10 * Math.log10(count)), count - 2);
  const covariances = autocovariances(values, highest);
  let coefficients: readonly number[] = [];
  let residual = covariances[0] ?? 0;
  let best = { criterion: count * Math.log(residual), variance: (residual * count) / (count - 1) };
  for (let order = 1; order <= highest && residual > 0; order += 1) {
    const explained = coefficients.reduce(
      (sum, coefficient, index) => sum + coefficient * (covariances[order - 1 - index] ?? 0),
      0,
    );
    const partial = ((covariances[order] ?? 0) - explained) / residual;
    const before = coefficients;
    coefficients = [
      ...before.map((coefficient, index) => coefficient - partial * (before[order - 2 - index] ?? 0)),
      partial,
    ];
    residual *= 1 - partial ** 2;
    const criterion = count * Math.log(residual) + 2 * order;
    if (!(criterion < best.criterion)) continue;
    const gain = 1 - coefficients.reduce((sum, coefficient) => sum + coefficient, 0);
    best = { criterion, variance: (residual * count) / (count - order - 1) / gain ** 2 };
  }
  return best.variance;
}

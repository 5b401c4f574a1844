import { meanOf } from './moments.ts';

/** The autocovariance at each lag from 0 to `maxLag`, each sum divided by n, so that no estimate grows with the lag. */
export function autocovariances(values: readonly number[], maxLag: number): readonly number[] {
  const mean = meanOf(values);
  const deviations = values.map((value) => value - mean);
  return Array.from({ length: Math.min(maxLag, values.length - 1) + 1 }, (_, lag) => {
    let sum = 0;
    for (let index = lag; index < deviations.length; index += 1) {
      sum += (deviations[index] ?? 0) * (deviations[index - lag] ?? 0);
    }
    return sum / deviations.length;
  });
}

/**
 * The first lag from which on `run` autocorrelations in a row are too small to tell from 0; undefined if there is
 * none. The paper stops one lag earlier; both implementations in wide use (b.star of R's np, Python's arch) stop here.
 */
function firstQuietLag(correlations: readonly number[], threshold: number, run: number): number | undefined {
  let quiet = 0;
  for (let lag = 1; lag < correlations.length; lag += 1) {
    quiet = Math.abs(correlations[lag] ?? 0) < threshold ? quiet + 1 : 0;
    if (quiet === run) return lag - run + 1;
  }
  return undefined;
}

/**
 * How long the blocks of a circular block bootstrap should be, in observations (at least 1, not whole): long enough
 * that what depends on one another stays together. About 1 for independent observations; a series that never varies
 * gives 1.
 *
 * @see Politis, White: Automatic block-length selection for the dependent bootstrap. Econometric Reviews 23 (2004)
 * 53-70, with the correction of Patton, Politis, White, same journal 28 (2009) 372-375
 */
export function selectBlockLength(values: readonly number[]): number {
  const count = values.length;
  if (count < 4) return 1;
  const quietRun = Math.max(5, Math.floor(Math.log10(count)));
  const maxLag = Math.ceil(Math.sqrt(count)) + quietRun;
  const covariances = autocovariances(values, Math.min(2 * maxLag, count - 1));
  const variance = covariances[0] ?? 0;
  if (!(variance > 0)) return 1;
  const threshold = 2 * Math.sqrt(Math.log10(count) / count);
  const correlations = covariances.slice(0, maxLag + 1).map((covariance) => covariance / variance);
  const quiet = firstQuietLag(correlations, threshold, quietRun) ?? maxLag;
  const bandwidth = Math.min(2 * quiet, maxLag);

  let weighted = 0;
  let spectrum = variance;
  for (let lag = 1; lag <= bandwidth; lag += 1) {
    const flatTop = Math.min(1, 2 * (1 - lag / bandwidth));
    weighted += 2 * flatTop * lag * (covariances[lag] ?? 0);
    spectrum += 2 * flatTop * (covariances[lag] ?? 0);
  }
  const length = Math.cbrt(((2 * weighted ** 2) / ((4 / 3) * spectrum ** 2)) * count);
  const longest = Math.ceil(Math.min(3 * Math.sqrt(count), count / 3));
  return Number.isFinite(length) ? Math.min(Math.max(length, 1), longest) : longest;
}

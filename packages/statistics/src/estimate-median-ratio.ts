import { selectBlockLength } from './autocorrelation.ts';
import type { Estimate } from './estimate.ts';
import { effectiveCountOf } from './estimate-mean.ts';
import { medianOf, quantileOf, sortNumbers } from './estimate-quantile.ts';

/** Both sides of a comparison where all else is alike: the same CPU model, the same state of the cache. */
export type Stratum = {
  /** Each in the order of time; at least one positive value each. */
  readonly candidate: readonly number[];
  readonly baseline: readonly number[];
};

const RESAMPLES = 2000;

/**
 * How many times as large the median is as the baseline's. Each stratum is compared within itself and weighs as much
 * as its candidates count, on the scale of logarithms, so that a shift from slow to fast machines is no gain.
 *
 * Bounds are percentiles of 2,000 resamples, drawn within each stratum and side in circular blocks as long as that
 * series' dependence asks for, from a fixed seed: the same observations always give the same bounds.
 *
 * @param strata At least one.
 * @see Efron, Tibshirani: An Introduction to the Bootstrap, chapters 8 and 13
 */
export function estimateMedianRatio(strata: readonly Stratum[]): Estimate {
  const total = strata.reduce((sum, { candidate }) => sum + candidate.length, 0);
  const ratioOf = (medians: (values: readonly number[]) => number) =>
    Math.exp(
      strata.reduce(
        (sum, { candidate, baseline }) =>
          sum + (candidate.length / total) * Math.log(medians(candidate) / medians(baseline)),
        0,
      ),
    );
  const random = createRandom(0x9e3779b9);
  const blockLengths = new Map(
    strata
      .flatMap(({ candidate, baseline }) => [candidate, baseline])
      .map((values) => [values, Math.max(1, Math.round(selectBlockLength(values)))]),
  );
  const resampled = sortNumbers(
    Array.from({ length: RESAMPLES }, () =>
      ratioOf((values) =>
        quantileOf(resampleBlocks(values, blockLengths.get(values) ?? 1, random).sort(), 0.5),
      ),
    ),
  );
  return {
    value: ratioOf(medianOf),
    count: total,
    effectiveCount: strata.reduce((sum, { candidate }) => sum + effectiveCountOf(candidate), 0),
    boundAt: (confidence, side) => quantileOf(resampled, side === 'upper' ? confidence : 1 - confidence),
  };
}

/** As many values as there are, in blocks from random places, the first value following the last. */
function resampleBlocks(values: readonly number[], blockLength: number, random: () => number): Float64Array {
  const drawn = new Float64Array(values.length);
  for (let filled = 0; filled < drawn.length; filled += blockLength) {
    const start = Math.floor(random() * values.length);
    const length = Math.min(blockLength, drawn.length - filled);
    for (let offset = 0; offset < length; offset += 1) {
      drawn[filled + offset] = values[(start + offset) % values.length] ?? Number.NaN;
    }
  }
  return drawn;
}

/**
 * Numbers from 0 to 1, 1 excluded, the same for the same seed (not 0).
 *
 * @see Marsaglia: Xorshift RNGs. Journal of Statistical Software 8 (2003), the 32-bit generator
 */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

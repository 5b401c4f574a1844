import { betaQuantile, normalQuantile } from './distributions.ts';
import type { Estimate } from './estimate.ts';

/**
 * The share of hits among trials. `wilson` has the right coverage on average over shares, and for a share near 0
 * promises a little more than it holds (0 of 2,703 bounds it below 0.1 % at 95 %, where the exact bound needs 2,995);
 * `clopper-pearson` never promises more than it holds.
 *
 * @param hits From 0 to `trials`; the quotient counts, so either may be fractional, as Prometheus' `increase` gives.
 * @param trials At least 1.
 * @param effectiveTrials Independent trials worth as much, where trials depend on one another.
 * @see Wilson: Probable inference, the law of succession, and statistical inference. JASA 22 (1927) 209-212
 * @see Clopper, Pearson: The use of confidence or fiducial limits. Biometrika 26 (1934) 404-413
 * @see Korn, Graubard: Confidence intervals for proportions with small expected number of positive counts. Survey
 * Methodology 24 (1998) 193-201, for the effective number in place of the number
 */
export function estimateProportion(
  hits: number,
  trials: number,
  method: 'wilson' | 'clopper-pearson',
  effectiveTrials: number = trials,
): Estimate {
  const share = hits / trials;
  const bound = method === 'wilson' ? wilsonBound : exactBound;
  return {
    value: share,
    count: trials,
    effectiveCount: effectiveTrials,
    boundAt: (confidence, side) =>
      side === 'upper'
        ? bound(share, effectiveTrials, confidence)
        : 1 - bound(1 - share, effectiveTrials, confidence),
  };
}

function wilsonBound(share: number, trials: number, confidence: number): number {
  const z = normalQuantile(confidence);
  const spread = z * Math.sqrt((share * (1 - share)) / trials + (z / (2 * trials)) ** 2);
  return Math.min(1, (share + z ** 2 / (2 * trials) + spread) / (1 + z ** 2 / trials));
}

function exactBound(share: number, trials: number, confidence: number): number {
  return share >= 1 ? 1 : betaQuantile(confidence, share * trials + 1, trials - share * trials);
}

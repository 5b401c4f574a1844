/** What a sample says about one quantity of the process it comes from. */
export type Estimate = {
  readonly value: number;
  /** Observations. */
  readonly count: number;
  /** Independent observations that would say as much; at most `count`. */
  readonly effectiveCount: number;
  /**
   * A limit the quantity is beyond with a chance of at most `1 - confidence` (0.5 < confidence < 1), one-sided.
   * ±Infinity where the sample is too small to give any.
   */
  readonly boundAt: (confidence: number, side: 'lower' | 'upper') => number;
};

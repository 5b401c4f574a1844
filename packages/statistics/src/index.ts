export type { Estimate } from './estimate.ts';
export { estimateMean } from './estimate-mean.ts';
export { estimateMedianRatio, type Stratum } from './estimate-median-ratio.ts';
export { estimateProportion } from './estimate-proportion.ts';
export { estimateQuantile } from './estimate-quantile.ts';

import type { Estimate } from '@sophia/statistics';
import type { Operator } from './phase-schema.ts';

/** Why evidence decides nothing. */
export type InconclusiveReason =
  | 'missing'
  | 'stale'
  | 'clock-skew'
  | 'too-few'
  | 'too-short'
  | 'low-coverage'
  | 'ambiguous-series'
  | 'nan'
  | 'inf'
  | 'unit-mismatch'
  | 'provider-error'
  | 'rate-limited'
  | 'timeout'
  | 'redirect'
  | 'not-data'
  | 'partial'
  | 'baseline-missing'
  | 'undecided'
  | 'window-open'
  | 'dependency'
  | 'criteria-unchecked'
  | 'not-judged';

/** There is no fourth: what is not shown to hold, and not shown not to, is inconclusive, and says why. */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly message: string }
  | { readonly kind: 'inconclusive'; readonly reason: InconclusiveReason; readonly message: string };

/** Evidence that can carry no verdict. */
export type Defect = {
  readonly kind: 'defect';
  readonly reason: InconclusiveReason;
  readonly message: string;
};

export function defect(reason: InconclusiveReason, message: string): Defect {
  return { kind: 'defect', reason, message };
}

/** What is known of the sample that a verdict rests on. */
export type SampleFacts = {
  readonly sampleCount?: number;
  readonly coverage?: number;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly notes?: readonly string[];
};

/** Evidence without a defect, reduced to one quantity in the target's unit, or to "all of them do" and one that doesn't. */
export type Finding =
  | { readonly kind: 'quantity'; readonly estimate: Estimate; readonly facts: SampleFacts }
  | {
      readonly kind: 'every';
      readonly share: number;
      readonly exception: string | undefined;
      readonly facts: SampleFacts;
    };

/** An estimate of what was counted in full. */
export function exactly(value: number, count = 1): Estimate {
  return { value, count, effectiveCount: count, boundAt: () => value };
}

export function compare(value: number, operator: Operator, target: number): boolean {
  switch (operator) {
    case '<':
      return value < target;
    case '<=':
      return value <= target;
    case '>':
      return value > target;
    case '>=':
      return value >= target;
    case '==':
      return value === target;
    case '!=':
      return value !== target;
  }
}

import type { Observation, PhaseEvidence } from '@sophia/records';
import type { Estimate } from '@sophia/statistics';
import type { Criterion } from './criterion.ts';
import { describeQuestion } from './describe-question.ts';
import { reduceLedger } from './reduce-ledger.ts';
import { reduceRuns } from './reduce-runs.ts';
import { reduceInstant, reduceRange, reduceRatio } from './reduce-series.ts';
import type { Terms } from './sound-samples.ts';
import { compare, type Defect, defect, type Finding, type Verdict } from './verdict.ts';

/** One metric's verdict with what it rests on, as the evidence record has it. */
export type Judgement = Omit<PhaseEvidence['metrics'][number], 'verdict'> & { readonly verdict: Verdict };

/**
 * Judges one metric. Every observation that has a defect is inconclusive by it, or failed where the criterion says
 * that a missing answer fails; only what is left is compared with the target.
 *
 * With a confidence it passes where the limit on the target's far side meets the target, fails where the other limit
 * does not, and is undecided between; without one the estimate itself is compared.
 *
 * @param comparisons Among how many metrics a failure by chance is shared (Holm's divisor of the doubt), 1 for one
 * alone. It makes failing harder and leaves passing as it is.
 */
export function judgeCriterion(
  criterion: Criterion,
  observation: Observation | undefined,
  terms: Terms,
  comparisons = 1,
): Judgement {
  const finding = reduce(criterion, observation ?? NOT_OBSERVED, terms);
  const base = {
    name: criterion.name,
    isKeyObjective: criterion.isKeyObjective,
    source: criterion.source,
    asked: describeQuestion(criterion.question),
    target: toRecordedTarget(criterion),
  };
  if (finding.kind === 'defect') {
    const isFailure = finding.reason === 'missing' && criterion.missing === 'fail';
    return {
      ...base,
      notes: [],
      verdict: isFailure
        ? { kind: 'fail', message: finding.message }
        : { kind: 'inconclusive', reason: finding.reason, message: finding.message },
    };
  }
  const { notes = [], ...facts } = finding.facts;
  const common = { ...base, ...facts, notes: [...notes] };
  if (finding.kind === 'every') {
    return {
      ...common,
      value: finding.share,
      unit: 'ratio',
      verdict:
        finding.exception === undefined
          ? { kind: 'pass' }
          : {
              kind: 'fail',
              message: `${finding.exception}: expected ${describeTarget(criterion)} in every run.`,
            },
    };
  }
  return { ...common, ...decide(criterion, finding.estimate, comparisons) };
}

const NOT_OBSERVED: Observation = {
  kind: 'absent',
  reason: 'missing',
  message: 'Nothing was observed for this metric.',
};

function reduce(criterion: Criterion, observation: Observation, terms: Terms): Finding | Defect {
  const { question } = criterion;
  if (observation.kind === 'absent') return defect(observation.reason, observation.message);
  switch (question.kind) {
    case 'query':
    case 'cluster':
      return observation.kind === 'series'
        ? reduceInstant(criterion, observation, terms)
        : wrongKind(observation.kind);
    case 'range':
      return observation.kind === 'series'
        ? reduceRange(criterion, question, observation, terms)
        : wrongKind(observation.kind);
    case 'ratio':
      return observation.kind === 'ratio'
        ? reduceRatio(criterion, observation, terms)
        : wrongKind(observation.kind);
    case 'builds':
      return observation.kind === 'runs'
        ? reduceRuns(criterion, observation, terms)
        : wrongKind(observation.kind);
    case 'ledger':
      return observation.kind === 'ledger'
        ? reduceLedger(criterion, question, observation, terms)
        : wrongKind(observation.kind);
  }
}

function wrongKind(kind: string): Defect {
  return defect('not-data', `The answer is of the kind "${kind}": expected what the metric asks for.`);
}

type Decision = Pick<
  Judgement,
  | 'verdict'
  | 'value'
  | 'unit'
  | 'lower'
  | 'upper'
  | 'confidence'
  | 'effectiveSampleCount'
  | 'neededSampleCount'
>;

function decide(criterion: Criterion, estimate: Estimate, comparisons: number): Decision {
  const { operator, value: target, unit } = criterion.target;
  if (typeof target !== 'number' || !Number.isFinite(estimate.value)) {
    const message = 'The statistic is no number that can be compared with the target.';
    return { verdict: { kind: 'inconclusive', reason: 'not-data', message } };
  }
  const common = {
    value: estimate.value,
    effectiveSampleCount: estimate.effectiveCount,
    ...(unit === undefined ? {} : { unit }),
  };
  if (criterion.confidence !== undefined) {
    return { ...common, ...decideByLimits(criterion, criterion.confidence, target, estimate, comparisons) };
  }
  if (compare(estimate.value, operator, target)) return { ...common, verdict: { kind: 'pass' } };
  const message = `It is ${formatNumber(estimate.value)}: expected ${describeTarget(criterion)}.`;
  return { ...common, verdict: { kind: 'fail', message } };
}

function decideByLimits(
  criterion: Criterion,
  confidence: number,
  target: number,
  estimate: Estimate,
  comparisons: number,
): Decision {
  const { operator } = criterion.target;
  const [far, near] = operator.startsWith('<')
    ? (['upper', 'lower'] as const)
    : (['lower', 'upper'] as const);
  const lower = estimate.boundAt(confidence, 'lower');
  const upper = estimate.boundAt(confidence, 'upper');
  const farLimit = far === 'upper' ? upper : lower;
  const shown = {
    confidence,
    ...(Number.isFinite(lower) ? { lower } : {}),
    ...(Number.isFinite(upper) ? { upper } : {}),
  };
  const isBounded = Number.isFinite(farLimit);
  if (isBounded && compare(farLimit, operator, target)) return { ...shown, verdict: { kind: 'pass' } };

  const found = `It is ${formatNumber(estimate.value)}, from ${formatNumber(lower)} to ${formatNumber(upper)} at ${Number((confidence * 100).toFixed(2))} % each`;
  const nearLimit = estimate.boundAt(1 - (1 - confidence) / comparisons, near);
  if (Number.isFinite(nearLimit) && !compare(nearLimit, operator, target)) {
    const message = `${found}: expected ${describeTarget(criterion)}.`;
    return { ...shown, verdict: { kind: 'fail', message } };
  }
  const needed = countNeeded(estimate, farLimit, target);
  const advice = needed === undefined ? '' : ` About ${needed} samples in all would decide it.`;
  return {
    ...shown,
    ...(needed === undefined ? {} : { neededSampleCount: needed }),
    verdict: {
      kind: 'inconclusive',
      reason: isBounded ? 'undecided' : 'too-few',
      message: `${found}: neither shown to be ${describeTarget(criterion)} nor not to be.${advice}`,
    },
  };
}

/** Samples in all that would bring the limit to the target, if the estimate stays: a limit's distance falls by √n. */
function countNeeded(
  estimate: { readonly value: number; readonly count: number },
  limit: number,
  target: number,
): number | undefined {
  const factor = ((limit - estimate.value) / (target - estimate.value)) ** 2;
  const needed = Math.ceil(estimate.count * factor);
  return Number.isFinite(needed) && needed > estimate.count ? needed : undefined;
}

function toRecordedTarget({ target: { operator, value, unit } }: Criterion): Judgement['target'] {
  return { operator, value, ...(unit === undefined ? {} : { unit }) };
}

function describeTarget({ target }: Criterion): string {
  const value = typeof target.value === 'string' ? JSON.stringify(target.value) : target.value;
  return `${target.operator} ${value}${target.unit === undefined ? '' : ` ${target.unit}`}`;
}

function formatNumber(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : 'no limit';
}

import type { Observation } from '@sophia/records';
import type { Criterion, Question } from './criterion.ts';
import { divideDollars, formatDollars, type LedgerSum, sumLedger } from './ledger.ts';
import { judgeBaseline } from './reduce-runs.ts';
import { judgeMoment, type Terms } from './sound-samples.ts';
import { type Defect, defect, exactly, type Finding } from './verdict.ts';

type LedgerObservation = Extract<Observation, { kind: 'ledger' }>;

/** A cost ledger ▶ its ratio to the baseline's, net of overlap, or the share of usage that was billed. */
export function reduceLedger(
  criterion: Criterion,
  question: Extract<Question, { kind: 'ledger' }>,
  observation: LedgerObservation,
  terms: Terms,
): Finding | Defect {
  const late = judgeMoment(observation.observedAtMs, 'The ledger', terms);
  if (late !== undefined) return late;
  if (observation.observedAtMs < terms.windowStartMs) {
    return defect('window-open', 'The ledger is from before the phase’s window.');
  }
  return criterion.estimator.kind === 'coverage'
    ? reduceUsage(observation)
    : reduceCost(criterion, question.lines, observation);
}

function reduceCost(
  criterion: Criterion,
  ids: readonly string[],
  observation: LedgerObservation,
): Finding | Defect {
  const { baseline } = observation;
  if (baseline === undefined) {
    return defect(
      'baseline-missing',
      `There is no baseline "${criterion.baseline?.ref}": expected its ledger.`,
    );
  }
  const foreign = judgeBaseline(criterion, baseline);
  if (foreign !== undefined) return foreign;
  if (criterion.target.unit !== 'ratio')
    return defect('unit-mismatch', 'The result is a ratio: expected a target in ratio.');
  const now = sumLedger(observation.lines, ids);
  if ('problem' in now) return defect('missing', `The ledger can't be summed: ${now.problem}.`);
  const before = sumLedger(baseline.lines, ids);
  if ('problem' in before)
    return defect('baseline-missing', `The baseline can't be summed: ${before.problem}.`);
  if (before.netPico === 0n)
    return defect('baseline-missing', 'The baseline sums to 0: expected a cost to compare with.');
  return {
    kind: 'quantity',
    estimate: exactly(divideDollars(now.netPico, before.netPico), ids.length),
    facts: {
      sampleCount: ids.length,
      coverage: 1,
      toMs: observation.observedAtMs,
      notes: describeSums(now, before),
    },
  };
}

function describeSums(now: LedgerSum, before: LedgerSum): readonly string[] {
  const overlaps = [...before.overlaps, ...now.overlaps].map(
    ({ id, within }) => `${id} is part of ${within}`,
  );
  const net = `$${formatDollars(before.netPico)} ▶ $${formatDollars(now.netPico)} a month`;
  if (overlaps.length === 0) return [net];
  const claimed = `$${formatDollars(before.claimedPico)} ▶ $${formatDollars(now.claimedPico)} a month, ratio ${divideDollars(now.claimedPico, before.claimedPico).toFixed(3)}`;
  return [`as the plan claims: ${claimed}`, `net of overlap: ${net} (${[...new Set(overlaps)].join('; ')})`];
}

function reduceUsage({ usage, observedAtMs }: LedgerObservation): Finding | Defect {
  const served = (usage ?? []).reduce((sum, { servedTokens }) => sum + servedTokens, 0);
  if (usage === undefined || !(served > 0))
    return defect('missing', 'The ledger has no usage: expected tokens served and billed.');
  const odd = usage.find(
    ({ servedTokens, billedTokens }) => !(billedTokens >= 0 && billedTokens <= servedTokens),
  );
  if (odd !== undefined) {
    return defect(
      'unit-mismatch',
      `"${odd.model}" has ${odd.billedTokens} tokens billed of ${odd.servedTokens} served: expected at most all.`,
    );
  }
  const billed = usage.reduce((sum, { billedTokens }) => sum + billedTokens, 0);
  return {
    kind: 'quantity',
    estimate: exactly(billed / served, served),
    facts: { sampleCount: served, toMs: observedAtMs },
  };
}

import type { Observation, PhaseEvidence } from '@sophia/records';
import type { Criterion } from './criterion.ts';
import { type Judgement, judgeCriterion } from './judge-criterion.ts';
import type { Phase } from './phase-file.ts';
import type { Terms } from './sound-samples.ts';
import type { Verdict } from './verdict.ts';

/** What a phase is judged on. */
export type PhaseInput = {
  readonly nowMs: number;
  /** By the name of the metric; one left out is missing. */
  readonly observations: Readonly<Record<string, Observation>>;
  /** Verdicts of the phases this one depends on, judged now: phase ▶ metric ▶ verdict. */
  readonly dependencies: PhaseEvidence['dependencies'];
  /** The change at hand may have changed the phase file, and whether it did could not be found out. */
  readonly areCriteriaUnchecked?: boolean;
};

export type PhaseJudgement = { readonly verdict: Verdict; readonly metrics: readonly Judgement[] };

/**
 * Judges a phase: failed if a metric is, else inconclusive if one is or its window is still open or a phase it
 * depends on no longer holds or its criteria may be those of the change that they judge, else passed. Nothing else passes, an empty list of metrics least of all.
 *
 * A pass needs every metric to pass at its own confidence, which needs no correction for their number (an
 * intersection-union test: Berger, Technometrics 24 (1982) 295-300). A failure of any one fails the phase, which by
 * chance happens the more often the more there are; `multiplicity: holm` shares the doubt among them (Holm,
 * Scandinavian Journal of Statistics 6 (1979) 65-70).
 */
export function judgePhase(phase: Phase, input: PhaseInput): PhaseJudgement {
  const terms: Terms = {
    nowMs: input.nowMs,
    maxAgeMs: phase.evidence.maxAgeMs,
    maxClockSkewMs: phase.evidence.maxClockSkewMs,
    windowStartMs: phase.window.startMs,
  };
  const metrics = judgeAll(phase, input, terms);
  return { verdict: combine(phase, input, metrics), metrics };
}

function judgeAll(phase: Phase, input: PhaseInput, terms: Terms): readonly Judgement[] {
  const observe = ({ name }: Criterion) =>
    Object.hasOwn(input.observations, name) ? input.observations[name] : undefined;
  const judge = (criterion: Criterion, comparisons: number) =>
    judgeCriterion(criterion, observe(criterion), terms, comparisons);
  if (phase.decision.multiplicity === 'none') return phase.criteria.map((criterion) => judge(criterion, 1));

  const statistical = phase.criteria.filter(({ confidence }) => confidence !== undefined);
  const failed = new Map<string, Judgement>();
  // Step down: each failure leaves fewer to share the doubt among, which may let another fail.
  for (let found = -1; found !== failed.size; ) {
    found = failed.size;
    const comparisons = Math.max(1, statistical.length - found);
    for (const criterion of statistical) {
      if (failed.has(criterion.name)) continue;
      const judgement = judge(criterion, comparisons);
      if (judgement.verdict.kind === 'fail') failed.set(criterion.name, judgement);
    }
  }
  const comparisons = Math.max(1, statistical.length - failed.size);
  return phase.criteria.map((criterion) => failed.get(criterion.name) ?? judge(criterion, comparisons));
}

function combine(phase: Phase, input: PhaseInput, metrics: readonly Judgement[]): Verdict {
  const names = (kind: Verdict['kind']) =>
    metrics.filter(({ verdict }) => verdict.kind === kind).map(({ name }) => name);
  const failed = names('fail');
  if (failed.length > 0)
    return {
      kind: 'fail',
      message: `${failed.length} of ${metrics.length} metrics failed: ${failed.join(', ')}.`,
    };
  const undecided = names('inconclusive');
  if (undecided.length > 0) {
    return {
      kind: 'inconclusive',
      reason: 'not-judged',
      message: `${undecided.length} of ${metrics.length} metrics are inconclusive: ${undecided.join(', ')}.`,
    };
  }
  const broken = phase.dependsOn.flatMap(({ phase: name, stillHolds }) =>
    stillHolds
      .filter((metric) => input.dependencies[name]?.[metric]?.kind !== 'pass')
      .map((metric) => `${name}/${metric}`),
  );
  if (broken.length > 0) {
    return {
      kind: 'inconclusive',
      reason: 'dependency',
      message: `Not shown to hold still: ${broken.join(', ')}.`,
    };
  }
  const endMs = phase.window.startMs + phase.window.durationMs;
  if (!(input.nowMs >= endMs)) {
    return {
      kind: 'inconclusive',
      reason: 'window-open',
      message: `Every metric passes so far, but the window is open until ${new Date(endMs).toISOString()}.`,
    };
  }
  if (input.areCriteriaUnchecked === true) {
    return {
      kind: 'inconclusive',
      reason: 'criteria-unchecked',
      message: 'Every metric passes, but whether this change altered the phase file could not be found out.',
    };
  }
  return metrics.length > 0 && metrics.every(({ verdict }) => verdict.kind === 'pass')
    ? { kind: 'pass' }
    : {
        kind: 'inconclusive',
        reason: 'missing',
        message: 'The phase has no metrics: expected at least one.',
      };
}

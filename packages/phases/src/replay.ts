import type { PhaseEvidence } from '@sophia/records';
import { judgePhase, type PhaseJudgement } from './judge-phase.ts';
import { overridePhase } from './override-phase.ts';
import { parsePhaseFile } from './phase-file.ts';

/**
 * Finds the verdict again from the evidence alone: the phase file with the run's overrides and the observations in it,
 * judged at the moment they were judged at.
 *
 * @returns The judgement found, and whether it is the recorded one; or why the evidence can't be judged.
 */
export function replay(
  evidence: PhaseEvidence,
):
  | { readonly kind: 'replayed'; readonly judgement: PhaseJudgement; readonly isSame: boolean }
  | { readonly kind: 'problem'; readonly message: string } {
  if (evidence.omitted !== undefined && evidence.omitted.length > 0) {
    return {
      kind: 'problem',
      message: `The evidence lacks the observations of ${evidence.omitted.join(', ')}, which were too large to keep.`,
    };
  }
  const parsed = parsePhaseFile(evidence.phase.text);
  if (parsed.kind === 'problems') {
    const [first] = parsed.problems;
    return {
      kind: 'problem',
      message: `The phase file in the evidence is not valid: ${first?.line}:${first?.column}: ${first?.message}`,
    };
  }
  const judgement = judgePhase(overridePhase(parsed.phase, evidence.phase), {
    nowMs: evidence.judgedAtMs,
    observations: evidence.observations,
    dependencies: evidence.dependencies,
    areCriteriaUnchecked: evidence.phase.guard?.kind === 'unchecked',
  });
  const recorded = { verdict: evidence.verdict, metrics: evidence.metrics };
  return { kind: 'replayed', judgement, isSame: canonical(judgement) === canonical(recorded) };
}

/** JSON with the fields of every object in the order of their names, so that equal values give equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

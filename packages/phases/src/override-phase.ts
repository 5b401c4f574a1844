import type { Phase } from './phase-file.ts';

/** What a run asks for in place of what the phase file says. */
export type PhaseOverrides = {
  readonly windowStartMs?: number | undefined;
  readonly missing?: 'fail' | 'inconclusive' | undefined;
};

/** The phase with a run's own start of the window, whose duration stays, and its own word on missing answers. */
export function overridePhase(phase: Phase, { windowStartMs, missing }: PhaseOverrides): Phase {
  return {
    ...phase,
    window: { ...phase.window, startMs: windowStartMs ?? phase.window.startMs },
    criteria: phase.criteria.map((criterion) => ({ ...criterion, missing: missing ?? criterion.missing })),
  };
}

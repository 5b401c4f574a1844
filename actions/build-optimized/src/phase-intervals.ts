import type { BuildStep, Interval, Transfer } from '@sophia/buildkit';
import type { BuildPhase, PhaseInterval } from '@sophia/records';

/** Steps of buildx itself, before BuildKit begins and after it has ended: their time is the client's. */
const CLIENT_STEPS = ['[internal] booting buildkit', 'resolving provenance for metadata file'];

/**
 * Which phase each stretch of a build's steps belongs to. Stretches overlap; `attributeTime` decides between them.
 * A step that only waited for its inputs has no stretch of its own: BuildKit starts its clock when it runs.
 */
export function toPhaseIntervals(steps: readonly BuildStep[]): readonly PhaseInterval[] {
  const engineSteps = steps.filter(({ name }) => !CLIENT_STEPS.includes(name));
  const ofSteps = engineSteps.flatMap((step) => [
    ...step.intervals.map((interval) => inPhase(phaseOfStep(step), interval)),
    ...step.transfers.flatMap((transfer) => {
      const phase = phaseOfTransfer(transfer);
      return phase === undefined ? [] : [inPhase(phase, transfer)];
    }),
  ]);
  return [...ofSteps, ...findFrontendInterval(engineSteps), ...findHandoverInterval(engineSteps)];
}

/**
 * The Dockerfile's frontend runs from the first step until its instructions begin and shows no step of its own
 * while it parses and plans.
 */
function findFrontendInterval(steps: readonly BuildStep[]): readonly PhaseInterval[] {
  const startMs = Math.min(...steps.map(startOf));
  const endMs = Math.min(...steps.filter(({ kind }) => kind === 'instruction').map(startOf));
  return Number.isFinite(startMs) && Number.isFinite(endMs) ? [{ phase: 'resolving', startMs, endMs }] : [];
}

/**
 * Between its last instruction and its first export the engine commits the result and resolves it for the exporter,
 * which shows as no step either.
 */
function findHandoverInterval(steps: readonly BuildStep[]): readonly PhaseInterval[] {
  const startMs = Math.max(...steps.filter(({ kind }) => kind === 'instruction').map(endOf));
  const endMs = Math.min(...steps.filter(({ kind }) => kind === 'export').map(startOf));
  return Number.isFinite(startMs) && Number.isFinite(endMs)
    ? [{ phase: 'image-export', startMs, endMs }]
    : [];
}

function endOf({ intervals }: BuildStep): number {
  return intervals.at(-1)?.endMs ?? Number.NEGATIVE_INFINITY;
}

function startOf({ intervals }: BuildStep): number {
  return intervals[0]?.startMs ?? Number.POSITIVE_INFINITY;
}

function inPhase(phase: BuildPhase, { startMs, endMs }: Interval): PhaseInterval {
  return { phase, startMs, endMs };
}

function phaseOfStep(step: BuildStep): BuildPhase {
  switch (step.kind) {
    case 'instruction':
      if (step.keyword === 'FROM') return 'base-pull';
      // The content of a cached step is fetched when a later step needs it: that is reading the cache.
      return step.cached ? 'cache-import' : 'executing';
    case 'context':
      return 'context-transfer';
    case 'cache-import':
    case 'cache-export':
      return step.kind;
    case 'export':
      return 'image-export';
    default:
      return 'resolving';
  }
}

function phaseOfTransfer({ kind }: Transfer): BuildPhase | undefined {
  switch (kind) {
    case 'push':
      return 'push';
    case 'pull':
    case 'extract':
      return 'base-pull';
    case 'cache-read':
      return 'cache-import';
    default:
      return undefined;
  }
}

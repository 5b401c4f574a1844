export type { Criterion, Question } from './criterion.ts';
export { type Judgement, judgeCriterion } from './judge-criterion.ts';
export { judgePhase, type PhaseInput, type PhaseJudgement } from './judge-phase.ts';
export { type Phase, parsePhaseFile } from './phase-file.ts';
export type { DataSource } from './phase-schema.ts';
export type { PhaseFileProblem } from './phase-yaml.ts';
export { replay } from './replay.ts';
export type { Terms } from './sound-samples.ts';
export type { InconclusiveReason, Verdict } from './verdict.ts';

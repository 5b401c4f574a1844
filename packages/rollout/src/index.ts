export { assessRollout } from './assess-rollout.ts';
export type { Refusal } from './cause.ts';
export type { CauseCode } from './cause-code.ts';
export {
  type Dependency,
  type DependencyKey,
  findMissingDependencies,
  listDependencies,
} from './dependencies.ts';
export { explainRefusal } from './explain-refusal.ts';
export type { Finding, FindingClass } from './finding.ts';
export { planWorkload } from './plan-workload.ts';
export type {
  AskedObject,
  ImageAnswer,
  ObjectAnswer,
  ObservedRollout,
  RolloutAssessment,
  RolloutMemory,
  RolloutProgress,
  RolloutState,
} from './rollout-assessment.ts';
export type { PlanInput, WorkloadPlan } from './rollout-plan.ts';

export { type Amounts, InvalidObjectError } from './api-object.ts';
export { findForeignImages, type ImagePlatforms } from './architecture.ts';
export { countPlaces, explainPod, type NodeVerdict, type Places } from './fit.ts';
export { type JointPlacement, type PodGroup, placeJointly } from './joint-placement.ts';
export { findNearestLabel, type NearestLabel } from './nearest-label.ts';
export { allocatableOf, type Node, type OccupiedNode, occupyNodes, parseNode, usedOf } from './node.ts';
export type { FailedRequirement, NodeIdentity, Requirement, Term } from './node-affinity.ts';
export { type Container, type HostPort, type Pod, parsePod, type UnjudgedConstraint } from './pod.ts';
export { podRequest } from './pod-request.ts';
export {
  formatQuantity,
  InvalidQuantityError,
  isMilliBytes,
  NANOS_PER_UNIT,
  parseQuantity,
} from './quantity.ts';
export { type Reason, renderReason } from './reason.ts';
export {
  findWorkingStrategies,
  predictRollout,
  type RolloutOutlook,
  type RolloutPlan,
  type Strategy,
  type WorkingStrategy,
} from './rollout-outlook.ts';
export {
  type ControllerStep,
  type CountOrPercent,
  type Fenceposts,
  nextControllerStep,
  predictSurge,
  resolveFenceposts,
  type SurgeOutcome,
} from './surge.ts';
export { renderTaint, type Taint, type Toleration } from './taints.ts';

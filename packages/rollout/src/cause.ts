import type { Amounts, NodeVerdict, OccupiedNode, Pod, Reason } from '@sophia/scheduling';
import type { CauseCode } from './cause-code.ts';
import type { Words } from './finding-text.ts';
import type { LiveContainer, LivePod } from './live-pod.ts';
import type { ContainerMemory } from './memory.ts';
import type { ImageAnswer, ObjectAnswer } from './rollout-assessment.ts';
import type { RolloutView } from './rollout-view.ts';
import type { Sign } from './sign.ts';

/**
 * How early a cause strikes. Of several the earliest is the one to name, since the later ones may follow from it; a
 * controller's word never hides a Pod's.
 */
export const STAGES = [
  'admission',
  'scheduling',
  'node',
  'image',
  'config',
  'container',
  'probe',
  'controller',
] as const;

export type Stage = (typeof STAGES)[number];

/** A node and what is against placing a Pod there. */
export type Candidate = { readonly occupied: OccupiedNode; readonly verdict: NodeVerdict };

/** Pods for which there is no place, on the cluster as it would be when all that can go is gone. */
export type Shortage = {
  readonly pod: Pod;
  readonly request: Amounts;
  /** Pods that must be placed, and how many of them find a place. */
  readonly wanted: number;
  readonly placed: number;
  /** Their number is `spec.replicas`, which may be changed. */
  readonly hasReplicas: boolean;
  /** What is against one Pod more, on every node. */
  readonly nodes: readonly Candidate[];
  /** The nodes with the least against them. */
  readonly nearest: readonly Candidate[];
};

/** How a cause keeps Pods from being placed. */
export type PlacementFacet = {
  /**
   * How far a reason of this cause keeps a node from suiting; undefined for reasons of others. What the author chose
   * (labels, then the sort of node) weighs more than what may change (who holds what): the cause is looked for on the
   * nodes that were meant.
   */
  readonly weigh: (reason: Reason) => number | undefined;
  /** Undefined where, seen as a whole, it is another cause. */
  readonly describe: (shortage: Shortage) => Words | undefined;
  /** A node that is added can help. */
  readonly endsWithNewNode: boolean;
  /** How long it must last to be believed; undefined for the usual. */
  readonly settleMs?: (shortage: Shortage) => number | undefined;
};

/** A cause of failure. Everything about it is here; who is judged, how often and in which order is the engine's. */
export type Cause = {
  readonly code: CauseCode;
  readonly stage: Stage;
  readonly placement?: PlacementFacet;
  /** How it shows in a container of a new Pod. */
  readonly inContainer?: (sighting: ContainerSighting) => Sign | undefined;
  /** How it shows in the workload and what controllers say of it. */
  readonly inWorkload?: (view: RolloutView) => Sign | undefined;
  /** How it shows in an answer of the API server to a request. */
  readonly inRefusal?: (refusal: Refusal) => Words | undefined;
};

/** A request that the API server refused. */
export type Refusal = {
  /** HTTP status. */
  readonly status: number | undefined;
  /** `status.reason`: `Forbidden`, `Invalid`, `Conflict`. */
  readonly reason: string | undefined;
  /** Its sentence, whole. */
  readonly answer: string;
  /** `status.details.causes`. */
  readonly causes: readonly { readonly field: string; readonly reason: string; readonly message: string }[];
};

/** A container of a new Pod, with what is known around it. */
export type ContainerSighting = {
  readonly pod: LivePod;
  readonly container: LiveContainer;
  readonly seen: ContainerMemory;
  readonly view: RolloutView;
  /** `linux/arm64`; undefined where the node isn't seen. */
  readonly platform: string | undefined;
  /** What the registry said of the container's image. */
  readonly answer: ImageAnswer | undefined;
  /** Whether an object of the Pod's namespace is there, as far as that was asked. */
  readonly findObject: (
    kind: 'ConfigMap' | 'Secret',
    name: string,
    key: string | undefined,
  ) => ObjectAnswer | undefined;
};

import type { Finding } from './finding.ts';

/**
 * What the cluster holds at one moment, as JSON of the API. Lists may hold more than concerns the rollout (all of the
 * namespace, all of the cluster): what belongs to it is picked by owner and revision.
 */
export type ObservedRollout = {
  /** By the clock that the times of the objects are by. */
  readonly nowMs: number;
  /** When our write was answered, by the same clock. */
  readonly appliedAtMs: number;
  /** When the rollout's time is up. */
  readonly deadlineMs: number;
  /** `metadata.generation` that the API answered our own write with. */
  readonly generation: number;
  /** The Deployment, StatefulSet, DaemonSet, Job or Pod; undefined once it is gone. */
  readonly workload: unknown;
  /** ReplicaSets or ControllerRevisions of the namespace. */
  readonly revisions: readonly unknown[];
  readonly nodes: readonly unknown[];
  /** Pods of all namespaces that may be seen; at least those of the workload's. */
  readonly pods: readonly unknown[];
  /** Events of the namespace. No verdict needs one. */
  readonly events: readonly unknown[];
  readonly hasAutoscaler: boolean;
  /** What the registries said of images asked for, by the image's reference. */
  readonly images: ReadonlyMap<string, ImageAnswer>;
  /**
   * The object that our write was answered with. Without it the first one seen of that generation stands for it; with it
   * another's change is known even where it came before anything was seen.
   */
  readonly written?: unknown;
  /**
   * Whether the objects of `askedObjects` are there now, by {@link AskedObject.id}. Without an answer it takes longer
   * until a missing ConfigMap or Secret is certain.
   */
  readonly objects?: ReadonlyMap<string, ObjectAnswer>;
};

/** A ConfigMap or Secret that a kubelet misses. `id` is `Secret inference/token` or `Secret inference/token key`. */
export type AskedObject = {
  readonly id: string;
  readonly kind: 'ConfigMap' | 'Secret';
  readonly namespace: string;
  readonly name: string;
  /** Undefined where the object itself is missed. */
  readonly key: string | undefined;
};

/** As of when it was asked: an answer is worth asking for again while the object is still asked about. */
export type ObjectAnswer = 'there' | 'missing' | 'unknown';

/** What a registry says of an image. `platforms` such as `linux/arm64`. */
export type ImageAnswer =
  | { readonly kind: 'found'; readonly platforms: readonly string[] }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'denied' }
  | { readonly kind: 'unknown' };

/** What was seen before, for causes that must be seen more than once. Opaque. */
export type RolloutMemory = { readonly [seen: string]: unknown };

export type RolloutState =
  | { readonly kind: 'progressing' }
  /** Every Pod is of the new revision and available, and has been for as long as it takes to believe it. */
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly finding: Finding }
  /** Someone else has changed the workload since. */
  | { readonly kind: 'superseded'; readonly finding: Finding };

export type RolloutProgress = {
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  /** Pods of earlier revisions that are still there. */
  readonly old: number;
};

export type RolloutAssessment = {
  readonly memory: RolloutMemory;
  readonly state: RolloutState;
  readonly progress: RolloutProgress;
  /** What else is seen, or not certain yet: `suspected` and `waiting`. */
  readonly also: readonly Finding[];
  /** Images about which the registry's word would make something certain. */
  readonly askedImages: readonly string[];
  /** Objects whose presence would make something certain. */
  readonly askedObjects: readonly AskedObject[];
  /** When to look again though nothing has changed: a budget ends then. */
  readonly nextLookMs: number | undefined;
  /** Names of the Pods of the new revision. */
  readonly newPods: readonly string[];
};

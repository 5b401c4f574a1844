import type { NodeVerdict, OccupiedNode, Pod, RolloutOutlook, Strategy } from '@sophia/scheduling';
import type { Finding } from './finding.ts';

/** A workload of the manifests and the cluster it is meant for, before anything is applied. */
export type PlanInput = {
  /** The object as it would be: of a server dry-run where there was one, else of the manifest. */
  readonly workload: unknown;
  /** The object as it is; undefined where there is none. */
  readonly current: unknown;
  /** A Pod that the server made of the template in a dry-run (defaults, LimitRanges, webhooks); else the template. */
  readonly pod: Pod;
  readonly nodes: readonly OccupiedNode[];
  /** Every Pod of the cluster that may be seen. */
  readonly pods: readonly Pod[];
  /** Pods of the workload's present revision, which the rollout replaces. */
  readonly oldPods: readonly Pod[];
  readonly images: readonly { readonly image: string; readonly platforms: readonly string[] }[];
  readonly hasAutoscaler: boolean;
  /** As the user asked for: `auto` picks one that can end, the gentlest first. */
  readonly strategy: 'auto' | 'rolling' | 'recreate';
};

/** Where the Pods would go, by which strategy, and what is against it. */
export type WorkloadPlan = {
  /** `Deployment inference/vllm`. */
  readonly subject: string;
  readonly replicas: number;
  /** Undefined for kinds that aren't rolled out (Job, Pod). */
  readonly strategy: Strategy | undefined;
  /** The change to the manifest that brings it about; undefined where it says so already. A JSON merge patch. */
  readonly strategyPatch: unknown;
  /** One sentence on why this strategy and what it costs: who serves meanwhile. */
  readonly strategyReason: string;
  readonly outlook: RolloutOutlook | undefined;
  /** Every node and whether it suits. */
  readonly nodes: readonly NodeVerdict[];
  /** Refusals first; also warnings (`suspected`) such as a blanket toleration. */
  readonly findings: readonly Finding[];
};

import * as z from 'zod/mini';
import { type Amounts, absentable, amounts, readObject, textMap } from './api-object.ts';
import type { NodeIdentity } from './node-affinity.ts';
import type { Pod } from './pod.ts';
import { podRequest } from './pod-request.ts';
import { roundUpForScheduler } from './quantity.ts';
import { type Taint, taintSchema } from './taints.ts';

/** What scheduling reads of a Node. */
export type Node = NodeIdentity & {
  readonly taints: readonly Taint[];
  /** `spec.unschedulable`: somebody cordoned it. */
  readonly isCordoned: boolean;
  /** `status.allocatable`, never `capacity`: what the system keeps for itself is not to be had. */
  readonly allocatable: Amounts;
};

/** A node and the Pods that hold something of it. */
export type OccupiedNode = { readonly node: Node; readonly pods: readonly Pod[] };

const nodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels: absentable(textMap) }),
  spec: absentable(
    z.object({ unschedulable: absentable(z.boolean()), taints: absentable(z.array(taintSchema)) }),
  ),
  status: absentable(z.object({ allocatable: absentable(amounts), capacity: absentable(amounts) })),
});

/**
 * Reads a Node as the API gives it. Without `status.allocatable` the capacity stands in, as the API server does.
 *
 * @throws {InvalidObjectError} Names the field.
 */
export function parseNode(document: unknown): Node {
  const { metadata, spec, status } = readObject('Node', nodeSchema, document);
  return {
    name: metadata.name,
    labels: new Map(Object.entries(metadata.labels ?? {})),
    taints: spec?.taints ?? [],
    isCordoned: spec?.unschedulable ?? false,
    allocatable: status?.allocatable ?? status?.capacity ?? new Map(),
  };
}

/**
 * Puts Pods on the nodes they hold. Those that ended hold nothing; those that are ending still do. A Pod that is
 * promised a node after a preemption counts there.
 *
 * @param nodes All nodes.
 * @param pods All Pods of the cluster, in every namespace.
 */
export function occupyNodes(nodes: readonly Node[], pods: readonly Pod[]): readonly OccupiedNode[] {
  const byNode = Map.groupBy(
    pods.filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed'),
    ({ nodeName, nominatedNodeName }) => nodeName ?? nominatedNodeName,
  );
  return nodes.map((node) => ({ node, pods: byNode.get(node.name) ?? [] }));
}

/** What the Pods of a node hold of a resource, in nano-units. `pods` counts them. */
export function usedOf(resource: string, { pods }: OccupiedNode): bigint {
  return pods
    .map((pod) => roundUpForScheduler(resource, podRequest(pod).get(resource) ?? 0n))
    .reduce((sum, amount) => sum + amount, 0n);
}

/** What a node has of a resource before anybody asks, in the scheduler's steps, in nano-units. */
export function allocatableOf(resource: string, node: Node): bigint {
  return roundUpForScheduler(resource, node.allocatable.get(resource) ?? 0n);
}

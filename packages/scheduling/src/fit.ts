import { findForeignImages, type ImagePlatforms } from './architecture.ts';
import { allocatableOf, type OccupiedNode, usedOf } from './node.ts';
import { findAffinityMismatches, findSelectorMismatches } from './node-affinity.ts';
import type { HostPort, Pod } from './pod.ts';
import { podRequest } from './pod-request.ts';
import { NANOS_PER_UNIT, roundUpForScheduler } from './quantity.ts';
import type { Reason } from './reason.ts';
import { CORDON_TAINT, isRepelling, judgeTaint } from './taints.ts';

/**
 * Whether a Pod can be placed on a node. `may`: nothing speaks against it that is judged here, and its reasons, all
 * `unknown`, say what isn't.
 */
export type NodeVerdict = {
  readonly node: string;
  readonly kind: 'fits' | 'may' | 'misfit';
  /** All, in the order of the scheduler's filters; the scheduler itself names only the first. */
  readonly reasons: readonly Reason[];
};

/** How many copies of a Pod can be placed at once. */
export type Places = {
  readonly count: number;
  /** Nodes whose verdict is `may` were counted as if they fitted. */
  readonly isUpperBound: boolean;
  /** Nodes with at least one place, and how many. */
  readonly byNode: ReadonlyMap<string, number>;
};

/**
 * Judges a Pod against every node, as the default scheduler's filters do without preemption.
 *
 * @param pod From {@link parsePod}; if it is among the Pods of a node it isn't counted against itself.
 * @param nodes From {@link occupyNodes}.
 * @param images Platforms of the Pod's images where known; the scheduler doesn't look at them, the kubelet fails on them.
 * @see kubernetes/kubernetes `pkg/scheduler/framework/plugins/`, order in `apis/config/v1/default_plugins.go`
 */
export function explainPod(
  pod: Pod,
  nodes: readonly OccupiedNode[],
  images: readonly ImagePlatforms[] = [],
): readonly NodeVerdict[] {
  const common = findCommonUnknowns(pod, nodes);
  return nodes.map((occupied) => {
    const others = withoutSelf(pod, occupied);
    const reasons = [
      ...findPlacementReasons(pod, others),
      ...findPortReasons(pod, others),
      ...findResourceReasons(pod, others),
      ...findArchitectureReasons(images, others),
      ...common,
    ];
    return { node: occupied.node.name, kind: judge(reasons), reasons };
  });
}

/**
 * Counts how many copies of a Pod can be placed with everything else left in place. Exact for what is judged here:
 * copies are equal and don't heed one another, so each node can be counted by itself.
 *
 * @param images As for {@link explainPod}.
 */
export function countPlaces(
  pod: Pod,
  nodes: readonly OccupiedNode[],
  images: readonly ImagePlatforms[] = [],
): Places {
  const byNode = new Map<string, number>();
  let isUpperBound = false;
  const verdicts = explainPod(pod, nodes, images);
  for (const [index, occupied] of nodes.entries()) {
    const verdict = verdicts[index];
    if (verdict === undefined || verdict.kind === 'misfit') continue;
    if (verdict.kind === 'may') isUpperBound = true;
    byNode.set(occupied.node.name, countCopies(pod, withoutSelf(pod, occupied)));
  }
  const count = [...byNode.values()].reduce((sum, copies) => sum + copies, 0);
  return { count, isUpperBound, byNode };
}

function judge(reasons: readonly Reason[]): NodeVerdict['kind'] {
  if (reasons.some(({ kind }) => kind !== 'unknown')) return 'misfit';
  return reasons.length === 0 ? 'fits' : 'may';
}

function withoutSelf(pod: Pod, { node, pods }: OccupiedNode): OccupiedNode {
  return {
    node,
    pods: pods.filter(
      (other) =>
        !(pod.name !== '' && other.name === pod.name && other.namespace === pod.namespace) &&
        (other.nodeName !== undefined || other.priority >= pod.priority),
    ),
  };
}

function findCommonUnknowns(pod: Pod, nodes: readonly OccupiedNode[]): readonly Reason[] {
  const reasons: Reason[] = pod.unjudged.map((entry) => ({ kind: 'unknown', ...entry }));
  const repelling = nodes.flatMap(({ pods }) => pods).find(({ repelsOthers }) => repelsOthers);
  if (repelling !== undefined) {
    reasons.push({
      kind: 'unknown',
      constraint: 'existing-pod-anti-affinity',
      detail: `distance from Pod ${nameOf(repelling)} with required anti-affinity`,
    });
  }
  return reasons;
}

function findPlacementReasons(pod: Pod, { node }: OccupiedNode): readonly Reason[] {
  const reasons: Reason[] = [];
  if (node.isCordoned && judgeTaint(CORDON_TAINT, pod.tolerations) !== 'tolerated') {
    reasons.push({ kind: 'cordoned' });
  }
  if (pod.nodeName !== undefined && pod.nodeName !== node.name) {
    reasons.push({ kind: 'other-node', wanted: pod.nodeName });
  }
  for (const taint of node.taints.filter(isRepelling)) {
    const tolerance = judgeTaint(taint, pod.tolerations);
    if (tolerance === 'untolerated') reasons.push({ kind: 'taint', taint });
    if (tolerance === 'unsure') {
      reasons.push({
        kind: 'unknown',
        constraint: 'toleration-operator',
        detail: `toleration of ${taint.key} by Gt or Lt`,
      });
    }
  }
  for (const failed of findSelectorMismatches(pod.nodeSelector, node)) {
    reasons.push({ kind: 'node-selector', failed });
  }
  const terms = pod.nodeAffinity === undefined ? undefined : findAffinityMismatches(pod.nodeAffinity, node);
  if (terms !== undefined) reasons.push({ kind: 'node-affinity', terms });
  return reasons;
}

function findPortReasons(pod: Pod, { pods }: OccupiedNode): readonly Reason[] {
  return pod.hostPorts.flatMap((port): readonly Reason[] => {
    const holder = pods.find(({ hostPorts }) => hostPorts.some((taken) => collide(port, taken)));
    return holder === undefined ? [] : [{ kind: 'host-port', port, holder: nameOf(holder) }];
  });
}

function collide(left: HostPort, right: HostPort): boolean {
  if (left.port !== right.port || left.protocol !== right.protocol) return false;
  return left.ip === right.ip || left.ip === '0.0.0.0' || right.ip === '0.0.0.0';
}

function findResourceReasons(pod: Pod, occupied: OccupiedNode): readonly Reason[] {
  return requestedAmounts(pod).flatMap(([resource, requested]): readonly Reason[] => {
    const allocatable = allocatableOf(resource, occupied.node);
    const used = usedOf(resource, occupied);
    if (requested <= allocatable - used) return [];
    if (resource === 'pods') return [{ kind: 'pods-full', allocatable, used }];
    return [
      { kind: 'resource', resource, requested, allocatable, used, isUnresolvable: requested > allocatable },
    ];
  });
}

/** What the scheduler compares; a request of zero is met by any node, a full one among them. */
function requestedAmounts(pod: Pod): readonly (readonly [string, bigint])[] {
  return [...podRequest(pod)]
    .map(([resource, amount]) => [resource, roundUpForScheduler(resource, amount)] as const)
    .filter(([, amount]) => amount > 0n)
    .sort(([left], [right]) => rank(left) - rank(right));
}

function rank(resource: string): number {
  const index = ['pods', 'cpu', 'memory', 'ephemeral-storage'].indexOf(resource);
  return index === -1 ? 4 : index;
}

function countCopies(pod: Pod, occupied: OccupiedNode): number {
  const copies = requestedAmounts(pod).map(
    ([resource, requested]) =>
      (allocatableOf(resource, occupied.node) - usedOf(resource, occupied)) / requested,
  );
  if (pod.hostPorts.length > 0) copies.push(1n);
  return Number(copies.reduce((least, count) => (count < least ? count : least), NANOS_PER_UNIT));
}

function findArchitectureReasons(
  images: readonly ImagePlatforms[],
  { node }: OccupiedNode,
): readonly Reason[] {
  const architecture = node.labels.get('kubernetes.io/arch');
  if (architecture === undefined) return [];
  const os = node.labels.get('kubernetes.io/os') ?? 'linux';
  return findForeignImages(images, { os, architecture }).map(({ image, platforms }) => ({
    kind: 'architecture',
    image,
    platforms,
    node: `${os}/${architecture}`,
  }));
}

function nameOf({ namespace, name }: Pod): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

import {
  allocatableOf,
  formatQuantity,
  NANOS_PER_UNIT,
  type OccupiedNode,
  podRequest,
  usedOf,
} from '@sophia/scheduling';
import type { Candidate, Cause, Shortage } from './cause.ts';
import { count, list, type Words } from './finding-text.ts';

/** `nvidia.com/gpu`, `amd.com/gpu`, `nvidia.com/gpu.shared`, MIG profiles. */
export function isGpu(resource: string): boolean {
  return /\/(?:gpu|mig-|xpu)/.test(resource);
}

/** The resources of a shortage that the nearest nodes lack. */
export function lackedResources(
  { nearest }: Pick<Shortage, 'nearest'>,
  isMeant: (resource: string) => boolean,
): readonly string[] {
  const lacked = nearest.flatMap(({ verdict }) =>
    verdict.reasons.flatMap((reason) =>
      reason.kind === 'resource' && isMeant(reason.resource) ? [reason.resource] : [],
    ),
  );
  return [...new Set(lacked)];
}

/** What is free and what there is of a resource on these nodes, and which Pods hold it. Amounts in nano-units. */
export type Holdings = {
  readonly free: bigint;
  readonly allocatable: bigint;
  /** `research/train-1`, the largest first. */
  readonly holders: readonly string[];
};

export function addUpHoldings(resource: string, nodes: readonly OccupiedNode[]): Holdings {
  let free = 0n;
  let allocatable = 0n;
  const holders: { readonly name: string; readonly amount: bigint }[] = [];
  for (const occupied of nodes) {
    const all = allocatableOf(resource, occupied.node);
    const left = all - usedOf(resource, occupied);
    allocatable += all;
    free += left > 0n ? left : 0n;
    for (const pod of occupied.pods) {
      const amount = podRequest(pod).get(resource) ?? 0n;
      if (amount > 0n && pod.name !== '') holders.push({ name: `${pod.namespace}/${pod.name}`, amount });
    }
  }
  holders.sort((left, right) => Number(right.amount - left.amount) || (left.name < right.name ? -1 : 1));
  return { free, allocatable, holders: holders.map(({ name }) => name) };
}

/** `0 of 8 GPUs`, `512Mi of 64Gi memory` */
function sayFree(resource: string, { free, allocatable }: Holdings): string {
  const write = (amount: bigint) => formatQuantity(resource, amount);
  if (!isGpu(resource)) return `${write(free)} of ${write(allocatable)} ${sayResource(resource)}`;
  return `${write(free)} of ${sayAmount(resource, allocatable)}`;
}

/** `2 GPUs`, `4Gi memory` */
export function sayAmount(resource: string, amount: bigint): string {
  const text = formatQuantity(resource, amount);
  if (!isGpu(resource)) return `${text} ${sayResource(resource)}`;
  return `${text} ${text === '1' ? 'GPU' : 'GPUs'}${resource === 'nvidia.com/gpu' ? '' : ` (${resource})`}`;
}

/** `0 of 1 GPU is free`, `3 of 8 GPUs are free` */
export function sayIsFree(resource: string, holdings: Holdings): string {
  const isOne = !isGpu(resource) || holdings.allocatable === NANOS_PER_UNIT;
  return `${sayFree(resource, holdings)} ${isOne ? 'is' : 'are'} free`;
}

function sayResource(resource: string): string {
  return resource === 'cpu' ? 'CPU' : resource;
}

/** Words for nodes that would do but have too little of a resource left. */
export function describeTooLittle(resource: string, shortage: Shortage): Words {
  const short = shortage.nearest.filter(({ verdict }) =>
    verdict.reasons.some((reason) => reason.kind === 'resource' && reason.resource === resource),
  );
  const holdings = addUpHoldings(
    resource,
    short.map(({ occupied }) => occupied),
  );
  const asked = shortage.request.get(resource) ?? 0n;
  const missing = shortage.wanted - shortage.placed;
  const names = short.map(({ occupied }) => occupied.node.name);
  const seen = [
    `each asks for ${sayAmount(resource, asked)} and ${sayIsFree(resource, holdings)} on ${list(names, 2)}`,
  ];
  if (holdings.holders.length > 0) seen.push(`held by ${list(holdings.holders, 2)}`);
  return {
    wrong: sayUnplaced(shortage),
    seen,
    fix: sayRoom(resource, asked * BigInt(missing), names, shortage),
    details: sayHolders(resource, short),
  };
}

function sayRoom(resource: string, amount: bigint, nodes: readonly string[], shortage: Shortage): string {
  const room = `Free ${sayAmount(resource, amount)} on ${nodes.length === 1 ? nodes[0] : 'these nodes'}`;
  return shortage.placed > 0 && shortage.hasReplicas
    ? `${room}, or set replicas: ${shortage.placed}`
    : `${room} or add a node`;
}

/** `cannot place 2 of 3 Pods` */
export function sayUnplaced({ wanted, placed }: Pick<Shortage, 'wanted' | 'placed'>): string {
  if (wanted === 1) return 'cannot place its Pod';
  return placed === 0
    ? `cannot place any of ${count(wanted, 'Pod')}`
    : `cannot place ${wanted - placed} of ${wanted} Pods`;
}

/** A line for each node: what is free of the resource and who holds it. */
export function sayHolders(resource: string, candidates: readonly Candidate[]): readonly string[] {
  return candidates.map(({ occupied }) => {
    const holdings = addUpHoldings(resource, [occupied]);
    const held = holdings.holders.length === 0 ? '' : `, held by ${list(holdings.holders, 5)}`;
    return `Node ${occupied.node.name}: ${sayFree(resource, holdings)} free${held}.`;
  });
}

/** How a plain resource that the nodes which were meant have too little of is recognised, and its words. */
export function placementBy(isMeant: (resource: string) => boolean): NonNullable<Cause['placement']> {
  return {
    weigh: (reason) => {
      if (reason.kind !== 'resource' || !isMeant(reason.resource)) return undefined;
      return reason.isUnresolvable ? 30 : 1;
    },
    endsWithNewNode: true,
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isMeant);
      return resource === undefined ? undefined : describeTooLittle(resource, shortage);
    },
  };
}

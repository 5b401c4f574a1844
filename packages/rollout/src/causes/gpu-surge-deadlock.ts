import {
  explainPod,
  findWorkingStrategies,
  type OccupiedNode,
  podRequest,
  predictRollout,
  type RolloutPlan,
  type Strategy,
} from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { count, type Words } from '../finding-text.ts';
import { addUpHoldings, isGpu, sayHolders, sayIsFree } from '../resource-words.ts';

/** Old Pods wait for new ones to be ready, which wait for the room that the old ones hold. */
export const gpuSurgeDeadlock: Cause = { code: 'gpu-surge-deadlock', stage: 'scheduling' };

/** Says why a rolling update can't take a step, and the smallest change with which it can. */
export function explainSurgeDeadlock(plan: RolloutPlan, strategy: Strategy): Words {
  const surge = strategy.kind === 'rolling' ? strategy.surge : 0;
  const unavailable = strategy.kind === 'rolling' ? strategy.unavailable : 0;
  const room = sayRoom(plan);
  const [working] = findWorkingStrategies(plan);
  const fix = findFix(plan, surge);
  const start = `${count(Math.max(1, surge), 'new Pod')} must start first (maxSurge ${surge}, maxUnavailable ${unavailable}) and ${room.text}`;
  return {
    wrong: 'cannot finish',
    seen: [start],
    fix,
    details: [
      ...room.details,
      ...(working === undefined
        ? []
        : [`Pods that serve at the worst moment then: ${leastAvailable(plan, fix)} of ${plan.replicas}.`]),
    ],
  };
}

function leastAvailable({ replicas }: RolloutPlan, fix: string): number {
  return fix.includes('Recreate') ? 0 : Math.max(0, replicas - 1);
}

/** Only what would work. */
function findFix(plan: RolloutPlan, surge: number): string {
  const attempts: readonly (readonly [Strategy, string])[] = [
    [{ kind: 'rolling', surge, unavailable: 1 }, 'Set maxUnavailable: 1'],
    [{ kind: 'rolling', surge: 0, unavailable: 1 }, 'Set maxSurge: 0 and maxUnavailable: 1'],
    [{ kind: 'recreate' }, 'Set strategy.type: Recreate'],
  ];
  for (const certainty of ['ends', 'may-end']) {
    const found = attempts.find(([strategy]) => predictRollout(plan, strategy).outcome === certainty);
    if (found !== undefined) return found[1];
  }
  return '';
}

function sayRoom({ newPod, nodes, images }: RolloutPlan): {
  readonly text: string;
  readonly details: readonly string[];
} {
  const resource = [...podRequest(newPod).keys()].find(isGpu);
  const verdicts = explainPod(newPod, nodes, images);
  const suitable = nodes.filter((_, index) =>
    (verdicts[index]?.reasons ?? []).every((reason) => reason.kind !== 'unknown' && isAboutRoom(reason.kind)),
  );
  if (resource === undefined) return { text: 'no node has room for it', details: [] };
  const holding = suitable.filter(({ node }) => (node.allocatable.get(resource) ?? 0n) > 0n);
  const holdings = addUpHoldings(resource, holding);
  const text =
    holdings.free >= (podRequest(newPod).get(resource) ?? 0n)
      ? `no node has room for it though ${sayIsFree(resource, holdings)}`
      : `${sayIsFree(resource, holdings)}`;
  return { text, details: sayHolders(resource, holding.map(toCandidate)) };
}

function toCandidate(occupied: OccupiedNode) {
  return {
    occupied,
    verdict: { node: occupied.node.name, kind: 'misfit' as const, reasons: [] },
  };
}

function isAboutRoom(kind: string): boolean {
  return kind === 'resource' || kind === 'pods-full' || kind === 'host-port';
}

import { findWorkingStrategies, predictRollout, type RolloutPlan, type Strategy } from '@sophia/scheduling';
import { count } from './finding-text.ts';
import type { PlanInput } from './rollout-plan.ts';
import { rollingOf, statesStrategy, strategyOf, type Workload } from './workload.ts';

/** How Pods are to be replaced, and why so. */
export type StrategyChoice = {
  readonly strategy: Strategy;
  readonly reason: string;
  /** The manifest says the same. */
  readonly isManifests: boolean;
};

/**
 * Chooses how Pods are replaced; undefined for kinds that have no choice of it (Job, Pod).
 *
 * @param isReplaced False where the Pods stay as they are.
 */
export function chooseStrategy(
  workload: Workload,
  plan: RolloutPlan,
  wanted: PlanInput['strategy'],
  isReplaced: boolean,
): StrategyChoice | undefined {
  const own = strategyOf(workload);
  if (own === undefined) return undefined;
  const keep = (reason: string): StrategyChoice => ({ strategy: own, reason, isManifests: true });
  if (workload.kind === 'StatefulSet') {
    return keep(`A StatefulSet replaces one Pod at a time: ${sayCost(own, plan.replicas)}.`);
  }
  if (wanted === 'recreate') {
    const reason = `Recreate, as asked: ${sayCost({ kind: 'recreate' }, plan.replicas)}.`;
    return { strategy: { kind: 'recreate' }, reason, isManifests: own.kind === 'recreate' };
  }
  if (wanted === 'rolling') {
    const strategy = own.kind === 'rolling' ? own : rollingOf(plan.replicas, undefined, undefined);
    const reason = `Rolling update, as asked: ${sayCost(strategy, plan.replicas)}.`;
    return { strategy, reason, isManifests: own.kind === 'rolling' };
  }
  if (!isReplaced) return keep('The Pod template is unchanged: no Pod is replaced.');
  const outcome = predictRollout(plan, own).outcome;
  if (plan.oldPods.length === 0) return keep('There is no Pod to replace.');
  if (outcome !== 'surge-deadlock')
    return keep(`The manifest's strategy can end: ${sayCost(own, plan.replicas)}.`);
  if (statesStrategy(workload)) return keep(`The manifest's strategy cannot end, and it was chosen there.`);
  const [gentlest] = findWorkingStrategies(plan);
  if (gentlest === undefined) return keep('No strategy can end.');
  const { strategy } = gentlest;
  return {
    strategy,
    reason: `The default (maxSurge 25%, maxUnavailable 25%) cannot end, so ${sayStrategy(strategy)}: ${sayCost(strategy, plan.replicas)}.`,
    isManifests: false,
  };
}

/** `Recreate`, `maxSurge 0, maxUnavailable 1` */
function sayStrategy(strategy: Strategy): string {
  if (strategy.kind === 'recreate') return 'Recreate';
  return `maxSurge ${strategy.surge}, maxUnavailable ${strategy.unavailable}`;
}

/** Who serves meanwhile. */
function sayCost(strategy: Strategy, replicas: number): string {
  const least = strategy.kind === 'recreate' ? 0 : Math.max(0, replicas - strategy.unavailable);
  if (replicas === 0) return 'there is no Pod to replace';
  if (least === 0) return 'no Pod serves from the end of the old ones until the new ones are ready';
  if (least === replicas)
    return `${count(replicas, 'Pod')} ${replicas === 1 ? 'serves' : 'serve'} throughout`;
  return `${least} of ${count(replicas, 'Pod')} ${least === 1 ? 'serves' : 'serve'} at the worst moment`;
}

/** The JSON merge patch that brings a choice about; undefined where the manifest says so already. */
export function toPatch({ kind }: Workload, { strategy, isManifests }: StrategyChoice): unknown {
  if (isManifests || kind !== 'Deployment') return undefined;
  if (strategy.kind === 'recreate') return { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } };
  const { surge, unavailable } = strategy;
  return {
    spec: {
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable },
      },
    },
  };
}

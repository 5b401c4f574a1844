import { describe, expect, it } from 'vitest';
import { simulateRollout } from '../../../test/harness/rollout-simulation.ts';
import { nextControllerStep, predictSurge, resolveFenceposts, type SurgeOutcome } from './surge.ts';

describe('resolveFenceposts', () => {
  // The controller's own table, from the comment above ResolveFenceposts.
  it.each([
    { replicas: 2, maxSurge: '0%', maxUnavailable: '1%', surge: 0, unavailable: 1 },
    { replicas: 1, maxSurge: '0%', maxUnavailable: '1%', surge: 0, unavailable: 1 },
    { replicas: 2, maxSurge: '1%', maxUnavailable: '25%', surge: 1, unavailable: 0 },
    { replicas: 1, maxSurge: '1%', maxUnavailable: '25%', surge: 1, unavailable: 0 },
    { replicas: 2, maxSurge: '1%', maxUnavailable: '0%', surge: 1, unavailable: 0 },
    { replicas: 1, maxSurge: '1%', maxUnavailable: '0%', surge: 1, unavailable: 0 },
  ])(
    '$replicas replicas, surge $maxSurge, unavailable $maxUnavailable: +$surge/-$unavailable',
    ({ replicas, maxSurge, maxUnavailable, ...expected }) => {
      expect(resolveFenceposts(replicas, maxSurge, maxUnavailable)).toEqual(expected);
    },
  );

  // The documentation's example: 10 replicas, 2 unavailable, 3 surge; and its defaults, 25 % up and 25 % down.
  it('takes counts as they are, and the defaults of the API server where there are none', () => {
    expect(resolveFenceposts(10, 3, 2)).toEqual({ surge: 3, unavailable: 2 });
    expect([1, 3, 4, 10].map((replicas) => resolveFenceposts(replicas))).toEqual([
      { surge: 1, unavailable: 0 },
      { surge: 1, unavailable: 0 },
      { surge: 1, unavailable: 1 },
      { surge: 3, unavailable: 2 },
    ]);
  });

  it('lacks at most all replicas', () => {
    expect(resolveFenceposts(2, 0, 5)).toEqual({ surge: 0, unavailable: 2 });
    expect(resolveFenceposts(0, '25%', '25%')).toEqual({ surge: 0, unavailable: 0 });
  });

  it('names the field it rejects', () => {
    expect(() => resolveFenceposts(1, -1, 0)).toThrow('maxSurge is -1: expected a whole number ≥ 0.');
    expect(() => resolveFenceposts(1, 0, '1.5%')).toThrow(
      'maxUnavailable is "1.5%": expected a whole number or a percentage such as "25%".',
    );
    expect(() => resolveFenceposts(Number.NaN)).toThrow('replicas is NaN: expected a whole number ≥ 0.');
  });
});

describe('nextControllerStep', () => {
  // The example of the comment in the controller's reconcileOldReplicaSets: 10 replicas, surge 3, unavailable 2.
  it.each([
    {
      when: 'the new Pods never become available',
      counts: { oldPods: 8, oldAvailable: 8, newPods: 5, newAvailable: 0 },
      step: { kind: 'wait' },
    },
    {
      when: 'then an old Pod fails as well',
      counts: { oldPods: 8, oldAvailable: 7, newPods: 5, newAvailable: 0 },
      step: { kind: 'wait' },
    },
    {
      when: 'that is undone: the failing Pods are now the old ones',
      counts: { oldPods: 5, oldAvailable: 0, newPods: 8, newAvailable: 7 },
      step: { kind: 'scale-down', by: 4, unhealthy: 4 },
    },
    {
      when: '9 Pods are left of that',
      counts: { oldPods: 1, oldAvailable: 0, newPods: 8, newAvailable: 8 },
      step: { kind: 'scale-up', by: 2 },
    },
    {
      when: 'another template is pushed instead',
      counts: { oldPods: 13, oldAvailable: 8, newPods: 0, newAvailable: 0 },
      step: { kind: 'scale-down', by: 5, unhealthy: 5 },
    },
    {
      when: 'all is done',
      counts: { oldPods: 0, oldAvailable: 0, newPods: 10, newAvailable: 10 },
      step: { kind: 'wait' },
    },
  ])('$when: $step.kind', ({ counts, step }) => {
    expect(nextControllerStep({ replicas: 10, surge: 3, unavailable: 2 }, counts)).toEqual(step);
  });
});

/** What the simulation found; `mixed` when it depends on the order of events. */
function outcomeOf({ finished, stuck }: { finished: boolean; stuck: boolean }): 'ends' | 'never' | 'mixed' {
  if (finished && stuck) return 'mixed';
  return finished ? 'ends' : 'never';
}

const foretold: Readonly<Record<SurgeOutcome, string>> = {
  ends: 'ends',
  'surge-deadlock': 'never',
  'too-few-places': 'never',
};

type Case = {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  /** Old Pods that are ready, that hold a place and never will be, and that have no place and get none. */
  readonly ready: number;
  readonly broken: number;
  readonly pending: number;
  /** New Pods that find room at once. */
  readonly free: number;
};

/** 0 to `last`. */
function upTo(last: number): readonly number[] {
  return Array.from({ length: last + 1 }, (_, index) => index);
}

function casesOf(
  replicas: number,
  old: readonly Pick<Case, 'ready' | 'broken' | 'pending'>[],
): readonly Case[] {
  return upTo(replicas).flatMap((maxSurge) =>
    upTo(replicas).flatMap((maxUnavailable) =>
      old.flatMap((pods) => upTo(4).map((free) => ({ replicas, maxSurge, maxUnavailable, ...pods, free }))),
    ),
  );
}

/** Cases in which the simulation, given every order of events, disagrees. */
function findWrong(cases: readonly Case[]): readonly unknown[] {
  return cases.flatMap(({ replicas, maxSurge, maxUnavailable, ready, broken, pending, free }) => {
    const held = ready + broken;
    const simulated = simulateRollout({
      replicas,
      surge: maxSurge,
      unavailable: maxSurge + maxUnavailable === 0 ? 1 : maxUnavailable,
      oldSize: 1,
      newSize: 1,
      nodes: [{ gpus: held + free, oldReady: ready, oldBroken: broken, takesNew: true, takesOld: false }],
      oldPending: pending,
    });
    const limits = resolveFenceposts(replicas, maxSurge, maxUnavailable);
    const predicted = predictSurge({ ...limits, replicas, held, free });
    return foretold[predicted] === outcomeOf(simulated)
      ? []
      : [{ replicas, maxSurge, maxUnavailable, ready, broken, pending, free, predicted, simulated }];
  });
}

describe('predictSurge', () => {
  it('agrees with every order of events: up to 12 replicas, all limits, up to 4 free places', () => {
    const cases = upTo(12)
      .slice(1)
      .flatMap((replicas) => casesOf(replicas, [{ ready: replicas, broken: 0, pending: 0 }]));
    expect(cases).toHaveLength(4090);
    expect(findWrong(cases)).toEqual([]);
  }, 60_000);

  it('agrees where old Pods are pending, or hold a place and are never ready', () => {
    const cases = [1, 2, 3, 4].flatMap((replicas) =>
      casesOf(
        replicas,
        upTo(replicas).flatMap((ready) =>
          upTo(replicas - ready).map((broken) => ({ ready, broken, pending: replicas - ready - broken })),
        ),
      ),
    );
    expect(cases).toHaveLength(3005);
    expect(findWrong(cases)).toEqual([]);
  }, 60_000);

  it('agrees where the number of replicas changes with the template', () => {
    const cases = [1, 2, 3, 4, 5].flatMap((replicas) =>
      casesOf(
        replicas,
        upTo(6).map((ready) => ({ ready, broken: 0, pending: 0 })),
      ),
    );
    expect(cases).toHaveLength(3150);
    expect(findWrong(cases)).toEqual([]);
  }, 60_000);

  it('ends at once with no replicas', () => {
    expect(predictSurge({ replicas: 0, surge: 0, unavailable: 0, held: 0, free: 0 })).toBe('ends');
  });
});

import { dirname, join } from 'node:path';
import {
  judgePhase,
  overridePhase,
  type Phase,
  type PhaseJudgement,
  type PhaseOverrides,
} from '@sophia/phases';
import type { Observation, PhaseEvidence } from '@sophia/records';
import { resolveSources, type Source, type Tokens } from './data-sources.ts';
import type { Observer } from './observe.ts';
import type { Criteria } from './phase-criteria.ts';

/** What is asked of whom, and with what. */
export type Questioning = {
  readonly observe: Observer;
  readonly addresses: ReadonlyMap<string, string>;
  readonly tokens: Tokens;
  readonly overrides: PhaseOverrides;
  readonly now: () => number;
};

/** The phase of a dependency, or why there is none to judge. */
export type Dependency =
  | { readonly kind: 'criteria'; readonly criteria: Criteria }
  | { readonly kind: 'problem'; readonly message: string };

export type Judged = {
  readonly judgement: PhaseJudgement;
  readonly judgedAtMs: number;
  readonly observations: Readonly<Record<string, Observation>>;
  readonly dependencies: PhaseEvidence['dependencies'];
  readonly sources: ReadonlyMap<string, Source>;
  readonly proposal: { readonly text: string; readonly judgement: PhaseJudgement } | undefined;
};

/** Asks every source of a phase at once, and judges it, and beside it the phase as the change would have it. */
export async function judgeCriteria(
  criteria: Criteria,
  dependencies: ReadonlyMap<string, Dependency>,
  questioning: Questioning,
): Promise<Judged> {
  const { proposal, guard, phase } = criteria;
  const sources = sourcesOf(criteria, phase, questioning);
  const [observations, proposed, held] = await Promise.all([
    observePhase(phase, sources, questioning.observe),
    proposal &&
      observePhase(proposal.phase, sourcesOf(criteria, proposal.phase, questioning), questioning.observe),
    judgeDependencies([...phase.dependsOn, ...(proposal?.phase.dependsOn ?? [])], dependencies, questioning),
  ]);
  const judgedAtMs = questioning.now();
  const judge = (judged: Phase, seen: Readonly<Record<string, Observation>>) =>
    judgePhase(overridePhase(judged, questioning.overrides), {
      nowMs: judgedAtMs,
      observations: seen,
      dependencies: held,
      areCriteriaUnchecked: guard?.kind === 'unchecked',
    });
  return {
    judgement: judge(phase, observations),
    judgedAtMs,
    observations,
    dependencies: held,
    sources,
    proposal:
      proposal === undefined || proposed === undefined
        ? undefined
        : { text: proposal.text, judgement: judge(proposal.phase, proposed) },
  };
}

/** A change may have written what it alone brings; what its base has too it can't have pointed elsewhere. */
function sourcesOf(criteria: Criteria, phase: Phase, { addresses, tokens }: Questioning) {
  const kind = criteria.guard?.kind;
  const isOwn = kind === 'new' || kind === 'unchecked';
  return resolveSources(phase.dataSources, isOwn ? [] : criteria.phase.dataSources, addresses, tokens);
}

async function observePhase(
  phase: Phase,
  sources: ReadonlyMap<string, Source>,
  observe: Observer,
): Promise<Readonly<Record<string, Observation>>> {
  return Object.fromEntries(
    await Promise.all(
      phase.criteria.map(
        async (criterion) =>
          [criterion.name, await observe(criterion, sources.get(criterion.source))] as const,
      ),
    ),
  );
}

/** Where the file of a phase lies that another one depends on. */
export function dependencyFile(file: string, phase: string): string {
  return join(dirname(file), `${phase}.yml`);
}

/** Judges now what earlier phases achieved, metric by metric; what can't be judged is inconclusive. */
async function judgeDependencies(
  dependsOn: Phase['dependsOn'],
  known: ReadonlyMap<string, Dependency>,
  questioning: Questioning,
): Promise<PhaseEvidence['dependencies']> {
  const wanted = Map.groupBy(dependsOn, ({ phase }) => phase);
  return Object.fromEntries(
    await Promise.all(
      [...wanted].map(async ([name, uses]) => {
        const metrics = [...new Set(uses.flatMap(({ stillHolds }) => stillHolds))];
        return [name, await judgeDependency(metrics, known.get(name), questioning)] as const;
      }),
    ),
  );
}

async function judgeDependency(
  metrics: readonly string[],
  dependency: Dependency | undefined,
  questioning: Questioning,
): Promise<PhaseEvidence['dependencies'][string]> {
  const unknown = (message: string) => ({ kind: 'inconclusive' as const, reason: 'dependency', message });
  if (dependency?.kind !== 'criteria') {
    const message = dependency?.message ?? 'The phase could not be read.';
    return Object.fromEntries(metrics.map((name) => [name, unknown(message)]));
  }
  const { criteria } = dependency;
  const phase: Phase = {
    ...criteria.phase,
    dependsOn: [],
    criteria: criteria.phase.criteria.filter(({ name }) => metrics.includes(name)),
  };
  const observations = await observePhase(
    phase,
    sourcesOf(criteria, phase, questioning),
    questioning.observe,
  );
  const judgement = judgePhase(phase, { nowMs: questioning.now(), observations, dependencies: {} });
  const verdicts = new Map(judgement.metrics.map(({ name, verdict }) => [name, verdict]));
  return Object.fromEntries(
    metrics.map((name) => [name, verdicts.get(name) ?? unknown(`${criteria.file} has no metric "${name}".`)]),
  );
}

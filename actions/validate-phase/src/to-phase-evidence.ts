import { checkedCommit, describeRun, type RunContext } from '@sophia/action';
import type { PhaseOverrides } from '@sophia/phases';
import { PHASE_EVIDENCE_SCHEMA_URL, PHASE_EVIDENCE_VERSION, type PhaseEvidence } from '@sophia/records';
import { describeSources } from './data-sources.ts';
import type { Judged } from './judge.ts';
import type { Criteria } from './phase-criteria.ts';

/** Characters of JSON that the observations of one evidence may have in all. */
const MAX_OBSERVED_CHARACTERS = 24_000_000;

/** All that a verdict rests on, as the record that it can be found again from. */
export function toPhaseEvidence(
  criteria: Criteria,
  judged: Judged,
  run: {
    readonly context: RunContext;
    readonly overrides: PhaseOverrides;
    readonly isEnforced: boolean;
  },
): PhaseEvidence {
  const { judgement, proposal } = judged;
  const { windowStartMs, missing } = run.overrides;
  const { observations, omitted } = boundObservations(judged.observations);
  return {
    $schema: PHASE_EVIDENCE_SCHEMA_URL,
    version: PHASE_EVIDENCE_VERSION,
    kind: 'phase-evidence',
    commit: checkedCommit(run.context),
    run: describeRun(run.context),
    judgedAtMs: judged.judgedAtMs,
    phase: {
      name: criteria.phase.name,
      file: criteria.file,
      text: criteria.text,
      ...(windowStartMs === undefined ? {} : { windowStartMs }),
      ...(missing === undefined ? {} : { missing }),
      ...(criteria.guard === undefined ? {} : { guard: criteria.guard }),
    },
    isEnforced: run.isEnforced,
    sources: describeSources(judged.sources),
    observations,
    dependencies: judged.dependencies,
    ...(omitted.length === 0 ? {} : { omitted }),
    ...(proposal === undefined
      ? {}
      : {
          proposal: {
            text: proposal.text,
            verdict: proposal.judgement.verdict,
            metrics: proposal.judgement.metrics.map(({ name, verdict }) => ({ name, verdict })),
          },
        }),
    verdict: judgement.verdict,
    metrics: [...judgement.metrics],
  };
}

/** Leaves out the largest observations until the others fit. The verdict was found before, from all of them. */
export function boundObservations(
  observations: PhaseEvidence['observations'],
  maxCharacters = MAX_OBSERVED_CHARACTERS,
): { readonly observations: PhaseEvidence['observations']; readonly omitted: string[] } {
  const sizes = Object.entries(observations)
    .map(([name, observation]) => ({ name, characters: JSON.stringify(observation).length }))
    .sort((a, b) => b.characters - a.characters);
  let total = sizes.reduce((sum, { characters }) => sum + characters, 0);
  const omitted: string[] = [];
  for (const { name, characters } of sizes) {
    if (total <= maxCharacters) break;
    omitted.push(name);
    total -= characters;
  }
  return {
    observations: Object.fromEntries(
      Object.entries(observations).filter(([name]) => !omitted.includes(name)),
    ),
    omitted,
  };
}

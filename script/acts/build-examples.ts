import { rm } from 'node:fs/promises';
import path from 'node:path';
import { escapeText } from '../../packages/report/src/index.ts';
import { type ExampleName, exampleNames } from '../../test/harness/example-repository.ts';
import type { Act, Stage } from './act.ts';
import { canExportCache, type PipelineRun, runPipeline, shortId } from './pipeline-run.ts';
import { renderChange } from './what-changed.ts';
import { createWorkspaces } from './workspace.ts';

/** The first commit stands on main; the next, a change of sources only, is pushed to a branch of its own. */
const branches = ['main', 'source-change'] as const;

/** For each example: two pushes, their step summaries, and what changed between them. */
export const buildExamples: Act = async (stage) => {
  const withCache = await canExportCache();
  let runs = stage.runs;
  for (const example of exampleNames) {
    runs = [...runs, ...(await buildExample(example, stage, withCache))];
  }
  return { ...stage, runs };
};

async function buildExample(
  example: ExampleName,
  stage: Stage,
  withCache: boolean,
): Promise<readonly PipelineRun[]> {
  const state = path.join(stage.stateFolder, example);
  const { commits, checkOut } = await createWorkspaces(example, state);
  const runs: PipelineRun[] = [];
  for (const [at, branch] of branches.entries()) {
    const commit = commits[at];
    if (commit === undefined) throw new TypeError(`${example} has ${commits.length} commits, expected 2.`);
    const workspace = await checkOut(commit, branch);
    const run = await stage.progress.during(`${example} at ${shortId(commit)}`, (note) =>
      runPipeline(
        { example, commit, parent: commits[at - 1], branch, workspace, runNumber: at + 1 },
        { state, results: stage.resultsFolder },
        withCache,
        note,
      ),
    );
    stage.show(
      `## ${example} at ${shortId(commit)} on ${branch}: ${escapeText(commit.subject)}\n\n${run.summary}`,
    );
    runs.push(run);
  }
  const [before, after] = runs;
  if (before !== undefined && after !== undefined) {
    stage.show(
      `## ${example}: what changed from ${shortId(before.commit)} to ${shortId(after.commit)}\n\n` +
        `${renderChange(after.commit.changedFiles, before, after)}\n`,
    );
  }
  return runs;
}

/** Forgets what earlier demos left to this one. */
export async function forgetExamples(stateFolder: string): Promise<void> {
  for (const example of exampleNames) {
    await rm(path.join(stateFolder, example), { recursive: true, force: true });
  }
}

/**
 * The demo's acts, one after another, on the engine and registry that `script/demo` has brought up.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Act, DemoError, type Stage } from './acts/act.ts';
import { buildExamples, forgetExamples } from './acts/build-examples.ts';
import { deployImages } from './acts/deploy-images.ts';
import { judgePhase } from './acts/judge-phase.ts';
import { listRuns } from './acts/list-runs.ts';
import { removeImages } from './acts/pipeline-run.ts';
import { createProgress } from './acts/progress.ts';
import { toTerminalMarkdown } from './acts/terminal-markdown.ts';

const acts: readonly Act[] = [buildExamples, deployImages, judgePhase, listRuns];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      state: { type: 'string', default: '.cache/demo' },
      keep: { type: 'string', default: '.cache/demo/results' },
      fresh: { type: 'boolean', default: false },
    },
  });
  const stateFolder = path.resolve(values.state);
  if (values.fresh) await forgetExamples(stateFolder);
  let stage: Stage = {
    stateFolder,
    resultsFolder: path.resolve(values.keep),
    show: (markdown) => process.stdout.write(`${toTerminalMarkdown(markdown)}\n`),
    progress: createProgress(process.stderr, 'script/demo'),
    runs: [],
  };
  await mkdir(stage.resultsFolder, { recursive: true });
  for (const act of acts) stage = await act(stage);
  await removeImages(stage.runs);
}

try {
  await main();
} catch (error) {
  const isFileProblem = error instanceof Error && 'syscall' in error;
  if (!(error instanceof DemoError) && !isFileProblem) throw error;
  process.stderr.write(`script/demo: ${error.message}\n`);
  process.exitCode = 1;
}

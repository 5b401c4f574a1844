import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type BuildRecord, readBuildRecord } from '../../packages/records/src/index.ts';
import { docker, engine } from '../../test/harness/engine.ts';
import type { ExampleCommit, ExampleName } from '../../test/harness/example-repository.ts';
import type { JobRun } from '../../test/harness/runner/run-job.ts';
import { runJob } from '../../test/harness/runner/run-job.ts';
import { DemoError } from './act.ts';

const buildOptimized = path.join(import.meta.dirname, '../../actions/build-optimized');
const timeoutMs = 15 * 60_000;

/** A push of one commit to one branch of an example's repository. */
export interface Push {
  readonly example: ExampleName;
  readonly commit: ExampleCommit;
  /** The branch's head before. */
  readonly parent: ExampleCommit | undefined;
  readonly branch: string;
  readonly workspace: string;
  readonly runNumber: number;
}

/** What a pipeline left of its run. */
export interface PipelineRun extends Push {
  readonly summary: string;
  readonly record: BuildRecord;
  /** Of the first run of this commit on this machine that is remembered: this one's where there is none before. */
  readonly firstRecord: BuildRecord;
}

export interface RunFolders {
  /** Kept between demos: the build cache of this example, records of first runs. */
  readonly state: string;
  readonly results: string;
}

export const shortId = (commit: ExampleCommit): string => commit.id.slice(0, 7);

/** The engine's classic image store can't export a cache; what it holds itself has to do there. */
export async function canExportCache(): Promise<boolean> {
  const { stdout } = await docker(['info', '--format', '{{json .DriverStatus}}']);
  return stdout.includes('io.containerd.snapshotter');
}

/** A branch reads its own cache and the main branch's, and writes its own, as branches do in most pipelines. */
function cacheInputs(folder: string, branch: string): Record<string, string> {
  const sources = [...new Set([branch, 'main'])].map((name) => path.join(folder, 'cache', name));
  return {
    'cache-from': sources
      .filter((source) => existsSync(path.join(source, 'index.json')))
      .map((source) => `type=local,src=${source}`)
      .join('\n'),
    'cache-to': `type=local,dest=${path.join(folder, 'cache', branch)}`,
  };
}

function pushEvent({ example, commit, parent, branch }: Push): Readonly<Record<string, unknown>> {
  return {
    ref: `refs/heads/${branch}`,
    before: parent?.id ?? '0'.repeat(40),
    after: commit.id,
    head_commit: { id: commit.id, message: commit.subject },
    repository: { full_name: `octo-org/${example}`, default_branch: 'main', private: false },
    sender: { login: 'octocat' },
  };
}

/** The step that a line of the log opens. */
function stepOf(line: string): string | undefined {
  return /^#\d+ (\[(?!internal).*|exporting .*|pushing .*)$/.exec(line)?.[1];
}

/**
 * Runs the pipeline's one job for a push, as a runner would: the bundled action with its inputs, the file
 * commands and the event. What it left is put into the results folder.
 *
 * @throws {DemoError} The job failed.
 */
export async function runPipeline(
  push: Push,
  folders: RunFolders,
  withCache: boolean,
  note: (text: string) => void,
): Promise<PipelineRun> {
  const { example, commit, branch, workspace, runNumber } = push;
  const { networkArgs, dockerEnv } = engine();
  await using job = await runJob(
    [
      {
        id: 'build',
        actionFolder: buildOptimized,
        timeoutMs,
        inputs: {
          context: '.',
          tags: nameImage(push),
          push: 'true',
          ...(networkArgs.length > 0 ? { network: 'host' } : {}),
          ...(withCache ? cacheInputs(folders.state, branch) : {}),
        },
        onLine(line) {
          const step = stepOf(line);
          if (step !== undefined) note(step);
        },
      },
    ],
    {
      repository: `octo-org/${example}`,
      workflow: 'image',
      ref: `refs/heads/${branch}`,
      sha: commit.id,
      event: pushEvent(push),
      environment: 'self-hosted',
      runNumber,
      workspace,
      env: dockerEnv,
    },
  );
  const place = path.join(folders.results, `${example}-${shortId(commit)}`);
  await writeFile(`${place}.log`, `${job.log}\n`);
  const recordFile = requireSuccess(job, push, `${place}.log`);
  await copyFile(recordFile, `${place}.json`);
  const summary = job.summaries.map(({ markdown }) => markdown).join('\n');
  await writeFile(`${place}.md`, summary);
  const record = await readRecord(`${place}.json`);
  return { ...push, summary, record, firstRecord: await rememberFirst(record, commit, folders.state) };
}

/** @returns The path of the record. */
function requireSuccess(job: JobRun, { example, commit }: Push, log: string): string {
  const record = job.steps[0]?.outputs['record'];
  if (job.conclusion === 'success' && record !== undefined) return record;
  const error = job.annotations.find(({ level }) => level === 'error')?.message.split('\n')[0];
  throw new DemoError(
    `The pipeline of ${example} at ${shortId(commit)} failed: ${error ?? 'it wrote no record'} Its log is ${log}.`,
  );
}

/** Takes the images of the runs off the machine's own engine; a private one goes with all it holds. */
export async function removeImages(runs: readonly PipelineRun[]): Promise<void> {
  const tags = runs.map(nameImage);
  if (engine().kind === 'system' && tags.length > 0) {
    await docker(['image', 'rm', '--force', ...tags], { mayFail: true });
  }
}

export function nameImage({ example, commit }: Push): string {
  return `${engine().registry}/${example}:${shortId(commit)}`;
}

async function readRecord(file: string): Promise<BuildRecord> {
  const result = readBuildRecord(await readFile(file, 'utf8'), file);
  if (result.kind === 'problem') throw new DemoError(result.message);
  return result.record;
}

async function rememberFirst(
  record: BuildRecord,
  commit: ExampleCommit,
  folder: string,
): Promise<BuildRecord> {
  const file = path.join(folder, `first-${commit.id}.json`);
  if (existsSync(file)) {
    const result = readBuildRecord(await readFile(file, 'utf8'), file);
    if (result.kind === 'record') return result.record;
  }
  await writeFile(file, JSON.stringify(record));
  return record;
}

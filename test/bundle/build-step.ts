import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BuildRecord } from '@sophia/records';
import { engine } from '../harness/engine.ts';
import { type ActionRun, type RunActionOptions, runAction } from '../harness/runner/run-action.ts';

/** The folder of the action whose bundle these tests run. */
export const ACTION_FOLDER = path.join(import.meta.dirname, '../../actions/build-optimized');

/** A checkout that goes with the test: file names below it ▶ content. */
export interface Workspace extends AsyncDisposable {
  readonly path: string;
}

export async function createWorkspace(
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<Workspace> {
  const folder = await mkdtemp(path.join(tmpdir(), 'workspace-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface BuildStepOptions extends Omit<RunActionOptions, 'actionFolder' | 'workspace'> {
  readonly workspace: Workspace;
}

/** What a workflow's `env:` would say so that docker finds the engine; HOME is the job's own. */
export function engineEnvironment(): Readonly<Record<string, string>> {
  const { HOME: _, ...rest } = engine().dockerEnv;
  return rest;
}

/** Runs the bundle in a checkout, on the engine of this test run, with `context: .` where no other is given. */
export async function runBuildStep({
  workspace,
  inputs,
  env,
  ...rest
}: BuildStepOptions): Promise<ActionRun> {
  return runAction({
    ...rest,
    actionFolder: ACTION_FOLDER,
    workspace: workspace.path,
    inputs: { context: '.', ...networkInput(), ...inputs },
    env: { ...engineEnvironment(), ...env },
  });
}

function networkInput(): { network?: string } {
  return engine().networkArgs.length > 0 ? { network: 'host' } : {};
}

/** A Dockerfile line that no build before has seen, so that nothing below it is cached. */
export const freshLine = (): string => `RUN echo ${randomUUID()}`;

/** A reference in the test registry that no other test uses. */
export const freshTag = (): string => `${engine().registry}/bundle-test/${randomUUID().slice(0, 8)}:1`;

/** The record of a run: the one its output names, else the only one it left. */
export async function readRecord(run: ActionRun): Promise<BuildRecord> {
  const folder = path.join(run.folders.temp, 'sophia');
  const names = existsSync(folder) ? await readdir(folder) : [];
  const file = run.outputs['record'] ?? path.join(folder, names[0] ?? 'no record was written');
  return JSON.parse(await readFile(file, 'utf8'));
}

export const firstLine = (text: string): string => text.split('\n')[0] ?? '';

import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  createExampleRepository,
  type ExampleCommit,
  type ExampleName,
} from '../../test/harness/example-repository.ts';

const run = promisify(execFile);

/** An example's repository, and the workspaces its commits are checked out in. */
export interface ExampleWorkspaces {
  /** Oldest first. */
  readonly commits: readonly ExampleCommit[];
  /**
   * The folder a job starts in. It is kept, as a self-hosted runner keeps its workspace: a checkout made anew
   * has other times in `.git/index`, which `COPY . .` takes along, so that no cache would ever fit it.
   */
  readonly checkOut: (commit: ExampleCommit, branch: string) => Promise<string>;
}

async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    // A status that wrote the index would change the build context.
    GIT_OPTIONAL_LOCKS: '0',
  };
  const { stdout } = await run('git', ['-C', folder, ...args], { env });
  return stdout.trim();
}

async function isCheckedOut(folder: string, commit: ExampleCommit): Promise<boolean> {
  try {
    const head = await git(folder, 'rev-parse', 'HEAD');
    return head === commit.id && (await git(folder, 'status', '--porcelain')) === '';
  } catch (error) {
    // No repository there, or one that a kill left half made.
    if (!(error instanceof Error && 'code' in error)) throw error;
    return false;
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return undefined;
  }
}

/**
 * Makes the example's repository, and empties `folder` where what it holds came from another state of the example.
 *
 * @param folder Holds all that is kept of this example between demos.
 */
export async function createWorkspaces(example: ExampleName, folder: string): Promise<ExampleWorkspaces> {
  const origin = path.join(folder, 'origin');
  const idsFile = path.join(folder, 'commits');
  await rm(origin, { recursive: true, force: true });
  const commits = await createExampleRepository({ example, folder: origin });
  const ids = commits.map(({ id }) => `${id}\n`).join('');
  if ((await readIfThere(idsFile)) !== ids) {
    await rm(folder, { recursive: true, force: true });
    await createExampleRepository({ example, folder: origin });
    await writeFile(idsFile, ids);
  }
  return {
    commits,
    async checkOut(commit, branch) {
      const workspace = path.join(folder, 'workspaces', commit.id);
      if (await isCheckedOut(workspace, commit)) return workspace;
      await rm(workspace, { recursive: true, force: true });
      await mkdir(path.dirname(workspace), { recursive: true });
      await git(folder, 'clone', '--quiet', '--no-checkout', '--template=', origin, workspace);
      await git(workspace, 'checkout', '--quiet', '-B', branch, commit.id);
      return workspace;
    },
  };
}

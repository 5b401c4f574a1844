import { execFile } from 'node:child_process';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The services of `examples/`, each with the subject of the commit its folder stands for. */
const firstSubjects = {
  'node-service': 'One address for the tools of many MCP servers',
  'python-api': 'Usage API of the agent gateway',
} as const;

export type ExampleName = keyof typeof firstSubjects;

export const exampleNames = Object.keys(firstSubjects) as readonly ExampleName[];

export type ExampleCommit = {
  /** Full object id. */
  readonly id: string;
  readonly subject: string;
  /** Paths that differ from the commit before, relative to the repository. */
  readonly changedFiles: readonly string[];
};

const examplesFolder = join(import.meta.dirname, '../../examples');
const notPartOfTheService: ReadonlySet<string> = new Set(['history', 'node_modules']);

/**
 * Builds the git history of an example: the state of `examples/<example>` as the first commit, then each
 * patch of its `history/` as one more. Branch `main` ends checked out at the last.
 *
 * Author, dates and configuration are fixed, so that the ids are the same on every machine and depend on
 * nothing but the example's files.
 *
 * @param folder Where the repository is made. It is created; where it exists it must be empty.
 * @returns The commits, oldest first.
 * @throws {Error} `folder` holds something, or a patch doesn't apply to the example as it stands.
 */
export async function createExampleRepository(order: {
  readonly example: ExampleName;
  readonly folder: string;
}): Promise<readonly ExampleCommit[]> {
  const { example, folder } = order;
  const source = join(examplesFolder, example);
  await mkdir(folder, { recursive: true });
  const held = await readdir(folder);
  if (held.length > 0) {
    throw new Error(`Folder ${folder} is not empty: it holds "${held[0]}". Name an empty or a new folder.`);
  }
  await cp(source, folder, { recursive: true, filter: (path) => !notPartOfTheService.has(basename(path)) });

  const git = createGit(folder);
  await git('init', '--quiet', '--initial-branch=main', '--object-format=sha1', '--template=');
  await git('add', '--all');
  await git('commit', '--quiet', '--no-verify', '--message', firstSubjects[example]);
  const patches = (await readdir(join(source, 'history'))).filter((name) => name.endsWith('.patch')).sort();
  await git(
    'am',
    '--quiet',
    '--committer-date-is-author-date',
    ...patches.map((name) => join(source, 'history', name)),
  );
  return readCommits(git);
}

type Git = (...args: readonly string[]) => Promise<string>;

/** Git that sees neither the user's configuration nor an outer repository's variables. */
function createGit(folder: string): Git {
  const env = {
    PATH: process.env['PATH'],
    TZ: 'UTC',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Robin Example',
    GIT_AUTHOR_EMAIL: 'robin@example.com',
    GIT_AUTHOR_DATE: '2026-11-02T09:00:00Z',
    GIT_COMMITTER_NAME: 'Robin Example',
    GIT_COMMITTER_EMAIL: 'robin@example.com',
    GIT_COMMITTER_DATE: '2026-11-02T09:00:00Z',
  };
  return async (...args) => (await run('git', args, { cwd: folder, env })).stdout;
}

async function readCommits(git: Git): Promise<readonly ExampleCommit[]> {
  // A record starts with %x01: neither a subject nor a path of an example holds it.
  const log = await git('log', '--reverse', '--no-renames', '--name-only', '--format=%x01%H%n%s');
  return log
    .split('\u0001')
    .slice(1)
    .map((record) => {
      const [id = '', subject = '', ...files] = record.split('\n').filter((line) => line !== '');
      return { id, subject, changedFiles: files };
    });
}

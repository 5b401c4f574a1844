import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExampleRepository, exampleNames } from './example-repository.ts';

async function createFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'example-repository-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function git(folder: string, ...args: readonly string[]): string {
  return execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' }).trim();
}

describe('createExampleRepository', () => {
  // Read from the patches by eye: each history is a source-only change, then a dependency change.
  it.each([
    {
      example: 'python-api',
      subjects: ['Usage API of the agent gateway', 'Show the usage of one team', 'Update uvicorn to 0.54.0'],
      source: ['README.md', 'app/ledger.py', 'app/main.py', 'tests/test_api.py'],
      dependency: ['requirements.txt'],
    },
    {
      example: 'node-service',
      subjects: [
        'One address for the tools of many MCP servers',
        'Say how long a call took in Server-Timing',
        'Update @fastify/rate-limit to 11.2.0',
      ],
      source: ['README.md', 'src/gateway.ts', 'test/gateway.test.ts'],
      dependency: ['package-lock.json', 'package.json'],
    },
  ] as const)('replays the history of $example', async ({ example, subjects, source, dependency }) => {
    await using folder = await createFolder();
    const commits = await createExampleRepository({ example, folder: folder.path });

    expect(commits.map((commit) => commit.subject)).toEqual(subjects);
    expect(commits[1]?.changedFiles).toEqual(source);
    expect(commits[2]?.changedFiles).toEqual(dependency);
    expect(git(folder.path, 'status', '--porcelain')).toBe('');
    expect(git(folder.path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
    expect(git(folder.path, 'rev-list', '--reverse', 'HEAD').split('\n')).toEqual(
      commits.map(({ id }) => id),
    );
  });

  it.each(exampleNames)('holds of %s what a build needs and not its history', async (example) => {
    await using folder = await createFolder();
    await createExampleRepository({ example, folder: folder.path });
    const files = git(folder.path, 'ls-files').split('\n');
    expect(files).toContain('Dockerfile');
    expect(files.filter((path) => /^(history|node_modules|dist)\//.test(path))).toEqual([]);
    // One stage, as people write it: the demo would prove little on a file that is already good.
    const dockerfile = await readFile(join(folder.path, 'Dockerfile'), 'utf8');
    expect(dockerfile.match(/^FROM /gm)).toHaveLength(1);
  });

  it('gives the same ids whatever the user, the time zone and the git settings are', async () => {
    await using first = await createFolder();
    await using second = await createFolder();
    await using home = await createFolder();
    const plain = await createExampleRepository({ example: 'python-api', folder: first.path });

    const hostile = '[user]\n\tname = Someone\n[init]\n\tdefaultBranch = trunk\n[core]\n\tautocrlf = true\n';
    await writeFile(join(home.path, '.gitconfig'), hostile);
    const kept = { ...process.env };
    Object.assign(process.env, {
      HOME: home.path,
      TZ: 'Asia/Tokyo',
      GIT_DIR: '/nowhere',
      GIT_AUTHOR_NAME: 'Else',
    });
    try {
      const other = await createExampleRepository({ example: 'python-api', folder: second.path });
      expect(other).toEqual(plain);
    } finally {
      for (const name of ['HOME', 'TZ', 'GIT_DIR', 'GIT_AUTHOR_NAME']) {
        if (kept[name] === undefined) delete process.env[name];
        else process.env[name] = kept[name];
      }
    }
  });

  it('leaves a folder alone that holds something', async () => {
    await using folder = await createFolder();
    await writeFile(join(folder.path, 'kept.txt'), 'mine');
    await expect(createExampleRepository({ example: 'python-api', folder: folder.path })).rejects.toThrow(
      `Folder ${folder.path} is not empty: it holds "kept.txt". Name an empty or a new folder.`,
    );
    expect(await readFile(join(folder.path, 'kept.txt'), 'utf8')).toBe('mine');
  });
});

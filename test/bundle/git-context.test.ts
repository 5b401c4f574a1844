import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type GitServer, startGitServer } from '../harness/git-server.ts';
import {
  createWorkspace,
  firstLine,
  freshLine,
  readRecord,
  runBuildStep,
  type Workspace,
} from './build-step.ts';

const TOKEN = 'ghs_ThisTokenIsForTheGitServerOfTheTests';
// As actions/checkout and BuildKit send a token: RFC 7617, user x-access-token.
const AUTHORIZATION = `basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`;

let checkout: Workspace;
let root: Workspace;
let server: GitServer;
const git = async (...args: readonly string[]) => {
  const identity = ['-c', 'user.name=Octo Cat', '-c', 'user.email=octocat@example.com'];
  const { stdout } = await promisify(execFile)('git', ['-C', checkout.path, ...identity, ...args]);
  return stdout.trim();
};
beforeAll(async () => {
  checkout = await createWorkspace({
    Dockerfile: `FROM busybox\n${freshLine()}\nCOPY a.txt /\n`,
    'a.txt': 'a',
    'services/api/Dockerfile': `FROM busybox\n${freshLine()}\nCOPY b.txt /\nRUN exit 7\n`,
    'services/api/b.txt': 'b',
  });
  root = await createWorkspace({});
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '--no-verify', '--message', 'First');
  await git('clone', '--quiet', '--bare', '.', path.join(root.path, 'octo-org/service.git'));
  await git('remote', 'add', 'origin', path.join(root.path, 'octo-org/service.git'));
  server = await startGitServer({ root: root.path, authorization: AUTHORIZATION });
});
/** BuildKit keeps what it fetched by commit: one that no build has seen is fetched. */
let sha = '';
beforeEach(async () => {
  await git('commit', '--quiet', '--no-verify', '--allow-empty', '--message', randomUUID());
  await git('push', '--quiet', 'origin', 'main');
  sha = await git('rev-parse', 'HEAD');
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await checkout[Symbol.asyncDispose]();
  await root[Symbol.asyncDispose]();
});

describe('the Git context', () => {
  it('stands for an empty context: the commit of this repository, fetched with the token', async () => {
    await using elsewhere = await createWorkspace({});
    await using run = await runBuildStep({
      workspace: elsewhere,
      inputs: { context: '' },
      serverUrl: server.url,
      sha,
      token: TOKEN,
    });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expect(new Set(server.authorizations)).toEqual(new Set([AUTHORIZATION]));
    const record = await readRecord(run);
    expect(record.inputs.context).toBe(`${server.url}/octo-org/service.git#${sha}`);
    expect(record.steps.flatMap(({ instruction }) => instruction?.split(' ')[0] ?? [])).toEqual([
      'FROM',
      'RUN',
      'COPY',
    ]);
    expect(`${run.log}${run.summary}${JSON.stringify(record)}`).not.toContain(TOKEN);
  });

  it('gives the folder {{defaultContext}}:folder, and the checkout shows the line that failed', async () => {
    await using run = await runBuildStep({
      workspace: checkout,
      inputs: { context: '{{defaultContext}}:services/api' },
      serverUrl: server.url,
      sha,
      token: TOKEN,
    });

    expect(run.annotations).toEqual([
      {
        level: 'error',
        message:
          "RUN exit 7 failed with exit code 7 at Dockerfile:4. Correct what the command's last output names.",
        file: 'services/api/Dockerfile',
        line: 4,
        endLine: 4,
      },
    ]);
    const record = await readRecord(run);
    expect(record.inputs.context).toBe(`${server.url}/octo-org/service.git#${sha}:services/api`);
    expect(record.steps.flatMap(({ line }) => line ?? [])).toEqual([1, 2, 3, 4]);
  });

  it('takes a token the user gives among the secrets in place of the run’s own', async () => {
    await using own = await startGitServer({ root: root.path, authorization: AUTHORIZATION });
    await using run = await runBuildStep({
      workspace: checkout,
      inputs: { context: '', secrets: `GIT_AUTH_TOKEN=${TOKEN}`, 'no-cache': 'true' },
      serverUrl: own.url,
      sha,
      token: 'ghs_thisOneIsRefusedByTheServerOfTests00',
    });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expect(run.log).toContain(`service.git#${sha}\n`);
    expect(new Set(own.authorizations)).toEqual(new Set([AUTHORIZATION]));
  });

  it('that the token may not read is one error which names the repository', async () => {
    await using refusing = await startGitServer({ root: root.path, authorization: 'basic nobody' });
    await using run = await runBuildStep({
      workspace: checkout,
      inputs: { context: '' },
      serverUrl: refusing.url,
      sha,
      token: TOKEN,
    });

    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.level).toBe('error');
    const cause = firstLine(run.annotations[0]?.message ?? '');
    expect(cause).toMatch(
      new RegExp(`^Git repository ${refusing.url}/octo-org/service\\.git cannot be read: `),
    );
    expect(cause.length).toBeLessThanOrEqual(200);
    expect(run.log).not.toContain(TOKEN);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { loadDescription } from '../../../test/fakes/github/description.ts';
import { createGithubFake, type GithubFake } from '../../../test/fakes/github/github-fake.ts';
import { forkPermissions } from '../../../test/fakes/github/permissions.ts';
import { startLocalServer } from '../../../test/harness/local-server.ts';
import { createGitHub, type GitHubOptions } from './create-github.ts';
import type { CheckRun, CommitStatus } from './github.ts';
import { GitHubError } from './github-error.ts';

// Fetching the description on a fresh machine is not part of any test.
beforeAll(loadDescription, 120_000);

const signal = new AbortController().signal;
const NAME = 'validate-phase / phase-1';

function connect(fake: GithubFake, options: Partial<GitHubOptions> = {}) {
  const waitsMs: number[] = [];
  const lines: string[] = [];
  const github = createGitHub({
    apiUrl: fake.url,
    repository: 'octo-org/service',
    token: fake.token,
    log: (line) => lines.push(line),
    sleep: async (durationMs) => {
      waitsMs.push(durationMs);
    },
    random: () => 1,
    ...options,
  });
  return { github, waitsMs, lines };
}

const checkRun = (headSha: string, changes: Partial<CheckRun> = {}): CheckRun => ({
  name: NAME,
  headSha,
  conclusion: 'action_required',
  title: 'phase-1 is inconclusive',
  summary: '| metric |\n| --- |\n| up |\n',
  detailsUrl: 'https://github.com/octo-org/service/actions/runs/1',
  ...changes,
});

async function failureOf(call: Promise<unknown>): Promise<GitHubError> {
  const error = await call.catch((thrown: unknown) => thrown);
  if (error instanceof GitHubError) return error;
  throw new Error(`expected a GitHubError: ${String(error)}`);
}

describe('createCheckRun', () => {
  it('writes one that has ended, as GitHub keeps it', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github } = connect(fake);

    const shown = await github.createCheckRun(checkRun(sha), signal);

    const [run] = fake.state.checkRuns;
    expect(shown).toEqual({ kind: 'shown', url: `https://github.com/octo-org/service/runs/${run?.id}` });
    expect(run).toMatchObject({
      headSha: sha,
      fields: {
        name: NAME,
        status: 'completed',
        conclusion: 'action_required',
        details_url: 'https://github.com/octo-org/service/actions/runs/1',
        output: { title: 'phase-1 is inconclusive', summary: '| metric |\n| --- |\n| up |\n' },
      },
    });
    expect(await github.listCheckRuns(sha, NAME, signal)).toEqual([{ id: run?.id, app: expect.any(String) }]);
    expect(await github.listCheckRuns(sha, 'other', signal)).toEqual([]);
  });

  it('cuts what is too long at the end of a line and closes the code that was cut open', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github } = connect(fake);
    const summary = `# Verdict\n\`\`\`text\n${'ä'.repeat(99).concat('\n').repeat(700)}\`\`\`\n`;

    await github.createCheckRun(checkRun(sha, { summary, title: 't'.repeat(300) }), signal);

    const output = fake.state.checkRuns[0]?.fields['output'] as { title: string; summary: string };
    expect(output.title).toBe(`${'t'.repeat(254)}…`);
    expect(Buffer.byteLength(output.summary)).toBeLessThanOrEqual(65_535);
    expect(Buffer.byteLength(output.summary)).toBeGreaterThan(65_000);
    expect(output.summary).toMatch(
      /\nä{99}\n```\n\nCut here: \d+ more lines\. The whole is in the job's summary\.\n$/,
    );
  });

  it.each([
    ['one line without an end', 'x'.repeat(100_000), /^x{60000,65535}\n\nCut here: 1 more lines/],
    ['just what fits', 'x'.repeat(65_535), /^x{65535}$/],
    ['characters of four bytes', '😀'.repeat(20_000), /^(?:😀)+\n\nCut here/u],
  ])('takes a summary of %s', async (_, summary, expected) => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    await connect(fake).github.createCheckRun(checkRun(sha, { summary }), signal);
    const output = fake.state.checkRuns[0]?.fields['output'] as { summary: string };
    expect(output.summary).toMatch(expected);
    expect(Buffer.byteLength(output.summary)).toBeLessThanOrEqual(65_535);
  });

  it('is not allowed to with the token of a fork, and says which permission is missing', async () => {
    await using fake = await createGithubFake({ permissions: forkPermissions });
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github, waitsMs } = connect(fake);

    expect(await github.createCheckRun(checkRun(sha), signal)).toEqual({
      kind: 'not-allowed',
      message: `The check run "${NAME}" was not written: the token lacks "checks: write".`,
    });
    expect(waitsMs).toEqual([]);
  });

  it('is not allowed to where GitHub hides the repository', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github } = connect(fake, { repository: 'octo-org/hidden' });
    expect(await github.createCheckRun(checkRun(sha), signal)).toMatchObject({ kind: 'not-allowed' });
  });

  it('fails for a commit that is not there', async () => {
    await using fake = await createGithubFake();
    const { github } = connect(fake);
    const error = await failureOf(github.createCheckRun(checkRun('a'.repeat(40)), signal));
    expect(error).toMatchObject({ system: 'GitHub', status: 422, isTemporary: false });
    expect(error.message).toBe(
      `GitHub answered 422 to write the check run "${NAME}": No commit found for SHA: ${'a'.repeat(40)}. Check what was asked.`,
    );
  });

  it.each([
    ['an answer that was lost', 'lose-answer'],
    ['a connection that broke before', 'drop'],
    ['an error of the server', { answer: 502 }],
  ] as const)('makes one run, not two, after %s', async (_, kind) => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    fake.meet({ operation: 'checks/create', kind });
    const { github, waitsMs } = connect(fake);

    expect(await github.createCheckRun(checkRun(sha), signal)).toMatchObject({ kind: 'shown' });

    expect(fake.state.checkRuns).toHaveLength(1);
    expect(waitsMs).toEqual([1000]);
  });
});

describe('retries', () => {
  it.each([
    [{ secondaryLimit: 403, retryAfterSeconds: 7 }, [7000]],
    [{ secondaryLimit: 429, retryAfterSeconds: 9 }, [9000]],
    [{ answer: 500 }, [1000]],
    [{ answer: 503, headers: { 'retry-after': '3' } }, [3000]],
  ] as const)('gets over %j', async (kind, waits) => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    fake.meet({ operation: 'repos/create-commit-status', kind });
    const { github, waitsMs } = connect(fake);
    expect(await github.createCommitStatus(status(sha), signal)).toMatchObject({ kind: 'shown' });
    expect(waitsMs).toEqual(waits);
  });

  it('gives up after four tries, and names GitHub', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    fake.meet({ kind: { answer: 500, message: 'Server Error' }, times: 10 });
    const { github, waitsMs } = connect(fake);
    const error = await failureOf(github.createCommitStatus(status(sha), signal));
    expect(error).toMatchObject({
      message: `GitHub answered 500 to write the commit status "${NAME}": Server Error. Try again later.`,
      isTemporary: true,
    });
    expect(waitsMs).toEqual([1000, 2000, 4000]);
  });

  it('does not wait an hour for the rate of requests', async () => {
    await using fake = await createGithubFake({ requestsLeft: 1 });
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github, waitsMs } = connect(fake);
    await github.listCheckRuns(sha, NAME, signal);
    const error = await failureOf(github.createCommitStatus(status(sha), signal));
    expect(error).toMatchObject({ status: 403, isTemporary: true });
    expect(waitsMs).toEqual([]);
  });

  it('ends with the signal’s own reason', async () => {
    await using fake = await createGithubFake();
    fake.meet({ kind: { delayMs: 5000 } });
    const controller = new AbortController();
    const reason = new Error('stopped');
    const { github } = connect(fake);
    const reading = github.readFile('a.txt', 'main', controller.signal);
    setTimeout(() => controller.abort(reason), 100);
    await expect(reading).rejects.toBe(reason);
  });

  it('does not wait for ever for one answer', async () => {
    await using fake = await createGithubFake();
    fake.meet({ kind: { delayMs: 3000 }, times: 10 });
    const { github, waitsMs } = connect(fake, { tryLimitMs: 50 });
    const error = await failureOf(github.readFile('a.txt', 'main', signal));
    expect(error.message).toBe('GitHub did not read a.txt at main within 0.05 s. Try again later.');
    expect(waitsMs).toHaveLength(3);
  });
});

function status(sha: string, changes: Partial<CommitStatus> = {}): CommitStatus {
  return {
    sha,
    context: NAME,
    state: 'error',
    description: 'phase-1 is inconclusive',
    targetUrl: 'https://github.com/octo-org/service/actions/runs/1',
    ...changes,
  };
}

describe('createCommitStatus', () => {
  it('writes one, its description cut to what GitHub takes', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github } = connect(fake);
    expect(await github.createCommitStatus(status(sha, { description: '😀'.repeat(200) }), signal)).toEqual({
      kind: 'shown',
      url: 'https://github.com/octo-org/service/actions/runs/1',
    });
    expect(fake.state.statuses).toMatchObject([
      { sha, state: 'error', context: NAME, description: `${'😀'.repeat(139)}…` },
    ]);
  });

  it('is not allowed to with a token that may only read', async () => {
    await using fake = await createGithubFake({ permissions: forkPermissions });
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    expect(await connect(fake).github.createCommitStatus(status(sha), signal)).toEqual({
      kind: 'not-allowed',
      message: `The commit status "${NAME}" was not written: the token lacks "statuses: write".`,
    });
  });
});

describe('listCheckRuns', () => {
  it('finds every run of a name, over pages', async () => {
    await using fake = await createGithubFake();
    const sha = await fake.seedCommit({ files: { 'a.txt': 'a' } });
    const { github } = connect(fake);
    for (let index = 0; index < 101; index += 1) await github.createCheckRun(checkRun(sha), signal);
    const runs = await github.listCheckRuns(sha, NAME, signal);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(101);
  });
});

describe('readFile', () => {
  it('reads the text of a ref, and nothing where there is none', async () => {
    await using fake = await createGithubFake();
    const first = await fake.seedCommit({ files: { 'phases/phase 1.yml': 'kind: Phase # ä\n' } });
    await fake.seedCommit({ files: { 'phases/phase 1.yml': 'kind: Other\n' } });
    const { github } = connect(fake);
    expect(await github.readFile('phases/phase 1.yml', first, signal)).toBe('kind: Phase # ä\n');
    expect(await github.readFile('phases/phase 1.yml', 'main', signal)).toBe('kind: Other\n');
    expect(await github.readFile('phases/phase-2.yml', 'main', signal)).toBeUndefined();
    expect(await github.readFile('phases/phase 1.yml', 'b'.repeat(40), signal)).toBeUndefined();
  });

  it.each([
    [
      'big.yml',
      'big.yml has 1048577 bytes: expected at most 1048576, which is what GitHub gives. Make it smaller.',
    ],
    ['phases', 'phases is no file: expected one. Check the path.'],
  ])('names %s as what it can’t read', async (path, message) => {
    await using fake = await createGithubFake();
    await fake.seedCommit({ files: { 'big.yml': 'x'.repeat(1_048_577), 'phases/a.yml': 'a' } });
    const error = await failureOf(connect(fake).github.readFile(path, 'main', signal));
    expect(error).toMatchObject({ message, isTemporary: false });
  });

  it('never shows the token', async () => {
    const token = `ghs_${'secret'.repeat(50)}`;
    await using server = await startLocalServer(({ headers }) => ({
      status: 401,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: `Bad credentials: ${headers.authorization}` }),
    }));
    const github = createGitHub({
      apiUrl: `http://${server.host}/api/v3/`,
      repository: 'octo-org/service',
      token,
      log: () => undefined,
    });
    const error = await failureOf(github.readFile('a.txt', 'main', signal));
    expect(error.message).toBe(
      'GitHub answered 401 to read a.txt at main: Bad credentials: token ***. Check "github-token".',
    );
    expect(JSON.stringify([error, error.cause])).not.toContain(token);
    expect(server.requests[0]?.path).toBe('/api/v3/repos/octo-org/service/contents/a.txt?ref=main');
  });

  it.each([
    ['a web page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['nothing', { status: 200 }],
  ])('does not take %s for a file', async (_, answer) => {
    await using server = await startLocalServer(() => answer);
    const github = createGitHub({
      apiUrl: `http://${server.host}`,
      repository: 'octo-org/service',
      token: 'ghs_token',
      log: () => undefined,
    });
    await failureOf(github.readFile('a.txt', 'main', signal));
    await failureOf(github.createCheckRun(checkRun('a'.repeat(40)), signal));
    await failureOf(github.listCheckRuns('a'.repeat(40), NAME, signal));
  });
});

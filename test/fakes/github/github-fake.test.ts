import { execFileSync } from 'node:child_process';
import { getOctokit } from '@actions/github';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadDescription } from './description.ts';
import { createGithubFake, type GithubFake } from './github-fake.ts';
import { forkPermissions } from './permissions.ts';

const repo = { owner: 'octo-org', repo: 'service' };

/** The real client, pointed at the fake as a workflow's GITHUB_API_URL would. */
function clientOf(fake: GithubFake, token = fake.token) {
  return getOctokit(token, { baseUrl: fake.url, log: console }).rest;
}

async function faultOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return 'no fault';
  } catch (error) {
    const { status, response } = error as { status: number; response?: { data: Record<string, unknown> } };
    const { documentation_url: _, ...data } = response?.data ?? {};
    return { status, ...data };
  }
}

// Fetching the description on a fresh machine is not part of any test.
beforeAll(loadDescription, 120_000);

describe('comments of a pull request', () => {
  it('creates, lists over pages, updates and deletes', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const pull = fake.seedPull({ headSha: await fake.seedCommit({ files: { 'a.txt': 'a' } }) });
    const bodies = Array.from({ length: 65 }, (_, number) => `comment ${number}`);
    for (const body of bodies)
      await client.issues.createComment({ ...repo, issue_number: pull.number, body });

    const octokit = getOctokit(fake.token, { baseUrl: fake.url });
    const all = await octokit.paginate(octokit.rest.issues.listComments, {
      ...repo,
      issue_number: pull.number,
      per_page: 30,
    });
    expect(all.map((one) => one.body)).toEqual(bodies);
    expect(fake.requests.filter((one) => one.method === 'GET')).toHaveLength(3);
    expect(all[0]?.user).toMatchObject({ login: 'github-actions[bot]', type: 'Bot', id: 41_898_282 });

    const id = all[0]?.id ?? 0;
    const updated = await client.issues.updateComment({ ...repo, comment_id: id, body: 'changed' });
    expect(updated.data.body).toBe('changed');
    expect((await client.issues.deleteComment({ ...repo, comment_id: id })).status).toBe(204);
    expect(await faultOf(client.issues.getComment({ ...repo, comment_id: id }))).toEqual({
      status: '404',
      message: 'Not Found',
    });
  });

  it('refuses a body GitHub refuses', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const pull = fake.seedPull({ headSha: await fake.seedCommit({ files: { 'a.txt': 'a' } }) });
    const create = (body: string) =>
      client.issues.createComment({ ...repo, issue_number: pull.number, body });

    expect((await create('x'.repeat(65_536))).status).toBe(201);
    expect(await faultOf(create('x'.repeat(65_537)))).toMatchObject({
      status: '422',
      message: 'Validation Failed',
      errors: [{ message: 'Body is too long (maximum is 65536 characters)' }],
    });
    expect(
      await faultOf(client.issues.createComment({ ...repo, issue_number: 99, body: 'x' })),
    ).toMatchObject({
      status: '404',
    });
  });
});

describe('what the description refuses', () => {
  it.each([
    {
      name: 'a missing member',
      body: { name: 'x' },
      message: 'Invalid request.\n\n"head_sha" wasn\'t supplied.',
    },
    {
      name: 'a wrong type',
      body: { name: 1, head_sha: 'x' },
      message: "Invalid request.\n\nFor 'properties/name', must be string.",
    },
    {
      name: 'a misspelt member',
      body: { name: 'x', head_sha: 'x', tile: '' },
      message: 'Invalid request.\n\n"tile" is not a permitted key.',
    },
    {
      name: 'a value that is none of its list',
      body: { name: 'x', head_sha: 'x', status: 'done' },
      message: "Invalid request.\n\nFor 'properties/status', must be equal to one of the allowed values.",
    },
  ])('$name', async ({ body, message }) => {
    await using fake = await createGithubFake();
    const response = await fetch(`${fake.url}/repos/octo-org/service/check-runs`, {
      method: 'POST',
      headers: { authorization: `token ${fake.token}` },
      body: JSON.stringify(body),
    });

    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ message, status: '422' });
  });

  it('answers 400 to what is no JSON, 404 to what is no operation, 422 to a query it does not know', async () => {
    await using fake = await createGithubFake();
    const ask = async (path: string, body?: string) => {
      const headers = { authorization: `Bearer ${fake.token}` };
      const response = await fetch(
        `${fake.url}${path}`,
        body === undefined ? { headers } : { headers, body, method: 'POST' },
      );
      return [response.status, ((await response.json()) as { message: string }).message];
    };

    expect(await ask('/repos/octo-org/service/check-runs', '{')).toEqual([400, 'Problems parsing JSON']);
    expect(await ask('/repos/octo-org/service/chekc-runs')).toEqual([404, 'Not Found']);
    expect(await ask('/repos/octo-org/other')).toEqual([404, 'Not Found']);
    expect(await ask('/repos/octo-org/service/issues/comments/abc')).toEqual([404, 'Not Found']);
    expect(await ask('/repos/octo-org/service/pulls?sate=all')).toEqual([
      422,
      'Invalid request.\n\n"sate" is not a permitted key.',
    ]);
  });
});

describe('tokens', () => {
  it('answers 401 without one or to a wrong one', async () => {
    await using fake = await createGithubFake();

    expect((await fetch(`${fake.url}/repos/octo-org/service`)).status).toBe(401);
    expect(await faultOf(clientOf(fake, 'ghs_wrong').repos.get(repo))).toEqual({
      status: '401',
      message: 'Bad credentials',
    });
  });

  it("lets a fork's token read and nothing more", async () => {
    await using fake = await createGithubFake({ permissions: forkPermissions });
    const client = clientOf(fake);
    const pull = fake.seedPull({ headSha: await fake.seedCommit({ files: { a: 'a' } }) });

    expect((await client.issues.listComments({ ...repo, issue_number: pull.number })).data).toEqual([]);
    expect(
      await faultOf(client.issues.createComment({ ...repo, issue_number: pull.number, body: 'x' })),
    ).toEqual({
      status: '403',
      message: 'Resource not accessible by integration',
    });
    expect(await faultOf(client.checks.create({ ...repo, name: 'x', head_sha: pull.headSha }))).toMatchObject(
      { status: '403' },
    );
  });

  it('tells which permission would do, and keeps comments on issues apart from those on pull requests', async () => {
    await using fake = await createGithubFake({ permissions: { 'pull-requests': 'write' } });
    const client = clientOf(fake);
    const pull = fake.seedPull({ headSha: await fake.seedCommit({ files: { a: 'a' } }) });
    fake.state.issues.add(50);

    const created = await client.issues.createComment({ ...repo, issue_number: pull.number, body: 'x' });
    expect(created.headers['x-accepted-github-permissions']).toBe('issues=write; pull_requests=write');
    expect(
      await faultOf(client.issues.createComment({ ...repo, issue_number: 50, body: 'x' })),
    ).toMatchObject({ status: '403' });
  });

  it('lets nobody read a private repository without the permission', async () => {
    await using fake = await createGithubFake({
      repository: { isPrivate: true },
      permissions: { checks: 'write' },
    });
    const client = clientOf(fake);
    const sha = await fake.seedCommit({ files: { a: 'a' } });

    expect(await faultOf(client.repos.getContent({ ...repo, path: 'a' }))).toMatchObject({ status: '403' });
    expect((await client.repos.get(repo)).data).toMatchObject({ private: true, visibility: 'private' });
    expect((await client.checks.create({ ...repo, name: 'x', head_sha: sha })).status).toBe(201);
  });
});

describe('check runs and statuses', () => {
  it('adds up the annotations of a create and its updates', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const sha = await fake.seedCommit({ files: { Dockerfile: 'FROM scratch\n' } });
    const annotation = {
      path: 'Dockerfile',
      start_line: 1,
      end_line: 1,
      annotation_level: 'warning',
      message: 'm',
    } as const;
    const output = { title: 'Phase 1', summary: 'text' };
    const { data } = await client.checks.create({
      ...repo,
      name: 'phase-1',
      head_sha: sha,
      status: 'in_progress',
      output: { ...output, annotations: [annotation] },
    });
    expect(data).toMatchObject({ status: 'in_progress', conclusion: null, output: { annotations_count: 1 } });

    const updated = await client.checks.update({
      ...repo,
      check_run_id: data.id,
      conclusion: 'success',
      output: { ...output, annotations: [annotation, annotation] },
    });
    expect(updated.data).toMatchObject({
      name: 'phase-1',
      status: 'completed',
      conclusion: 'success',
      output: { annotations_count: 3 },
    });

    const listed = await client.checks.listForRef({ ...repo, ref: 'main', check_name: 'phase-1' });
    expect(listed.data).toMatchObject({ total_count: 1, check_runs: [{ id: data.id, head_sha: sha }] });
    expect((await client.checks.listAnnotations({ ...repo, check_run_id: data.id })).data).toHaveLength(3);

    const fifty1 = Array.from({ length: 51 }, () => annotation);
    expect(
      await faultOf(
        client.checks.update({ ...repo, check_run_id: data.id, output: { ...output, annotations: fifty1 } }),
      ),
    ).toMatchObject({ status: '422' });
    expect(
      await faultOf(client.checks.create({ ...repo, name: 'x', head_sha: '1'.repeat(40) })),
    ).toMatchObject({
      status: '422',
      message: `No commit found for SHA: ${'1'.repeat(40)}`,
    });
  });

  it('combines the newest status of each context', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const sha = await fake.seedCommit({ files: { a: 'a' } });
    for (const [context, state] of [
      ['build', 'failure'],
      ['build', 'success'],
      ['gate', 'pending'],
    ] as const) {
      await client.repos.createCommitStatus({ ...repo, sha, state, context });
    }

    const { data } = await client.repos.getCombinedStatusForRef({ ...repo, ref: 'main' });
    expect({
      state: data.state,
      contexts: data.statuses.map((one) => `${one.context} ${one.state}`),
    }).toEqual({
      state: 'pending',
      contexts: ['build success', 'gate pending'],
    });
  });
});

describe('git data, as real git has it', () => {
  it('compares by the merge base', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const base = await fake.seedCommit({ files: { 'a.txt': '1\n', 'dir/b.txt': 'b\n' } });
    const head = await fake.seedCommit({
      branch: 'feature/x',
      parents: [base],
      files: { 'a.txt': '1\n2\n', 'dir/b.txt': null, 'ü.txt': 'new\n' },
    });
    await fake.seedCommit({ files: { 'main.txt': 'later\n' } });

    const { data } = await client.repos.compareCommitsWithBasehead({ ...repo, basehead: `main...${head}` });
    expect(data.merge_base_commit.sha).toBe(base);
    expect([data.status, data.ahead_by, data.behind_by]).toEqual(['diverged', 1, 1]);
    expect(data.files?.map((file) => [file.filename, file.status, file.additions, file.deletions])).toEqual([
      ['a.txt', 'modified', 1, 0],
      ['dir/b.txt', 'removed', 0, 1],
      ['ü.txt', 'added', 1, 0],
    ]);
    expect((await client.git.getRef({ ...repo, ref: 'heads/feature/x' })).data.object).toMatchObject({
      sha: head,
      type: 'commit',
    });
  });

  it('writes a history branch by blob, tree, commit and ref, and refuses what is no fast-forward', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const blob = await client.git.createBlob({ ...repo, content: 'aGVsbG8K', encoding: 'base64' });
    const tree = await client.git.createTree({
      ...repo,
      tree: [
        { path: 'records/1.json', mode: '100644', type: 'blob', sha: blob.data.sha },
        { path: 'README', mode: '100644', content: 'text' },
      ],
    });
    const commit = await client.git.createCommit({
      ...repo,
      message: 'first',
      tree: tree.data.sha,
      parents: [],
    });
    await client.git.createRef({ ...repo, ref: 'refs/heads/sophia-history', sha: commit.data.sha });

    // git's own id of "hello\n", known to every git user.
    expect(blob.data.sha).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
    const clone = (path: string) =>
      execFileSync('git', ['-C', fake.state.git.folder, 'show', `sophia-history:${path}`], {
        encoding: 'utf8',
      });
    expect(clone('records/1.json')).toBe('hello\n');
    expect(
      await faultOf(
        client.git.createRef({ ...repo, ref: 'refs/heads/sophia-history', sha: commit.data.sha }),
      ),
    ).toMatchObject({ status: '422', message: 'Reference already exists' });

    const next = (message: string) =>
      client.git.createCommit({ ...repo, message, tree: tree.data.sha, parents: [commit.data.sha] });
    const [one, two] = [await next('one'), await next('two')];
    const update = (sha: string, force = false) =>
      client.git.updateRef({ ...repo, ref: 'heads/sophia-history', sha, force });
    await update(one.data.sha);
    expect(await faultOf(update(two.data.sha))).toMatchObject({
      status: '422',
      message: 'Update is not a fast forward',
    });
    expect((await update(two.data.sha, true)).data.object.sha).toBe(two.data.sha);
  });

  it('reads and writes files, with the blob id as the lock', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    await fake.seedCommit({ files: { 'dir/a.txt': 'one' } });
    const read = async (path: string) => (await client.repos.getContent({ ...repo, path })).data;
    const file = (await read('dir/a.txt')) as { sha: string; content: string };
    expect(Buffer.from(file.content, 'base64').toString()).toBe('one');
    expect(await read('dir')).toMatchObject([{ type: 'file', path: 'dir/a.txt', size: 3 }]);

    const write = (sha?: string) =>
      client.repos.createOrUpdateFileContents({
        ...repo,
        path: 'dir/a.txt',
        message: 'm',
        content: Buffer.from('two').toString('base64'),
        ...(sha === undefined ? {} : { sha }),
      });
    expect(await faultOf(write())).toMatchObject({
      status: '422',
      message: 'Invalid request.\n\n"sha" wasn\'t supplied.',
    });
    expect((await write(file.sha)).status).toBe(200);
    expect(await faultOf(write(file.sha))).toMatchObject({ status: '409' });
    const raw = await client.repos.getContent({ ...repo, path: 'dir/a.txt', mediaType: { format: 'raw' } });
    expect(String(raw.data)).toBe('two');
  });

  it('shows pulls from a fork, and artifacts', async () => {
    await using fake = await createGithubFake();
    const client = clientOf(fake);
    const headSha = await fake.seedCommit({ files: { a: 'a' } });
    fake.seedPull({ headSha, headRepository: 'someone/service', headRef: 'patch-1' });
    const artifact = { sizeBytes: 10, runId: 7, headSha, isExpired: false };
    fake.state.artifacts.push({ id: 1, name: 'record', ...artifact }, { id: 2, name: 'other', ...artifact });

    const { data } = await client.pulls.get({ ...repo, pull_number: 1 });
    expect([
      data.head.repo?.full_name,
      data.head.repo?.fork,
      data.base.repo.full_name,
      data.head.sha,
    ]).toEqual(['someone/service', true, 'octo-org/service', headSha]);
    expect((await client.pulls.list({ ...repo, head: 'someone:patch-1' })).data).toHaveLength(1);
    const listed = await client.actions.listWorkflowRunArtifacts({ ...repo, run_id: 7, name: 'record' });
    expect(listed.data).toMatchObject({
      total_count: 1,
      artifacts: [{ name: 'record', workflow_run: { id: 7 } }],
    });
    expect(
      (await client.repos.listPullRequestsAssociatedWithCommit({ ...repo, commit_sha: headSha })).data,
    ).toHaveLength(1);
    expect((await client.repos.getCommit({ ...repo, ref: 'main' })).data.files).toHaveLength(1);
  });
});

describe('troubles and limits', () => {
  it('meets a request with what it was told, once', async () => {
    await using fake = await createGithubFake();
    const get = () =>
      fetch(`${fake.url}/repos/octo-org/service`, { headers: { authorization: `token ${fake.token}` } });
    fake.meet({ kind: { secondaryLimit: 429, retryAfterSeconds: 60 } });
    fake.meet({ kind: { answer: 502 }, operation: 'repos/get' });
    fake.meet({ kind: 'drop' });

    const limited = await get();
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '60']);
    expect((await get()).status).toBe(502);
    await expect(get()).rejects.toThrow('fetch failed');
    expect((await get()).status).toBe(200);
  });

  it('carries a request out and loses the answer', async () => {
    await using fake = await createGithubFake();
    const pull = fake.seedPull({ headSha: await fake.seedCommit({ files: { a: 'a' } }) });
    fake.meet({ kind: 'lose-answer', operation: 'issues/create-comment' });
    const lost = clientOf(fake).issues.createComment({ ...repo, issue_number: pull.number, body: 'x' });

    await expect(lost).rejects.toThrow();
    expect(fake.state.comments).toHaveLength(1);
  });

  it('counts requests down to the limit, but not those its client has already', async () => {
    await using fake = await createGithubFake({ requestsLeft: 2 });
    const get = (etag = '') =>
      fetch(`${fake.url}/repos/octo-org/service`, {
        headers: { authorization: `token ${fake.token}`, 'if-none-match': etag },
      });
    const first = await get();
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('x-ratelimit-remaining')).toBe('1');
    expect((await get(etag)).status).toBe(304);
    expect((await get()).status).toBe(200);

    const over = await get();
    expect([over.status, over.headers.get('x-ratelimit-remaining')]).toEqual([403, '0']);
  });

  it('makes the dispose throw for an operation it can not do', async () => {
    const fake = await createGithubFake();
    expect(await faultOf(clientOf(fake).repos.listTags(repo))).toMatchObject({ status: '501' });

    await expect(fake[Symbol.asyncDispose]()).rejects.toThrow(
      "The GitHub fake can't do repos/list-tags. Write its handler.",
    );
  });

  it('makes the dispose throw for an answer out of schema', async () => {
    const fake = await createGithubFake();
    fake.state.artifacts.push({
      id: 1,
      name: null as never,
      sizeBytes: 1,
      runId: 7,
      headSha: '',
      isExpired: false,
    });
    await faultOf(clientOf(fake).actions.listArtifactsForRepo(repo));

    await expect(fake[Symbol.asyncDispose]()).rejects.toThrow(
      'actions/list-artifacts-for-repo was answered out of schema: /artifacts/0/name must be string.',
    );
  });
});

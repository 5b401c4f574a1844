import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runAction } from './run-action.ts';

const fixture = (name: string) => path.join(import.meta.dirname, '../../fixtures/actions', name);

describe('runAction, phases', () => {
  it('hands state, environment, path and temp folder from pre to main to post', async () => {
    await using run = await runAction({ actionFolder: fixture('phases') });

    expect(run.log.split('\n')).toEqual([
      'pre sees state none',
      'main sees from-pre=1',
      'post sees state "line 1\\nline 2"',
      'post sees env set by main',
      'post sees path /opt/second /opt/first',
      'post sees file kept',
    ]);
    expect(run.phases.map((phase) => [phase.phase, phase.conclusion, phase.exitCode])).toEqual([
      ['pre', 'success', 0],
      ['main', 'success', 0],
      ['post', 'success', 0],
    ]);
    expect(run).toMatchObject({
      conclusion: 'success',
      exitCode: 0,
      outputs: { greeting: 'hello' },
      state: { 'from-pre': '1', 'token-Name': 'line 1\nline 2' },
      env: { FROM_MAIN: 'set by main' },
      paths: ['/opt/first', '/opt/second'],
      summary: '# Main\n# Post\n',
      processesLeft: [],
    });
  });

  it.each([
    { fail: 'pre', ran: ['pre failure', 'main skipped', 'post failure'], exitCode: null },
    { fail: 'main', ran: ['pre success', 'main failure', 'post success'], exitCode: 4 },
    { fail: 'post', ran: ['pre success', 'main success', 'post failure'], exitCode: 0 },
  ])('fails as a whole when $fail fails, and post runs in any case', async ({ fail, ran, exitCode }) => {
    await using run = await runAction({ actionFolder: fixture('phases'), inputs: { fail } });

    expect(run.conclusion).toBe('failure');
    expect(run.phases.map((phase) => `${phase.phase} ${phase.conclusion}`)).toEqual(ran);
    expect(run.exitCode).toBe(exitCode);
  });

  it('does not run pre of a local action, as the runner does not', async () => {
    await using run = await runAction({ actionFolder: fixture('phases'), actionRepository: '' });

    expect(run.phases.map((phase) => phase.phase)).toEqual(['main', 'post']);
    expect(run.warnings).toEqual([
      `\`pre\` execution is not supported for local action from '${fixture('phases')}'`,
    ]);
  });

  it('removes its folders, but not a workspace it was given', async () => {
    const workspace = await mkdtemp(path.join(tmpdir(), 'given-'));
    const run = await runAction({ actionFolder: fixture('phases'), workspace });
    await run[Symbol.asyncDispose]();

    expect([existsSync(run.folders.root), existsSync(workspace)]).toEqual([false, true]);
    await rm(workspace, { recursive: true });
  });
});

// The real @actions/core is the independent writer: what it says must arrive as it was meant.
describe('runAction, with the real @actions/core', () => {
  it('understands everything core says', async () => {
    await using run = await runAction({ actionFolder: fixture('core') });

    expect(run.outputs).toEqual({
      lines: '["first","second"]',
      text: 'a=b<<c\r\n%0A "quoted" ::set-output name=x::y',
      flag: 'true',
    });
    expect(run.env).toEqual({ EXPORTED: 'one\ntwo' });
    expect(run.paths).toEqual(['/opt/tool']);
    expect(run.state).toEqual({ isPost: 'true', object: '{"a":"x\\ny"}' });
    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: '100% wrong,\nas: said',
        title: 'A: title, with commas',
        file: 'Dockerfile',
        line: 7,
        endLine: 9,
        column: 2,
        endColumn: 4,
      },
      { level: 'warning', message: 'warned' },
      { level: 'notice', message: 'noticed' },
      { level: 'error', message: 'It failed.' },
    ]);
    expect(run.log.split('\n')).toEqual([
      'the secret is ***',
      '##[error]100% wrong,',
      'as: said',
      '##[warning]warned',
      '##[notice]noticed',
      '##[group]Group: one',
      '##[endgroup]',
      '##[error]It failed.',
      'post: {"a":"x\\ny"}',
    ]);
    expect(run.rawLog).toContain('the secret is s3cr3t-value-1234');
    expect(run.summary).toContain('<td>***</td>');
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
  });

  it('shows debug lines in debug mode', async () => {
    await using run = await runAction({ actionFolder: fixture('core'), debug: true });

    expect(run.log).toContain('##[debug]hidden');
  });
});

interface Seen {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly event: unknown;
  readonly stdin: string;
  readonly files: readonly string[];
}

describe('runAction, environment', () => {
  it('evaluates the defaults of inputs, keeps hyphens and warns of unknown ones', async () => {
    await using run = await runAction({
      actionFolder: fixture('environment'),
      inputs: { Extra: 'passed on', old: 'x' },
      token: 'ghs_testtoken0123456789',
      repository: 'octo-org/api',
      event: { number: 12 },
    });
    const { env } = JSON.parse(run.outputs['seen'] ?? '') as Seen;

    expect(Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('INPUT_')))).toEqual({
      'INPUT_GITHUB-TOKEN': 'ghs_testtoken0123456789',
      INPUT_WITH_SPACE: '',
      INPUT_WORKSPACE: run.folders.workspace,
      INPUT_JOINED: 'octo-org/api@Linux success 12 ',
      INPUT_OLD: 'x',
      'INPUT_REQUIRED-ONE': '',
      INPUT_EXTRA: 'passed on',
    });
    expect(run.warnings).toEqual([
      "Input 'old' has been deprecated with message: use workspace",
      "Unexpected input(s) 'Extra', valid inputs are ['github-token', 'with space', 'workspace', 'joined', 'old', 'required-one']",
      // The environment holds the token.
      "Skip output 'seen' since it may contain secret.",
    ]);
  });

  it('gives the whole GITHUB_ and RUNNER_ environment and nothing of its own', async () => {
    await using run = await runAction({
      actionFolder: fixture('environment'),
      ref: 'refs/heads/feature/x',
      env: { LANG: 'C.UTF-8', GITHUB_TOKEN: 'from env' },
      services: { resultsUrl: 'http://127.0.0.1:1/', runtimeToken: 'runtime-token-0123456789' },
      apiUrl: 'http://127.0.0.1:2',
    });
    const seen = JSON.parse(run.outputs['seen'] ?? '') as Seen;

    // The names of reference runner.md, sections 5.2 to 5.6.
    expect(
      Object.keys(seen.env)
        .filter((name) => !name.startsWith('INPUT_'))
        .sort(),
    ).toEqual(
      `ACTIONS_CACHE_SERVICE_V2 ACTIONS_RESULTS_URL ACTIONS_RUNTIME_TOKEN CI GITHUB_ACTION GITHUB_ACTIONS
      GITHUB_ACTION_REF GITHUB_ACTION_REPOSITORY GITHUB_ACTOR GITHUB_ACTOR_ID GITHUB_API_URL GITHUB_BASE_REF
      GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL GITHUB_HEAD_REF GITHUB_JOB
      GITHUB_OUTPUT GITHUB_PATH GITHUB_REF GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE
      GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID
      GITHUB_RETENTION_DAYS GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_SERVER_URL GITHUB_SHA
      GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_TOKEN GITHUB_TRIGGERING_ACTOR GITHUB_WORKFLOW
      GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE HOME LANG PATH RUNNER_ARCH RUNNER_ENVIRONMENT
      RUNNER_NAME RUNNER_OS RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_TRACKING_ID RUNNER_WORKSPACE`
        .split(/\s+/u)
        .sort(),
    );
    expect(seen.env).toMatchObject({
      GITHUB_ACTION: '__sophia_actions_environment',
      GITHUB_ACTION_REPOSITORY: 'sophia/actions',
      GITHUB_API_URL: 'http://127.0.0.1:2',
      GITHUB_REF_NAME: 'feature/x',
      GITHUB_REF_PROTECTED: 'false',
      GITHUB_TOKEN: 'from env',
      RUNNER_WORKSPACE: path.dirname(run.folders.workspace),
    });
    expect(seen.cwd).toBe(run.folders.workspace);
    expect(seen.files).toEqual(['', '', '', '', '']);
    expect(seen.stdin).toBe('');
  });

  it('refuses an env that the runner would override', async () => {
    await expect(
      runAction({ actionFolder: fixture('environment'), env: { GITHUB_API_URL: 'http://127.0.0.1:2' } }),
    ).rejects.toThrow(
      'env sets GITHUB_API_URL, which the runner sets itself. Use the option of that meaning.',
    );
  });

  it('fails the step when a value is over the limit for one argument of the system', async () => {
    await using run = await runAction({
      actionFolder: fixture('commands'),
      inputs: { text: 'x'.repeat(128 * 1024) },
    });

    expect(run.conclusion).toBe('failure');
    expect(run.annotations.map((one) => one.message)).toEqual([
      expect.stringMatching(/^An error occurred trying to start process .* Argument list too long$/u),
    ]);
  });

  it('names an action that is not there', async () => {
    await expect(runAction({ actionFolder: fixture('none') })).rejects.toThrow(
      `Can't find 'action.yml' or 'action.yaml' under '${fixture('none')}'. Build the action first.`,
    );
  });
});

describe('runAction, output', () => {
  const print = (text: string, stderr = '') =>
    runAction({ actionFolder: fixture('commands'), inputs: { text, stderr } });

  it('reads commands on both streams and masks only from then on, as the runner does', async () => {
    await using run = await print('early-secret-value\n::add-mask::early-secret-value\nearly-secret-value\n');
    expect(run.log.split('\n')).toEqual(['early-secret-value', '***']);

    await using other = await print('', '::warning file=a.txt,line=3::On stderr\n');
    expect(other.annotations).toEqual([{ level: 'warning', message: 'On stderr', file: 'a.txt', line: 3 }]);
  });

  it('masks each line of a secret and its base64', async () => {
    const secret = 'first-line-secret\nsecond-line-secret';
    const base64 = Buffer.from(`user:${secret}`).toString('base64');
    await using run = await runAction({
      actionFolder: fixture('commands'),
      secrets: { KEY: secret },
      inputs: { text: `a second-line-secret b\nfirst-line-secret\n${base64}\n` },
    });

    expect(run.log).not.toContain('line-secret');
    expect(run.log).not.toContain(base64.slice(8, 40));
  });

  it('leaves commands between stop-commands and its token alone', async () => {
    await using run = await print(
      '::stop-commands::pause-1\n::error::not one\n::set-output name=x::y\n::pause-1::\n::error::one\n',
    );

    expect(run.annotations).toEqual([{ level: 'error', message: 'one' }]);
    expect(run.outputs).toEqual({});
    expect(run.log).toContain('::error::not one');
  });

  it('still obeys the old set-output, with a warning, and refuses set-env', async () => {
    await using run = await print('::set-output name=x::y%0Az\n::set-env name=A::b\n');

    expect(run.outputs).toEqual({ x: 'y\nz' });
    expect(run.annotations.map((one) => one.level)).toEqual(['warning', 'error']);
    expect(run.conclusion).toBe('failure');
  });

  it('keeps a character that arrives in two pieces and a line without its end', async () => {
    await using run = await print(`${'é'.repeat(40_000)}\nlast`);

    expect(run.log).toBe(`${'é'.repeat(40_000)}\nlast`);
  });
});

describe('runAction, command files', () => {
  it.each([
    {
      file: 'output',
      text: 'a<<END\nno end\n',
      message: "Invalid value. Matching delimiter not found 'END'",
    },
    { file: 'output', text: 'no separator\n', message: "Invalid format 'no separator'" },
    {
      file: 'state',
      text: '<<END\nx\nEND\n',
      message: "Invalid format '<<END'. Name must not be empty and delimiter must not be empty",
    },
    { file: 'env', text: '=x\n', message: "Invalid format '=x'. Name must not be empty" },
  ])('fails the step for $file: $message', async ({ file, text, message }) => {
    await using run = await runAction({ actionFolder: fixture('files'), inputs: { [file]: text } });

    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 0 });
    expect(run.annotations).toEqual([
      { level: 'error', message: `Unable to process file command '${file}' successfully.` },
      { level: 'error', message },
    ]);
  });

  it('does not let GITHUB_ENV set NODE_OPTIONS, GITHUB_* or RUNNER_*', async () => {
    await using run = await runAction({
      actionFolder: fixture('files'),
      inputs: { env: 'NODE_OPTIONS=--inspect\nGITHUB_SHA=0\nRUNNER_TEMP=/\nMINE=1\n' },
    });

    expect(run.env).toEqual({ MINE: '1' });
    expect(run.annotations.map((one) => one.message)).toEqual(
      ['NODE_OPTIONS', 'GITHUB_SHA', 'RUNNER_TEMP'].map(
        (name) => `Can't store ${name} output parameter using '$GITHUB_ENV' command.`,
      ),
    );
  });

  it('takes a summary of 1 MiB and refuses one byte more, with an error and no failure', async () => {
    const withSummary = (bytes: number) =>
      runAction({ actionFolder: fixture('files'), inputs: { 'summary-bytes': String(bytes) } });
    await using fits = await withSummary(1024 * 1024);
    await using over = await withSummary(1024 * 1024 + 1024);

    expect(fits).toMatchObject({ annotations: [], conclusion: 'success' });
    expect(fits.summary).toHaveLength(1024 * 1024);
    expect(over).toMatchObject({ summary: '', conclusion: 'success' });
    expect(over.annotations).toEqual([
      {
        level: 'error',
        message: '$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got 1025k.',
      },
    ]);
  });

  it('warns of an output that holds a secret, which no other job would get', async () => {
    await using run = await runAction({
      actionFolder: fixture('files'),
      inputs: { output: 'token=abc-ghs_secret0123456789\n' },
      token: 'ghs_secret0123456789',
    });

    expect(run.warnings).toEqual(["Skip output 'token' since it may contain secret."]);
  });
});

describe('runAction, cancel', () => {
  const cancelTimes = { interruptMs: 300, terminateMs: 200 };

  it.each([
    { heeds: 'SIGINT', exitCode: 0, signal: null, said: ['ready', 'got SIGINT'] },
    { heeds: 'SIGTERM', exitCode: 0, signal: null, said: ['ready', 'got SIGINT', 'got SIGTERM'] },
    { heeds: 'neither', exitCode: null, signal: 'SIGKILL', said: ['ready', 'got SIGINT', 'got SIGTERM'] },
  ])('ends an action that heeds $heeds, and still runs post', async ({ heeds, said, ...end }) => {
    await using run = await runAction({
      actionFolder: fixture('stubborn'),
      inputs: { heeds },
      signalAfter: { output: 'ready' },
      cancelTimes,
    });

    expect(run).toMatchObject({ conclusion: 'cancelled', ...end });
    expect(run.log.split('\n')).toEqual([
      ...said,
      '##[error]The operation was canceled.',
      'post runs after a cancel',
    ]);
  });

  it('sends one signal alone', async () => {
    await using run = await runAction({
      actionFolder: fixture('stubborn'),
      inputs: { heeds: 'SIGTERM', 'exit-code': '143' },
      signalAfter: { output: 'ready', send: 'SIGTERM' },
    });

    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 143 });
  });

  it('finds the processes an action leaves behind and ends them with the run', async () => {
    const run = await runAction({
      actionFolder: fixture('stubborn'),
      inputs: { child: 'true' },
      signalAfter: { output: /^ready$/u },
    });
    expect(run.processesLeft).toEqual([{ pid: expect.any(Number), command: 'sleep 300' }]);

    await run[Symbol.asyncDispose]();
    const isGone = () => !existsSync(`/proc/${run.processesLeft[0]?.pid}/exe`);
    await expect.poll(isGone).toBe(true);
  });
});

it('runs many at once without their mixing', async () => {
  const texts = Array.from({ length: 8 }, (_, number) => `run ${number}`);
  const runs = await Promise.all(
    texts.map((text) => runAction({ actionFolder: fixture('commands'), inputs: { text } })),
  );

  expect(runs.map((run) => run.log)).toEqual(texts);
  await Promise.all(runs.map((run) => run[Symbol.asyncDispose]()));
});

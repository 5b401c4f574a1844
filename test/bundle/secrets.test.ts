import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ActionRun } from '../harness/runner/run-action.ts';
import { createWorkspace, freshLine, freshTag, readRecord, runBuildStep } from './build-step.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const mount = (id: string) => `--mount=type=secret,id=${id}`;
const check = (id: string, value: string) =>
  `RUN ${mount(id)} test "$(sha256sum </run/secrets/${id} | cut -d' ' -f1)" = ${sha256(value)}`;

/** Everything of a run that stays where others can read it. */
async function readTraces(run: ActionRun): Promise<Readonly<Record<string, string>>> {
  return {
    log: run.log,
    summary: run.summary,
    outputs: JSON.stringify(run.outputs),
    annotations: JSON.stringify(run.annotations),
    record: JSON.stringify(await readRecord(run)),
  };
}

async function findTraces(run: ActionRun, value: string): Promise<readonly string[]> {
  const traces = await readTraces(run);
  return Object.keys(traces).filter((name) => traces[name]?.includes(value));
}

describe('a secret', () => {
  const single = 'hunter2-of-the-tests,with="quotes"';
  const lines = ['-----BEGIN KEY-----', 'MIIEowIBAAKCAQEAtests', '-----END KEY-----'];
  const fromFile = 'value-of-a-file-0123456789';
  const fromVariable = 'value-of-a-variable-0123456789';

  it('reaches RUN whichever way it is given, and nothing else', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: [
        'FROM busybox',
        freshLine(),
        check('SINGLE', single),
        check('LINES', lines.join('\n')),
        check('FILE', fromFile),
        check('VARIABLE', fromVariable),
        `RUN ${mount('SINGLE')} ${mount('LINES')} cat /run/secrets/SINGLE /run/secrets/LINES`,
        '',
      ].join('\n'),
      'key.txt': fromFile,
    });
    await using run = await runBuildStep({
      workspace,
      inputs: {
        push: 'true',
        tags: freshTag(),
        secrets: `"SINGLE=${single.replaceAll('"', '""')}"\n"LINES=${lines.join('\n')}"`,
        'secret-files': 'FILE=key.txt',
        'secret-envs': 'VARIABLE=MY_VARIABLE',
      },
      env: { MY_VARIABLE: fromVariable },
    });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    for (const value of [single, ...lines, fromFile, fromVariable]) {
      expect(await findTraces(run, value), value).toEqual([]);
    }
    // The command did print it: the log would show it without its masks.
    expect(run.rawLog).toContain(lines[1]);
    expect((await readRecord(run)).inputs.secretIds).toEqual(['SINGLE', 'LINES', 'VARIABLE', 'FILE']);
  });

  it('is hidden in the last output of the command that failed with it', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox\nRUN ${mount('TOKEN')} echo "login with $(cat /run/secrets/TOKEN) failed" && exit 1\n`,
    });
    await using run = await runBuildStep({ workspace, inputs: { secrets: 'TOKEN=s3cr3t-value-1234' } });

    expect(run.annotations).toMatchObject([
      { level: 'error', message: expect.stringContaining('login with *** failed') },
    ]);
    expect(await findTraces(run, 's3cr3t-value-1234')).toEqual([]);
  });

  it('without an ID, a value or a file is left out with a warning that does not show it', async () => {
    await using workspace = await createWorkspace({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
    await using run = await runBuildStep({
      workspace,
      inputs: {
        secrets: 'GOOD=value-0123456789\nonly-a-value-0123456789',
        'secret-files': 'KEY=./absent.txt',
        'secret-envs': 'NAMELESS',
      },
    });

    const left = 'The secret is left out.';
    expect(run.annotations.map(({ level, message }) => [level, message])).toEqual([
      ['warning', `Input "secret-envs", item 1, is not id=value with both parts filled. ${left}`],
      ['warning', `Input "secrets", item 2, is not id=value with both parts filled. ${left}`],
      ['warning', `Secret "KEY" names the file "./absent.txt", which does not exist. ${left}`],
    ]);
    expect(run.conclusion).toBe('success');
    expect(await findTraces(run, 'only-a-value-0123456789')).toEqual([]);
    expect((await readRecord(run)).inputs.secretIds).toEqual(['GOOD', 'KEY']);
  });
});

describe('the value of a build argument', () => {
  it('reaches the build and never record or summary, wherever BuildKit writes it', async () => {
    const value = 'arg-value-0123456789';
    await using workspace = await createWorkspace({
      Dockerfile: [
        'FROM busybox',
        'ARG TOKEN',
        'ARG FILE',
        freshLine(),
        'RUN test "$TOKEN" = arg-value-0123456789',
        'ENV COPIED=$TOKEN',
        'WORKDIR /srv/$TOKEN',
        'COPY $FILE /srv/',
        'LABEL token=$TOKEN',
        '',
      ].join('\n'),
      'file-of-0123456789': 'a',
    });
    await using run = await runBuildStep({
      workspace,
      inputs: {
        push: 'true',
        tags: freshTag(),
        'build-args': `TOKEN=${value}\nFILE=file-of-0123456789`,
      },
    });

    expect(run.conclusion).toBe('success');
    const { summary, record } = await readTraces(run);
    // BuildKit did write it: into WORKDIR and COPY at least.
    const instructions = (await readRecord(run)).steps.map(({ instruction }) => instruction ?? '');
    expect(instructions.filter((text) => /\*\*\*/.test(text)).length).toBeGreaterThanOrEqual(2);
    expect([summary?.includes(value), record?.includes(value)]).toEqual([false, false]);
    expect(record).not.toContain('file-of-0123456789');
    expect((await readRecord(run)).inputs.buildArgNames).toEqual(['TOKEN', 'FILE']);
  });

  it('is not in what is said of a build that failed with it', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: 'FROM busybox\nARG FILE\nCOPY $FILE /\n',
    });
    await using run = await runBuildStep({
      workspace,
      inputs: { 'build-args': 'FILE=absent-file-0123456789' },
    });

    expect(run.conclusion).toBe('failure');
    const { summary, record } = await readTraces(run);
    expect(summary).not.toContain('absent-file-0123456789');
    expect(record).not.toContain('absent-file-0123456789');
  });

  it('is not in a warning that repeats it', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: 'ARG BASE=scratch\nFROM $BASE\nCOPY Dockerfile /\n',
    });
    await using run = await runBuildStep({
      workspace,
      inputs: { 'build-args': 'BASE=busybox:latest', platforms: 'linux/arm64' },
    });

    const record = await readRecord(run);
    expect(record.warnings).toMatchObject([{ message: expect.stringMatching(/InvalidBaseImagePlatform/) }]);
    expect(`${run.summary}${JSON.stringify(record)}`).not.toContain('busybox:latest');
  });
});

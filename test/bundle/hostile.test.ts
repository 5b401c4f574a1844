import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ActionRun } from '../harness/runner/run-action.ts';
import {
  createWorkspace,
  freshLine,
  freshTag,
  readRecord,
  runBuildStep,
  type Workspace,
} from './build-step.ts';
import { readPushedLabels } from './pushed-manifest.ts';

const KIB = 1024;

/** What has ever made a shell, a log, a page or a CSV reader do something else than hold it. */
const HOSTILE = [
  `it's "quoted", $(touch executed) and \`touch executed\` ; touch executed #`,
  '::set-output name=x::y',
  '::error::taken',
  '  ::add-mask::sha256',
  '##[error]taken',
  '%0A::error::taken%0D',
  '<img src=x onerror=alert(1)> [link](https://example.com/taken) @octocat | cell',
  '\u202eright-to-left\u2066 \u001b[31mred\u001b[0m \u0007bell',
  '{{defaultContext}} $& \\n \\ %s ``` ~~~ --push -x =end',
].join('\n');
const HOSTILE_LINE = HOSTILE.replaceAll('\n', ' ');

/** One CSV record: a value with new lines and commas stays one value, as build-push-action has it. */
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** CommonMark 0.31, 6.1: a code span ends at a run of as many backticks as it began with. */
const withoutCode = (markdown: string) =>
  markdown.replace(/(?<!`)(`+)(?!`)(?:(?!\n\n)[\s\S])*?(?<!`)\1(?!`)/g, 'CODE');

function expectNothingTaken(run: ActionRun, workspace: Workspace): void {
  expect(run.annotations.filter(({ message }) => message === 'taken')).toEqual([]);
  expect(run.outputs).not.toHaveProperty('x');
  expect(run.masks).not.toContain('sha256');
  expect(run.state).toEqual({});
  expect(existsSync(path.join(workspace.path, 'executed'))).toBe(false);
  const prose = withoutCode(run.summary);
  expect(prose.replaceAll(/<br>|<\/?sub>|<1 %/g, '')).not.toMatch(/[<>]|\]\(|:\/\/|(?<!&#)@|[\u202e\u2066]/);
  // A cell more in a row than in its header would be one that a text broke out of.
  const cells = run.summary.split('\n').filter((line) => line.startsWith('|'));
  const widths = cells.map((line) => line.replaceAll('\\|', '').split('|').length);
  expect(widths.filter((width) => width !== 6 && width !== 5 && width !== 4)).toEqual([]);
}

describe('hostile text', () => {
  it('in labels and build arguments arrives as data', async () => {
    const tag = freshTag();
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox AS write\nARG NOTES\n${freshLine()}\nRUN printf %s "$NOTES" >/notes\nFROM scratch\nCOPY --from=write /notes /notes\n`,
    });
    const inputs = {
      labels: `org.example.notes=plain\n${quoted(`org.example.hostile=${HOSTILE}`)}`,
      'build-args': quoted(`NOTES=${HOSTILE}`),
      tags: tag,
    };
    await using pushed = await runBuildStep({ workspace, inputs: { ...inputs, push: 'true' } });
    await using exported = await runBuildStep({
      workspace,
      inputs: { ...inputs, outputs: 'type=local,dest=out' },
    });

    expect([pushed.conclusion, exported.conclusion]).toEqual(['success', 'success']);
    expect(await readPushedLabels(tag)).toEqual({
      'org.example.notes': 'plain',
      'org.example.hostile': HOSTILE,
    });
    expect(await readFile(path.join(workspace.path, 'out/notes'), 'utf8')).toBe(HOSTILE);
    for (const run of [pushed, exported]) {
      expect(run.annotations).toEqual([]);
      expectNothingTaken(run, workspace);
    }
  });

  it('of 127 KiB in a label and a build argument arrives whole', async () => {
    const plain = HOSTILE_LINE.replaceAll('"', '');
    const many = plain.repeat(Math.floor((127 * KIB) / Buffer.byteLength(plain)));
    const big = many + 'x'.repeat(127 * KIB - Buffer.byteLength(many));
    const tag = freshTag();
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox AS write\nARG BIG\n${freshLine()}\nRUN printf %s "$BIG" >/big\nFROM scratch\nCOPY --from=write /big /big\n`,
    });
    const inputs = { labels: `big=${big}`, 'build-args': `BIG=${big}`, tags: tag };
    await using pushed = await runBuildStep({ workspace, inputs: { ...inputs, push: 'true' } });
    await using exported = await runBuildStep({
      workspace,
      inputs: { ...inputs, outputs: 'type=local,dest=out' },
    });

    expect([pushed.annotations, exported.annotations]).toEqual([[], []]);
    // Compared by a flag: 127 KiB of difference would help nobody.
    expect((await readPushedLabels(tag))['big'] === big).toBe(true);
    expect((await readFile(path.join(workspace.path, 'out/big'), 'utf8')) === big).toBe(true);
    for (const run of [pushed, exported]) expectNothingTaken(run, workspace);
    expect(JSON.stringify(await readRecord(pushed)).length).toBeLessThan(20_000);
  });

  it('over the limit of one argument is one clear error which does not repeat it', async () => {
    // As long as the runner itself can pass it on; this action adds `,ignore-error=true`.
    const maxBytes = 128 * KIB - 'INPUT_CACHE-TO=\0'.length;
    const cache = 'type=local,dest=c'.padEnd(maxBytes, 'c');
    await using workspace = await createWorkspace({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
    await using run = await runBuildStep({ workspace, inputs: { 'cache-to': cache } });

    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: `Argument "--cache-to type=…" is ${maxBytes + ',ignore-error=true'.length} bytes: expected fewer than 131072, the system's limit for one argument. Pass it as a file or a secret.`,
      },
    ]);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
  });

  it('in branch names, workflow names and a commit message of 1 MB changes nothing', async () => {
    await using workspace = await createWorkspace({ Dockerfile: `FROM busybox\n${freshLine()}\n` });
    await using run = await runBuildStep({
      workspace,
      ref: `refs/heads/${HOSTILE}`,
      headRef: HOSTILE,
      baseRef: HOSTILE,
      workflow: HOSTILE,
      job: HOSTILE,
      actor: HOSTILE,
      event: {
        repository: { full_name: 'octo-org/service', private: false },
        head_commit: { message: HOSTILE.padEnd(1_000_000, `${HOSTILE}\n`) },
        pull_request: { number: 7, title: HOSTILE, head: { ref: HOSTILE, sha: HOSTILE } },
      },
    });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expectNothingTaken(run, workspace);
    const record = await readRecord(run);
    expect(record).toMatchObject({
      ref: `refs/heads/${HOSTILE}`,
      run: { workflow: HOSTILE, job: HOSTILE, pullRequest: 7 },
    });
    expect(JSON.stringify(record).length).toBeLessThan(20_000);
  });

  it('in a Dockerfile that builds is shown as text, in log and summary', async () => {
    const text = HOSTILE_LINE.replaceAll("'", '');
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox\n${freshLine()}\nRUN : '${text}'\nCOPY a.txt /\nRUN cat /a.txt\n`,
      'a.txt': HOSTILE,
    });
    await using run = await runBuildStep({ workspace, inputs: { push: 'true', tags: freshTag() } });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expectNothingTaken(run, workspace);
    expect(
      run.log
        .split('\n')
        .filter((line) => line.startsWith('##['))
        .toSorted(),
    ).toEqual(['##[endgroup]', '##[group]Build with default (docker)']);
  });

  it('in a Dockerfile that fails is one annotation, at its line', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox\nCOPY a.txt /\nRUN cat /a.txt && : '<img src=x> \`touch executed\` ::error::taken' && exit 3\n`,
      'a.txt': HOSTILE,
    });
    await using run = await runBuildStep({ workspace });

    const [cause, heading, first, ...tail] = run.annotations[0]?.message.split('\n') ?? [];
    expect(run.annotations).toMatchObject([{ level: 'error', file: 'Dockerfile', line: 3, endLine: 3 }]);
    expect(cause).toBe(
      `RUN cat /a.txt && : '<img src=x> \`touch executed\` ::error::taken' && exit 3 failed with exit code 3 at Dockerfile:3. Correct what the command's last output names.`,
    );
    expect([heading, first]).toEqual(['Last output of the step:', HOSTILE.split('\n')[0]]);
    expect(tail).toEqual(
      HOSTILE.split('\n')
        .slice(1)
        .map((line) => (line.includes('bell') ? 'right-to-left red bell' : line)),
    );
    expectNothingTaken(run, workspace);
    expect((await readRecord(run)).failure?.message).toBe(cause);
  });

  it('in paths and names reaches docker as it is', async () => {
    const name = `a b $(touch executed) 'x' "y" ; %0A::error::taken <b>`;
    await using workspace = await createWorkspace({
      [`${name}/Dockerfile ${name}`]: 'FROM scratch AS base\nCOPY a.txt /\n',
      [`${name}/a.txt`]: 'a',
    });
    await using run = await runBuildStep({
      workspace,
      inputs: {
        context: `./${name}`,
        file: `./${name}/Dockerfile ${name}`,
        outputs: `type=local,"dest=out ${name.replaceAll('"', '""')}"`,
      },
    });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expect(await readFile(path.join(workspace.path, `out ${name}/a.txt`), 'utf8')).toBe('a');
    expectNothingTaken(run, workspace);
    expect((await readRecord(run)).inputs).toMatchObject({
      context: `./${name}`,
      file: `./${name}/Dockerfile ${name}`,
    });
  });
});

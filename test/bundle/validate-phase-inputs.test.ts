import { execFileSync } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWorkspace, type Workspace } from './build-step.ts';
import { costFiles, costMetric, LEDGER_SOURCE, phaseText, runPhaseStep } from './phase-step.ts';

let workspace: Workspace;
beforeEach(async () => {
  workspace = await createWorkspace(costFiles('250'));
});
afterEach(() => workspace[Symbol.asyncDispose]());

const wrongInputs: readonly (readonly [input: string, value: string, message: string])[] = [
  ['phase', '', 'Input "phase" is missing. Set it under "with:".'],
  ['phase', 'one', 'Input "phase" is "one": expected a number such as 1, or the path of a .yml file.'],
  [
    'phase',
    'phase-1',
    'Input "phase" is "phase-1": expected a number such as 1, or the path of a .yml file. Did you mean "1"?',
  ],
  [
    'phase',
    '7',
    'Phase file "phases/phase-7.yml" does not exist. Check "phase", and that actions/checkout ran before this step.',
  ],
  [
    'phase',
    '../../../../etc/cloud.yml',
    'Phase file "../../../../etc/cloud.yml" does not exist. Check "phase", and that actions/checkout ran before this step.',
  ],
  [
    'data-sources',
    'ledger',
    'Input "data-sources" is "ledger": expected name=address, such as prom=https://prometheus.example.',
  ],
  [
    'data-sources',
    'ledger=a.json\nledger=b.json',
    'Input "data-sources", item 2, names "ledger" a second time: expected each name once. Remove one.',
  ],
  [
    'data-sources',
    'ledgre=a.json',
    'Input "data-sources" names "ledgre": expected a data source of the phase file, "ledger". Did you mean "ledger"?',
  ],
  [
    'data-sources',
    'ledger=https://ledger.example',
    'Input "data-sources" gives "ledger" an address: expected a path, because it is of kind "cost-ledger".',
  ],
  [
    'data-sources',
    'ledger=ftp://ledger.example/a.json',
    'Input "data-sources" gives "ledger" an address that is "ftp://ledger.example/a.json": expected http:// or https:// without "?", or a path.',
  ],
  // No part of what may be a password is shown.
  [
    'data-sources',
    'prom=https://user:hunter2@prometheus.example',
    'Input "data-sources" has a user name in the address of "prom": expected none. Put a token into SOPHIA_TOKEN_PROM.',
  ],
  [
    'data-sources',
    'Prom=https://user:hunter2@prometheus.example',
    'Input "data-sources" is not usable: expected name=address, such as prom=https://prometheus.example.',
  ],
  [
    'data-sources',
    'prom=https://prometheus.example?key=hunter2',
    'Input "data-sources" gives "prom" an address that is not usable: expected http:// or https:// without "?", or a path.',
  ],
  [
    'since',
    'yesterday',
    'Input "since" is "yesterday": expected a time such as 2026-12-01T00:00:00Z, or how long ago such as 14d.',
  ],
  [
    'since',
    '2026-13-01T00:00:00Z',
    'Input "since" is "2026-13-01T00:00:00Z": expected a time such as 2026-12-01T00:00:00Z, or how long ago such as 14d.',
  ],
  ['on-missing', 'pass', 'Input "on-missing" is "pass": expected one of "fail", "inconclusive".'],
  ['dry-run', 'yes', 'Input "dry-run" is "yes": expected "true" or "false". Did you mean "true"?'],
  ['check-name', 'a\nb', 'Input "check-name" is "a\\nb": expected one line of at most 100 characters.'],
];

describe('a wrong input', () => {
  it('is told apart from right ones, which pass', async () => {
    await using run = await runPhaseStep({
      workspace,
      inputs: {
        phase: './phases/phase-1.yml',
        'data-sources': 'ledger=./cost/ledger.json',
        since: '2020-01-01',
        'on-missing': 'fail',
        'dry-run': 'False',
        'check-name': 'gate',
      },
    });

    expect(run.annotations).toEqual([]);
    expect(run.outputs['result']).toBe('pass');
  });

  it.each(wrongInputs)('%s: %j is one clear error, and nothing is judged', async (input, value, message) => {
    await using run = await runPhaseStep({ workspace, inputs: { [input]: value } });

    expect(run.annotations).toEqual([{ level: 'error', message }]);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
    expect(run.log).toBe(`##[error]${message}`);
    expect(message.length).toBeLessThanOrEqual(200);
  });

  it('that does not exist is a warning with the nearest name, and the verdict stands', async () => {
    await using run = await runPhaseStep({ workspace, inputs: { 'data-source': 'ledger=a.json' } });

    expect(run.annotations).toContainEqual({
      level: 'warning',
      message: 'Input "data-source" does not exist and is ignored. Did you mean "data-sources"?',
    });
    expect(run.outputs['result']).toBe('pass');
  });
});

describe('a phase file', () => {
  it('with several mistakes has each named at its place, the first as the error', async () => {
    await using wrong = await createWorkspace({
      'phases/phase-1.yml': phaseText({
        sources: [LEDGER_SOURCE],
        metrics: [
          costMetric().replace('ledger,', 'ledgre,'),
          costMetric(0.27, 'second').replace('"<="', '"=<"'),
        ],
      }).replace('maxAge', 'maxage'),
    });
    await using run = await runPhaseStep({ workspace: wrong });

    expect(run.annotations.map(({ level, file, line, column }) => [level, file, line, column])).toEqual([
      ['error', 'phases/phase-1.yml', 7, 15],
      ['error', 'phases/phase-1.yml', 11, 63],
      ['error', 'phases/phase-1.yml', 12, 153],
      // What the step ends with.
      ['error', 'phases/phase-1.yml', 7, 13],
    ]);
    for (const { message, line, column } of run.annotations) {
      expect(message).toMatch(new RegExp(`^phases/phase-1\\.yml:${line}:${column}: spec\\.`));
    }
    expect(run.annotations[1]?.message).toContain('Did you mean "ledger"?');
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
  });

  it('that is a link out of the checkout is refused, and nothing of it is shown', async () => {
    await symlink('/etc/hostname', path.join(workspace.path, 'phases/linked.yml'));
    await using run = await runPhaseStep({ workspace, inputs: { phase: 'phases/linked.yml' } });

    expect(run.log).toBe(
      '##[error]Phase file phases/linked.yml leads out of the workspace: expected a path in it. Correct "phase".',
    );
  });

  it('that is a pipe nobody writes to is refused at once', async () => {
    execFileSync('bash', ['-c', 'mkfifo "$0"', path.join(workspace.path, 'phases/pipe.yml')]);
    await using run = await runPhaseStep({ workspace, inputs: { phase: 'phases/pipe.yml' } });

    expect(run.log).toBe('##[error]Phase file phases/pipe.yml is no file. Correct "phase".');
  });
});

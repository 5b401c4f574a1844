import path from 'node:path';
import { expect, it } from 'vitest';
import { createActionsCacheFake } from '../fakes/actions-cache/cache-fake.ts';
import { createGithubFake } from '../fakes/github/github-fake.ts';
import { runWorkflow } from '../harness/workflow/run-workflow.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures/actions');
const localRepositories = { 'sophia/actions@v1': fixtures };

it('runs actions of a local repository with their state, outputs between jobs, and a matrix', async () => {
  const run = await runWorkflow({
    localRepositories,
    workflow: {
      text: `
        name: w
        on: push
        jobs:
          one:
            runs-on: ubuntu-latest
            outputs: { greeting: '\${{ steps.phases.outputs.greeting }}' }
            steps:
              - { id: phases, uses: sophia/actions/phases@v1 }
              - { id: shell, run: 'echo "::warning file=a.txt,line=3,title=T::look"; echo "# Sum" >> "$GITHUB_STEP_SUMMARY"' }
          two:
            needs: one
            runs-on: ubuntu-24.04
            strategy: { matrix: { number: [1, 2] } }
            steps:
              - { run: 'echo "\${{ needs.one.outputs.greeting }} \${{ matrix.number }}"' }
      `,
    },
  });

  expect(run.errors).toEqual([]);
  expect(run.conclusion).toBe('success');
  expect(run.step('phases')).toMatchObject({
    conclusion: 'success',
    stages: { Pre: 'success', Main: 'success', Post: 'success' },
    outputs: { greeting: 'hello' },
    summary: '# Main\n# Post\n',
  });
  expect(run.step('phases').log).toContain('post sees state "line 1\\nline 2"');
  expect(run.step('shell').annotations).toEqual([
    { level: 'warning', message: 'look', file: 'a.txt', line: 3, title: 'T' },
  ]);
  expect(run.jobs.filter((job) => job.id === 'two').map((job) => job.matrix)).toEqual(
    expect.arrayContaining([{ number: 1 }, { number: 2 }]),
  );
  expect(run.log).toContain('hello 1\n');
});

it('runs actions on the Node of the tests, with the fakes for services', async () => {
  await using github = await createGithubFake();
  await using cache = await createActionsCacheFake();
  const run = await runWorkflow({
    localRepositories,
    githubApi: github,
    services: { resultsUrl: cache.url, runtimeToken: cache.token() },
    workflow: {
      text: `
        name: w
        on: push
        jobs:
          one:
            runs-on: ubuntu-latest
            steps:
              - { id: version, run: node --version }
              - { id: probe, uses: sophia/actions/probe@v1, with: { token: '\${{ github.token }}' } }
      `,
    },
  });

  expect(run.errors).toEqual([]);
  expect(run.step('version').log).toBe(`${process.version}\n`);
  expect(run.step('probe').outputs).toEqual({
    node: process.version,
    api: '200',
    cache: '{"ok":false,"signed_download_url":"","matched_key":""}',
  });
  expect(github.requests.map((one) => one.operation)).toEqual(['repos/get']);
});

it('gives inputs, secrets, event and files, and tells which step failed', async () => {
  const run = await runWorkflow({
    inputs: { phase: 'b' },
    secrets: { KEY: 'a-long-secret-value' },
    eventPayload: { inputs: { phase: 'b' }, repository: { private: true } },
    files: { 'src/a.txt': 'content of a' },
    workflow: {
      text: `
        name: w
        on: { workflow_dispatch: { inputs: { phase: { type: string, default: a }, other: { type: string, default: o } } } }
        jobs:
          one:
            runs-on: ubuntu-latest
            steps:
              - uses: actions/checkout@v4
              - { id: shown, run: 'echo "\${{ inputs.phase }} \${{ inputs.other }} \${{ github.event.repository.private }}"; cat src/a.txt; echo "$KEY"', env: { KEY: '\${{ secrets.KEY }}' } }
              - { id: tolerated, run: 'exit 3', continue-on-error: true }
              - { id: fails, run: 'exit 4' }
              - { id: skipped, run: 'echo never' }
      `,
    },
  });

  expect(run.step('shown').log).toBe('b o true\ncontent of a***\n');
  expect(run.step('tolerated').conclusion).toBe('failure');
  expect(run.step('fails').conclusion).toBe('failure');
  expect(() => run.step('skipped')).toThrow('0 steps "skipped", expected one.');
  expect(run.job('one').conclusion).toBe('failure');
  expect(run.conclusion).toBe('failure');
});

it('gives the error of a workflow that is not valid', async () => {
  const run = await runWorkflow({
    workflow: { text: 'name: w\non: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    stepz: []\n' },
  });

  expect(run.conclusion).toBe('failure');
  expect(run.errors.join('\n')).toContain('stepz');
});

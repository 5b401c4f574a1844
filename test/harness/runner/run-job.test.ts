import path from 'node:path';
import { expect, it } from 'vitest';
import { runJob } from './run-job.ts';

const fixture = (name: string) => path.join(import.meta.dirname, '../../fixtures/actions', name);

it('shares outputs, environment and temp folder between steps and runs post steps last', async () => {
  await using job = await runJob(
    [
      { id: 'phases', actionFolder: fixture('phases') },
      { id: 'shell', run: 'echo "$FROM_MAIN, $(cat "$RUNNER_TEMP/kept.txt"), $ACTIONS_RUNTIME_TOKEN."' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of a workflow
      { actionFolder: fixture('commands'), inputs: { text: '${{ steps.phases.outputs.greeting }}!' } },
    ],
    { services: { runtimeToken: 'runtime-token-0123456789' } },
  );

  expect(job.log.split('\n').slice(2, 4)).toEqual(['set by main, kept, .', 'hello!']);
  expect(job.posts.map((post) => post.id)).toEqual(['phases']);
  expect(job.summaries).toEqual([
    { id: 'phases', markdown: '# Main\n' },
    { id: 'phases', markdown: '# Post\n' },
  ]);
  expect(job.conclusion).toBe('success');
});

it('skips after a failure, except where a condition or continue-on-error says otherwise', async () => {
  await using job = await runJob([
    { id: 'tolerated', run: 'exit 3', continueOnError: true },
    { id: 'fails', run: 'exit 4' },
    { id: 'skipped', run: 'echo never' },
    { id: 'by-condition', run: 'echo rescued', if: "failure() && steps.tolerated.outcome == 'failure'" },
  ]);

  expect(job.steps.map((step) => [step.id, step.outcome, step.conclusion])).toEqual([
    ['tolerated', 'failure', 'success'],
    ['fails', 'failure', 'failure'],
    ['skipped', 'skipped', 'skipped'],
    ['by-condition', 'success', 'success'],
  ]);
  expect(job.annotations.map((one) => one.message)).toEqual([
    'Process completed with exit code 3.',
    'Process completed with exit code 4.',
  ]);
  expect(job.conclusion).toBe('failure');
});

it('evaluates an expression once, and leaves what only looks like one alone', async () => {
  const text = `\${{ '\${{ github.token }} it''s' }} \${{ unclosed ${"''".repeat(30_000)}`;
  await using job = await runJob([{ actionFolder: fixture('commands'), inputs: { text } }]);

  expect(job.log).toBe(`\${{ github.token }} it's \${{ unclosed ${"''".repeat(30_000)}`);
});

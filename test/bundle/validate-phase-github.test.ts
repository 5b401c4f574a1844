import { replay } from '@sophia/phases';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadDescription } from '../fakes/github/description.ts';
import { createGithubFake, type GithubFake } from '../fakes/github/github-fake.ts';
import { forkPermissions } from '../fakes/github/permissions.ts';
import { createWorkspace } from './build-step.ts';
import { costFiles, type PhaseStepOptions, readEvidence, runPhaseStep } from './phase-step.ts';

// Fetching the description on a fresh machine is not part of any test.
beforeAll(loadDescription, 120_000);

/** A change to a repository: the commits of its base, its head and the merge that its run is of. */
interface Change {
  readonly base: string;
  readonly head: string;
  readonly merge: string;
}

/** @param base The phase file on the base; null where there is none. */
async function seedChange(github: GithubFake, base: string | null, head: string | null): Promise<Change> {
  const file = 'phases/phase-1.yml';
  const baseSha = await github.seedCommit({
    branch: 'main',
    files: { 'README.md': 'a', ...(base === null ? {} : { [file]: base }) },
  });
  const headSha = await github.seedCommit({
    branch: 'feature',
    parents: [baseSha],
    files: { 'README.md': 'b', [file]: head },
  });
  const merge = await github.seedCommit({
    branch: 'merge',
    parents: [baseSha, headSha],
    files: { [file]: head },
  });
  return { base: baseSha, head: headSha, merge };
}

/** What the runner says of a run for each event, with the payload's fields as GitHub documents them. */
const EVENTS = {
  pull_request: ({ base, head, merge }: Change) => ({
    eventName: 'pull_request',
    ref: 'refs/pull/1/merge',
    sha: merge,
    baseRef: 'main',
    headRef: 'feature',
    event: {
      action: 'synchronize',
      number: 1,
      pull_request: { number: 1, head: { sha: head }, base: { sha: base } },
    },
  }),
  merge_group: ({ base, merge }: Change) => ({
    eventName: 'merge_group',
    ref: 'refs/heads/gh-readonly-queue/main/pr-1',
    sha: merge,
    event: {
      action: 'checks_requested',
      merge_group: { head_sha: merge, base_sha: base, base_ref: 'refs/heads/main' },
    },
  }),
  push: ({ head }: Change) => ({
    eventName: 'push',
    ref: 'refs/heads/feature',
    sha: head,
    event: { after: head },
  }),
  workflow_dispatch: ({ base }: Change) => ({
    eventName: 'workflow_dispatch',
    sha: base,
    event: { inputs: {} },
  }),
} as const satisfies Record<string, (change: Change) => Partial<PhaseStepOptions>>;

const plain = costFiles('250')['phases/phase-1.yml'] ?? '';

describe('a verdict on GitHub', () => {
  it.each([
    ['pull_request', 'head'],
    ['merge_group', 'merge'],
    ['push', 'head'],
    ['workflow_dispatch', 'base'],
  ] as const)('of %s stands on the commit that counts: %s', async (event, commit) => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS[event](change) });

    expect(run.annotations).toEqual([]);
    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'pass' } });
    const [checkRun, ...others] = github.state.checkRuns;
    expect(others).toEqual([]);
    expect(checkRun).toMatchObject({
      headSha: change[commit],
      fields: {
        name: 'validate-phase / phase-1',
        status: 'completed',
        conclusion: 'success',
        details_url: 'https://github.com/octo-org/service/actions/runs/1234567890',
      },
    });
    expect(run.outputs['check-url']).toMatch(/^https?:\/\/.*\d+/);
    expect((await readEvidence(run)).commit).toBe(change[commit]);
    expect(github.state.statuses).toEqual([]);
  });

  it.each([
    ['300', 'failure'],
    ['none', 'action_required'],
  ])('of a ledger of %s is a check run that blocks: %s', async (usd, conclusion) => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace(costFiles(usd));
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({
      workspace,
      github,
      inputs: { 'check-name': 'the gate' },
      ...EVENTS.push(change),
    });

    expect(run.exitCode).toBe(1);
    expect(github.state.checkRuns.map(({ fields }) => [fields['name'], fields['conclusion']])).toEqual([
      ['the gate', conclusion],
    ]);
  });

  it('is the job’s own where the token may only read, as that of a fork', async () => {
    await using github = await createGithubFake({ permissions: forkPermissions });
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.pull_request(change) });

    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'pass' } });
    expect(run.outputs['check-url'] ?? '').toBe('');
    expect(run.annotations).toEqual([
      { level: 'notice', message: expect.stringContaining("The verdict is this job's own result") },
    ]);
    expect([...github.state.checkRuns, ...github.state.statuses]).toEqual([]);
  });

  it('is a commit status where only those may be written', async () => {
    await using github = await createGithubFake({
      permissions: { contents: 'read', statuses: 'write' },
    });
    await using workspace = await createWorkspace(costFiles('none'));
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.push(change) });

    expect(run.exitCode).toBe(1);
    expect(github.state.statuses).toMatchObject([
      { sha: change.head, state: 'error', context: 'validate-phase / phase-1' },
    ]);
  });

  it('is written nowhere by a dry run', async () => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('300'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({
      workspace,
      github,
      inputs: { 'dry-run': 'true' },
      ...EVENTS.pull_request(change),
    });

    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'fail' } });
    expect(github.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it.each([
    ['250', 0],
    ['300', 1],
  ])('stands where GitHub is down: a ledger of %s ends with %d', async (usd, exitCode) => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace(costFiles(usd));
    const change = await seedChange(github, plain, plain);
    github.meet({ operation: 'checks/create', kind: { answer: 422, message: 'Nope' }, times: 50 });
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.push(change) });

    expect(run.exitCode).toBe(exitCode);
    expect(run.annotations).toContainEqual({
      level: 'warning',
      message: expect.stringMatching(/^The verdict stands, but it was not shown on the commit: /),
    });
  });

  it('warns where somebody else has a check run of the name on the commit', async () => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    const body = {
      name: 'validate-phase / phase-1',
      head_sha: change.head,
      status: 'completed',
      conclusion: 'success',
    };
    await fetch(`${github.url}/repos/octo-org/service/check-runs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${github.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.push(change) });

    expect(run.exitCode).toBe(0);
    expect(run.annotations).toEqual([
      {
        level: 'warning',
        message: expect.stringMatching(
          /^Commit [0-9a-f]{12} has 2 check runs named "validate-phase \/ phase-1", by /,
        ),
      },
    ]);
  });
});

describe('a change of the criteria', () => {
  const loose = plain.replace('value: 0.27', 'value: 0.9');
  const strict = plain.replace('value: 0.27', 'value: 0.1');

  it.each(['pull_request', 'merge_group'] as const)(
    'of %s is judged by the base, with both verdicts shown',
    async (event) => {
      await using github = await createGithubFake();
      await using workspace = await createWorkspace({ ...costFiles('300'), 'phases/phase-1.yml': loose });
      const change = await seedChange(github, plain, loose);
      await using run = await runPhaseStep({ workspace, github, ...EVENTS[event](change) });

      expect(run).toMatchObject({
        exitCode: 1,
        outputs: { result: 'fail', 'failed-metrics': 'inference-cost' },
      });
      expect(run.summary).toContain('| **the phase** | ❌ fail | ✅ pass |');
      const evidence = await readEvidence(run);
      expect(evidence).toMatchObject({
        phase: { text: plain, guard: { kind: 'base', baseCommit: change.base } },
        proposal: { text: loose, verdict: { kind: 'pass' } },
      });
      expect(replay(evidence)).toMatchObject({ isSame: true });
      expect(github.state.checkRuns[0]?.fields['conclusion']).toBe('failure');
    },
  );

  it('that makes them stricter holds from its merge on', async () => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': strict });
    const change = await seedChange(github, plain, strict);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.pull_request(change) });

    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'pass' } });
    expect(run.summary).toContain('| **the phase** | ✅ pass | ❌ fail |');
  });

  it.each([
    ['is new', null],
    ['is not valid on the base', 'kind: Phase'],
  ])('whose file %s is judged by its own, and says so', async (_, base) => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, base, plain);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.pull_request(change) });

    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'pass' } });
    expect(run.annotations).toEqual([
      { level: 'warning', message: expect.stringMatching(/judged by this change's own\.$/) },
    ]);
    expect((await readEvidence(run)).phase.guard?.kind).toBe('new');
  });

  it.each([
    [
      'the token may not read',
      { permissions: { checks: 'write' }, repository: { isPrivate: true } } as const,
      undefined,
    ],
    [
      'the answer is an error',
      {},
      { operation: 'repos/get-content', kind: { answer: 404 }, times: 99 } as const,
    ],
    ['nobody answers', {}, { operation: 'repos/get-content', kind: 'drop', times: 99 } as const],
  ])('that can’t be looked for because %s passes nothing', async (_, options, trouble) => {
    await using github = await createGithubFake(options);
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    if (trouble !== undefined) github.meet(trouble);
    await using run = await runPhaseStep({ workspace, github, ...EVENTS.pull_request(change) });

    expect(run).toMatchObject({
      exitCode: 1,
      outputs: { result: 'inconclusive', 'inconclusive-metrics': '' },
    });
    const evidence = await readEvidence(run);
    expect(evidence).toMatchObject({
      phase: { guard: { kind: 'unchecked' } },
      verdict: { kind: 'inconclusive', reason: 'criteria-unchecked' },
    });
    expect(replay(evidence)).toMatchObject({ isSame: true });
  });

  it('that can’t be looked for without a token passes nothing either', async () => {
    await using github = await createGithubFake();
    await using workspace = await createWorkspace({ ...costFiles('250'), 'phases/phase-1.yml': plain });
    const change = await seedChange(github, plain, plain);
    await using run = await runPhaseStep({ workspace, ...EVENTS.pull_request(change) });

    expect(run).toMatchObject({ exitCode: 1, outputs: { result: 'inconclusive' } });
  });
});

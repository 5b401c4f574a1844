import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { replay } from '@sophia/phases';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { createJob } from '../harness/runner/job.ts';
import { createWorkspace } from './build-step.ts';
import {
  buildRecord,
  costFiles,
  costMetric,
  daysAgo,
  LEDGER_SOURCE,
  ledgerText,
  PHASE_ACTION_FOLDER,
  phaseText,
  readEvidence,
  runPhaseStep,
} from './phase-step.ts';

const validate = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../../schemas/phase-evidence.v1.json'), 'utf8')),
);

describe('the verdict', () => {
  it('is a pass where the metric holds, and the step succeeds', async () => {
    await using workspace = await createWorkspace(costFiles('250'));
    await using run = await runPhaseStep({ workspace });

    expect(run.annotations).toEqual([]);
    expect(run).toMatchObject({ conclusion: 'success', exitCode: 0, processesLeft: [] });
    expect(run.outputs).toEqual({
      result: 'pass',
      'failed-metrics': '',
      'inconclusive-metrics': '',
      evidence: path.join(run.folders.temp, 'sophia/phase-evidence-1.json'),
    });
    // $250 of $930 is 26.88 %.
    expect(run.summary).toContain('✅ **Phase phase-1 passes: its one metric holds**');
    expect(run.summary).toMatch(/\| ✅ \| `inference-cost` ★ \| 0\.2688 ratio \| ≤ 0\.27 ratio \|/);
    expect(run.log).toMatch(/^pass +inference-cost$/m);
  });

  it('is a fail where it does not, and the step fails by one error', async () => {
    await using workspace = await createWorkspace(costFiles('300'));
    await using run = await runPhaseStep({ workspace });

    const message = 'Phase phase-1 fails: 1 of 1 metrics failed: inference-cost.';
    expect(run.annotations).toEqual([{ level: 'error', message }]);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).toMatchObject({
      result: 'fail',
      'failed-metrics': 'inference-cost',
      'inconclusive-metrics': '',
    });
    // $300 of $930 is 32.26 %, 5.26 points over.
    expect(run.summary).toMatch(
      /\| ❌ \| `inference-cost` ★ \| 0\.3226 ratio \| ≤ 0\.27 ratio \| 0\.05258 over \|/,
    );
  });

  it.each([
    ['is stale', { 'cost/ledger.json': ledgerText('250', daysAgo(1)) }, 'stale'],
    ['is from the future', { 'cost/ledger.json': ledgerText('250', daysAgo(-1)) }, 'clock-skew'],
    ['is no ledger', { 'cost/ledger.json': '<html>Sign in</html>' }, 'not-data'],
    ['is empty', { 'cost/ledger.json': '' }, 'not-data'],
    [
      'has another line',
      { 'cost/ledger.json': ledgerText('250').replace('inference', 'training') },
      'missing',
    ],
    ['has a baseline of nothing', { 'cost/before.json': ledgerText('0') }, 'baseline-missing'],
    ['has a baseline that is no ledger', { 'cost/before.json': '[]' }, 'baseline-missing'],
  ])('is inconclusive where the evidence %s, and the step fails', async (_, files, reason) => {
    await using workspace = await createWorkspace({ ...costFiles('250'), ...files });
    await using run = await runPhaseStep({ workspace });

    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).toMatchObject({
      result: 'inconclusive',
      'failed-metrics': '',
      'inconclusive-metrics': 'inference-cost',
    });
    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: 'Phase phase-1 is inconclusive: 1 of 1 metrics are inconclusive: inference-cost.',
      },
    ]);
    expect((await readEvidence(run)).metrics[0]?.verdict).toMatchObject({ kind: 'inconclusive', reason });
  });

  it('is inconclusive while the window is open, with the day it closes', async () => {
    await using workspace = await createWorkspace({
      ...costFiles('250'),
      'phases/phase-1.yml': phaseText({
        sources: [LEDGER_SOURCE],
        metrics: [costMetric()],
        startedDaysAgo: 1,
      }),
    });
    await using run = await runPhaseStep({ workspace });

    expect(run.outputs).toMatchObject({
      result: 'inconclusive',
      'failed-metrics': '',
      'inconclusive-metrics': '',
    });
    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: expect.stringMatching(
          /^Phase phase-1 is inconclusive: Every metric passes so far, but the window is open until \d{4}-/,
        ),
      },
    ]);
  });
});

describe('what a run asks for', () => {
  const gone = { ...costFiles('250'), 'cost/ledger.json': 'gone' };

  it('on-missing: fail makes a missing answer a failure, and a broken one none', async () => {
    const { 'cost/ledger.json': _, ...files } = costFiles('250');
    await using empty = await createWorkspace(files);
    await using broken = await createWorkspace(gone);
    await using failed = await runPhaseStep({ workspace: empty, inputs: { 'on-missing': 'fail' } });
    await using open = await runPhaseStep({ workspace: empty });
    await using undecided = await runPhaseStep({ workspace: broken, inputs: { 'on-missing': 'fail' } });

    expect(failed.outputs['result']).toBe('fail');
    expect(open.outputs['result']).toBe('inconclusive');
    expect(undecided.outputs['result']).toBe('inconclusive');
  });

  it('since moves the window with its duration, and the evidence says so', async () => {
    await using workspace = await createWorkspace({
      ...costFiles('250'),
      'phases/phase-1.yml': phaseText({
        sources: [LEDGER_SOURCE],
        metrics: [costMetric()],
        startedDaysAgo: 1,
      }),
    });
    await using closed = await runPhaseStep({ workspace, inputs: { since: '14d' } });
    await using open = await runPhaseStep({ workspace, inputs: { since: daysAgo(13) } });

    expect(closed.outputs['result']).toBe('pass');
    expect(open.outputs['result']).toBe('inconclusive');
    expect(replay(await readEvidence(closed))).toMatchObject({ kind: 'replayed', isSame: true });
    expect(closed.summary).toContain('as this run asks');
  });

  it('data-sources puts another file in the place of the file’s own', async () => {
    await using workspace = await createWorkspace({
      ...costFiles('300'),
      'elsewhere.json': ledgerText('250'),
    });
    await using run = await runPhaseStep({ workspace, inputs: { 'data-sources': 'ledger=elsewhere.json' } });

    expect(run.outputs['result']).toBe('pass');
    expect((await readEvidence(run)).sources).toEqual([
      { name: 'ledger', kind: 'cost-ledger', asked: 'elsewhere.json' },
    ]);
  });

  it.each([
    ['fail', '300'],
    ['inconclusive', 'gone'],
    ['pass', '250'],
  ])('dry-run says %s as it is, enforces nothing and succeeds', async (result, usd) => {
    await using workspace = await createWorkspace(usd === 'gone' ? gone : costFiles(usd));
    await using run = await runPhaseStep({ workspace, inputs: { 'dry-run': 'true' } });

    expect(run).toMatchObject({ conclusion: 'success', exitCode: 0 });
    expect(run.outputs['result']).toBe(result);
    expect(run.annotations).toEqual([
      {
        level: result === 'pass' ? 'notice' : 'warning',
        message: expect.stringMatching(/^Dry run, not enforced: Phase phase-1 /),
      },
    ]);
    expect(run.summary).toContain('dry run');
    expect(await readEvidence(run)).toMatchObject({ isEnforced: false, verdict: { kind: result } });
  });
});

describe('the builds', () => {
  const metrics = [
    '{ name: image-size, dataSource: builds, select: { field: compressedBytes }, statistic: { estimator: max-per-image }, target: { op: "<=", value: 1.2, unit: GB } }',
  ];
  const files = (parts: Readonly<Record<string, string>>) => ({
    'phases/phase-1.yml': phaseText({
      sources: ['{ name: builds, kind: build-history, ref: refs/heads/history }'],
      metrics,
    }),
    ...parts,
  });

  it('are read from the folder that the run gives, those below it too', async () => {
    await using workspace = await createWorkspace(
      files({
        'history/a/build-1.json': JSON.stringify(buildRecord(2e9, daysAgo(3))),
        'history/b/build-1.json': JSON.stringify(buildRecord(1e9, daysAgo(2))),
        'history/b/phase-evidence-1.json': JSON.stringify({ kind: 'phase-evidence' }),
        'history/notes.txt': 'nothing',
      }),
    );
    await using run = await runPhaseStep({ workspace, inputs: { 'data-sources': 'builds=history' } });

    // The newest build of the image is the one that counts: 1 GB.
    expect(run.outputs).toMatchObject({ result: 'pass' });
    expect((await readEvidence(run)).metrics[0]).toMatchObject({ value: 1, unit: 'GB' });
  });

  it.each([
    ['no folder is given', {}, {}, 'missing'],
    ['the folder is not there', {}, { 'data-sources': 'builds=history' }, 'missing'],
    [
      'one record of many is broken',
      { 'history/a.json': JSON.stringify(buildRecord(1e9, daysAgo(2))), 'history/b.json': '{"kind":"build"' },
      { 'data-sources': 'builds=history' },
      'partial',
    ],
    [
      'one record is of a later schema',
      { 'history/a.json': JSON.stringify({ ...buildRecord(1e9, daysAgo(2)), version: '1.99' }) },
      { 'data-sources': 'builds=history' },
      'partial',
    ],
    ['the folder leads out of the checkout', {}, { 'data-sources': 'builds=../../..' }, 'partial'],
  ])('are inconclusive where %s', async (_, parts, inputs, reason) => {
    await using workspace = await createWorkspace(files(parts));
    await using run = await runPhaseStep({ workspace, inputs });

    expect(run.outputs).toMatchObject({ result: 'inconclusive' });
    expect((await readEvidence(run)).metrics[0]?.verdict).toMatchObject({ reason });
  });
});

describe('the cluster', () => {
  const node = (name: string, labels: Readonly<Record<string, string>>, heartbeat = daysAgo(0.01)) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, creationTimestamp: daysAgo(90) },
    status: {
      capacity: { 'nvidia.com/gpu': '1' },
      conditions: [
        { type: 'Ready', status: 'True', lastHeartbeatTime: heartbeat, lastTransitionTime: daysAgo(90) },
      ],
    },
  });
  const labels = { gpu: 'a100', 'workload.sophia.ai/inference': 'true' };
  const list = (...items: readonly unknown[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

  it.each([
    ['has every label', list(node('a', labels), node('b', labels)), 'pass'],
    ['lacks a label', list(node('a', labels), node('b', {})), 'fail'],
    ['is of yesterday', list(node('a', labels, daysAgo(1))), 'inconclusive'],
    ['is not there', undefined, 'inconclusive'],
  ])('is judged by its snapshot: one that %s', async (_, snapshot, result) => {
    await using workspace = await createWorkspace({
      'phases/phase-1.yml': phaseText({
        sources: ['{ name: cluster, kind: cluster-snapshot, path: evidence/cluster.json }'],
        metrics: [
          '{ name: gpu-labels, dataSource: cluster, check: node-labels, target: { op: "==", value: 1, unit: ratio } }',
        ],
      }),
      ...(snapshot === undefined ? {} : { 'evidence/cluster.json': snapshot }),
    });
    await using run = await runPhaseStep({ workspace });

    expect(run.outputs['result']).toBe(result);
    expect(replay(await readEvidence(run))).toMatchObject({ isSame: true });
  });
});

describe('earlier phases', () => {
  const second = phaseText({
    name: 'phase-2',
    sources: [LEDGER_SOURCE],
    metrics: [costMetric(0.9)],
    dependsOn: '[{ phase: phase-1, stillHolds: [inference-cost] }]',
  });

  const { 'phases/phase-1.yml': _, ...without } = costFiles('250');
  const renamed = phaseText({ sources: [LEDGER_SOURCE], metrics: [costMetric(0.27, 'cost')] });

  it.each([
    ['holds still', costFiles('250'), 'pass', 'pass'],
    ['no longer holds', costFiles('300'), 'fail', 'inconclusive'],
    ['is not there', without, 'inconclusive', 'inconclusive'],
    ['is not valid', { ...without, 'phases/phase-1.yml': 'kind: Phase' }, 'inconclusive', 'inconclusive'],
    ['has no such metric', { ...without, 'phases/phase-1.yml': renamed }, 'inconclusive', 'inconclusive'],
  ])('are judged now: where one %s', async (_, files, earlier, result) => {
    await using workspace = await createWorkspace({ ...files, 'phases/phase-2.yml': second });
    await using run = await runPhaseStep({ workspace, inputs: { phase: '2' } });

    expect(run.outputs['result']).toBe(result);
    const evidence = await readEvidence(run);
    expect(evidence.dependencies['phase-1']?.['inference-cost']?.kind).toBe(earlier);
    expect(replay(evidence)).toMatchObject({ isSame: true });
  });
});

describe('the evidence', () => {
  it('takes what the published schema takes, and gives the same verdict without its sources', async () => {
    await using workspace = await createWorkspace(costFiles('300'));
    await using run = await runPhaseStep({ workspace });
    await writeFile(path.join(workspace.path, 'cost/ledger.json'), 'gone');

    const evidence = await readEvidence(run);
    validate(evidence);
    expect(validate.errors).toBeNull();
    expect(evidence).toMatchObject({
      commit: '0123456789abcdef0123456789abcdef01234567',
      isEnforced: true,
      phase: { name: 'phase-1', file: 'phases/phase-1.yml' },
      verdict: { kind: 'fail' },
    });
    expect(replay(evidence)).toMatchObject({
      kind: 'replayed',
      isSame: true,
      judgement: { verdict: { kind: 'fail' } },
    });
  });

  it.each([
    ['250', 'success'],
    ['300', 'failure'],
  ])(
    'that can’t be written takes nothing from the verdict: a ledger of %s is a %s',
    async (usd, conclusion) => {
      await using workspace = await createWorkspace(costFiles(usd));
      await using job = await createJob({ workspace: workspace.path });
      await writeFile(path.join(job.folders.temp, 'sophia'), 'a file where the folder would be');
      const step = await job.runStep({
        actionFolder: PHASE_ACTION_FOLDER,
        inputs: { phase: '1', 'github-token': '' },
      });

      expect(step.conclusion).toBe(conclusion);
      expect(step.outputs).toMatchObject({ result: usd === '250' ? 'pass' : 'fail' });
      expect(step.phases.flatMap(({ annotations }) => annotations)).toContainEqual({
        level: 'warning',
        message: expect.stringMatching(/^The verdict stands, but its evidence was not written: /),
      });
      expect(step.phases.at(-1)?.summary).toContain('### Phase `phase-1`');
    },
  );
});

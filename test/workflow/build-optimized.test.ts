import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeReleaseTree } from '../../script/release.ts';
import { engineEnvironment } from '../bundle/build-step.ts';
import { readPushedDigest, readPushedLabels } from '../bundle/pushed-manifest.ts';
import { engine } from '../harness/engine.ts';
import { runWorkflow, type WorkflowRun } from '../harness/workflow/run-workflow.ts';

const tag = randomUUID().slice(0, 8);
let release: string;
let run: WorkflowRun;

beforeAll(async () => {
  release = await mkdtemp(path.join(tmpdir(), 'release-'));
  writeReleaseTree({ from: path.join(import.meta.dirname, '../..'), to: release, tag: 'v1.0.0' });
  const { registry, networkArgs } = engine();
  run = await runWorkflow({
    workflow: { file: path.join(import.meta.dirname, '../fixtures/workflows/build-optimized.yml') },
    localRepositories: { 'sophia/actions@v1': release },
    env: engineEnvironment(),
    vars: { REGISTRY: registry, TAG: tag, NETWORK: networkArgs.length > 0 ? 'host' : '' },
    files: {
      Dockerfile: `FROM busybox\nARG FLAVOUR=default\nRUN echo "$FLAVOUR ${tag}" > /flavour\n`,
      'broken/Dockerfile': `FROM busybox\n\nRUN echo ${tag} about to fail && exit 3\n`,
    },
  });
});
afterAll(() => rm(release, { recursive: true, force: true }));

const reference = (name = tag) => `${engine().registry}/workflow-test/app:${name}`;

it('takes the place of build-push-action in a workflow', async () => {
  const build = run.step('build');
  const digest = await readPushedDigest(reference());

  expect(run.errors).toEqual([]);
  expect(run.conclusion).toBe('success');
  expect(run.step('version').log).toMatch(/^v24\.\d+\.\d+\n$/);
  expect(build.annotations).toEqual([]);
  expect(build.outputs['digest']).toBe(digest);
  expect(build.summary).toContain(digest);
  expect(await readPushedLabels(reference())).toMatchObject({
    'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
  });
});

it('hands the digest to another job and the record to a later step', async () => {
  const digest = await readPushedDigest(reference());

  expect(run.step('digest').log).toBe(`deploying ${digest}\n`);
  expect(JSON.parse(run.step('record').log)).toMatchObject({
    kind: 'build',
    status: 'succeeded',
    run: { repository: 'octo-org/service', workflow: 'image', job: 'build', eventName: 'push' },
    image: { digest, references: [reference()] },
  });
});

it('builds each job of a matrix', async () => {
  const variants = run.jobs.filter(({ id }) => id === 'variants');
  const digests = await Promise.all(
    ['plain', 'extra'].map((name) => readPushedDigest(reference(`${tag}-${name}`))),
  );

  expect(variants.map(({ conclusion }) => conclusion)).toEqual(['success', 'success']);
  const built = variants.map(({ steps }) => steps.find(({ id }) => id === 'variant')?.outputs['digest']);
  expect(built.sort()).toEqual([...digests].sort());
  expect(digests[0]).not.toBe(digests[1]);
});

it('fails the step and not the job where the workflow tolerates it, and names the line', () => {
  const broken = run.step('broken');

  expect(broken.conclusion).toBe('failure');
  expect(broken.annotations).toMatchObject([{ level: 'error', file: 'broken/Dockerfile', line: 3 }]);
  expect(broken.annotations[0]?.message).toContain('exit code 3');
  expect(broken.annotations[0]?.message).toContain(`${tag} about to fail`);
  expect(run.step('outcome').log).toBe('outcome failure, conclusion success\n');
  expect(run.job('broken').conclusion).toBe('success');
});

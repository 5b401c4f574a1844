import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeReleaseTree } from '../../script/release.ts';
import { engine } from '../harness/engine.ts';
import { runAction } from '../harness/runner/run-action.ts';
import { runWorkflow } from '../harness/workflow/run-workflow.ts';

// What users get, and not the checkout: the tree of a release.
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'release-'));
  writeReleaseTree({ from: path.join(import.meta.dirname, '../..'), to: folder, tag: 'v0.0.1' });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

// HOME is the run's own, so that nothing of this machine's user decides a test.
function dockerVariables(): Record<string, string> {
  const { HOME: _home, PATH: _path, ...variables } = engine().dockerEnv;
  return variables;
}

it('builds and pushes an image in a workflow that names the release', async () => {
  const { registry, networkArgs } = engine();
  const run = await runWorkflow({
    localRepositories: { 'sophia/actions@v1': folder },
    env: dockerVariables(),
    files: { Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' },
    workflow: {
      text: `
        name: w
        on: push
        jobs:
          image:
            runs-on: ubuntu-latest
            steps:
              - uses: actions/checkout@v4
              - id: build
                uses: sophia/actions/build-optimized@v1
                with:
                  context: .
                  push: true
                  tags: ${registry}/release-test/app:1
                  provenance: false
                  ${networkArgs.length > 0 ? 'network: host' : ''}
      `,
    },
  });

  expect(run.errors).toEqual([]);
  const build = run.step('build');
  expect(build.log).not.toContain('##[error]');
  expect(build.conclusion).toBe('success');
  const answer = await fetch(`http://${registry}/v2/release-test/app/manifests/1`, {
    method: 'HEAD',
    headers: {
      accept:
        'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
    },
  });
  expect(build.outputs['digest']).toBe(answer.headers.get('docker-content-digest'));
  expect(build.summary).not.toBe('');
});

it('runs alone, with nothing of the checkout beside it', async () => {
  await using run = await runAction({
    actionFolder: path.join(folder, 'build-optimized'),
    env: dockerVariables(),
    inputs: { push: 'maybe' },
  });

  expect(run.conclusion).toBe('failure');
  expect(run.exitCode).toBe(1);
  expect(run.annotations).toHaveLength(1);
  expect(run.annotations[0]?.message).toContain('"push"');
  expect(run.log).not.toContain('Cannot find');
});

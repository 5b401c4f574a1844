import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { engine } from '../harness/engine.ts';
import { type LocalAnswer, startLocalServer } from '../harness/local-server.ts';
import type { Annotation } from '../harness/runner/workflow-commands.ts';
import { createWorkspace, firstLine, freshLine, readRecord, runBuildStep } from './build-step.ts';

const GOOD = 'FROM busybox\nRUN true\n';

/** A port of this machine where nothing listens. */
async function findClosedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

/** The message as the runner shows it on the page: its first line. */
function expectOneError(annotations: readonly Annotation[], error: Omit<Annotation, 'level'>): void {
  expect(annotations).toEqual([{ level: 'error', ...error }]);
  expect(firstLine(error.message).length).toBeLessThanOrEqual(200);
}

describe('an engine that cannot be used is one error', () => {
  it.each([
    [
      'without docker',
      { PATH: '/nonexistent' },
      'Docker was not found: no program "docker" in any folder of PATH. Install Docker with buildx, or run the job on a runner that has it.',
    ],
    [
      'with an engine whose socket is absent',
      { DOCKER_HOST: 'unix:///nonexistent/docker.sock' },
      'The Docker engine does not answer at unix:///nonexistent/docker.sock. Start the Docker engine, or set DOCKER_HOST to one that runs.',
    ],
    [
      'with an engine whose port is closed',
      { DOCKER_HOST: 'tcp://127.0.0.1:1' },
      'The Docker engine does not answer at tcp://127.0.0.1:1. Start the Docker engine, or set DOCKER_HOST to one that runs.',
    ],
  ])('%s', async (_, env, message) => {
    await using workspace = await createWorkspace({ Dockerfile: GOOD });
    await using run = await runBuildStep({ workspace, env });

    expectOneError(run.annotations, { message });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
  });

  it('with a docker that has no buildx', async () => {
    // What docker 28.5.2 says and does without its plugin.
    await using bare = await createWorkspace({
      docker: `#!/bin/sh\nprintf "docker: unknown command: docker buildx\\n\\nRun 'docker --help' for more information\\n" >&2\nexit 1\n`,
    });
    await chmod(path.join(bare.path, 'docker'), 0o755);
    await using workspace = await createWorkspace({ Dockerfile: GOOD });
    await using run = await runBuildStep({ workspace, env: { PATH: `${bare.path}:/usr/bin:/bin` } });

    expectOneError(run.annotations, {
      message:
        'This Docker has no buildx. Install the docker-buildx plugin, with docker/setup-buildx-action or from the distribution.',
    });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
  });

  it('with a builder that does not exist', async () => {
    await using workspace = await createWorkspace({ Dockerfile: GOOD });
    await using run = await runBuildStep({ workspace, inputs: { builder: 'no-such' } });

    expectOneError(run.annotations, {
      message:
        'Builder "no-such" does not exist. Make it with docker/setup-buildx-action, or leave the input "builder" empty.',
    });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
  });
});

describe('a push that fails is one error', () => {
  it('where nobody listens', async () => {
    const host = `localhost:${await findClosedPort()}`;
    await using workspace = await createWorkspace({ Dockerfile: GOOD });
    await using run = await runBuildStep({ workspace, inputs: { push: 'true', tags: `${host}/octo/app:1` } });

    expect(run.annotations).toHaveLength(1);
    const [cause, advice] = run.annotations[0]?.message.split('\n') ?? [];
    expect(cause).toMatch(
      new RegExp(`^The registry to push to does not answer: ${host}/octo/app:1: .* connection refused\\.$`),
    );
    expect(cause?.length).toBeLessThanOrEqual(200);
    expect(advice).toBe(
      "Check the registry's address and that this machine can reach it, then run the job again.",
    );
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).not.toHaveProperty('digest');
    expect(await readRecord(run)).toMatchObject({
      status: 'failed',
      failure: { reason: 'registry-unreachable', message: run.annotations[0]?.message },
    });
  });

  const denied = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });
  it.each<[string, (path: string) => LocalAnswer, string]>([
    [
      'that knows the user and lets them not write',
      (path) =>
        path === '/v2/'
          ? { status: 200 }
          : { status: 403, body: denied('DENIED', 'permission_denied: write_package') },
      '403 Forbidden',
    ],
    [
      'that does not know the user',
      () => ({
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="registry"' },
        body: denied('UNAUTHORIZED', 'authentication required'),
      }),
      '401 Unauthorized',
    ],
  ])('to a registry %s', async (_, answer, status) => {
    await using registry = await startLocalServer((request) => answer(request.path));
    const tag = `${registry.host}/octo/app:1`;
    await using workspace = await createWorkspace({ Dockerfile: GOOD });
    await using run = await runBuildStep({ workspace, inputs: { push: 'true', tags: tag } });

    expect(run.annotations).toHaveLength(1);
    const [cause, advice] = run.annotations[0]?.message.split('\n') ?? [];
    expect(cause).toMatch(new RegExp(`^The registry refused the push: ${tag}: .*: ${status}\\.$`));
    expect(cause?.length).toBeLessThanOrEqual(200);
    expect(advice).toBe('Log in to the registry first; on ghcr.io give the job "packages: write".');
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).not.toHaveProperty('digest');
    expect(await readRecord(run)).toMatchObject({ status: 'failed', failure: { reason: 'push-denied' } });
  });
});

type FailingBuild = {
  readonly name: string;
  readonly dockerfile: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly reason: string;
  readonly message: string;
  readonly lines?: readonly [line: number, endLine: number];
  /** What the command said last. */
  readonly tail?: readonly string[];
};

const failingBuilds: readonly FailingBuild[] = [
  {
    name: 'an unknown instruction in line 7',
    dockerfile: '# one\n# two\nFROM busybox\n\n# five\n\nRUNN true\n',
    reason: 'dockerfile-syntax',
    message:
      'Dockerfile line 7 cannot be read: unknown instruction: RUNN (did you mean RUN?). Correct the instruction.',
    lines: [7, 7],
  },
  {
    name: 'a COPY without a destination in line 7',
    dockerfile: '# one\n# two\nFROM busybox\n\n# five\n\nCOPY a.txt\n',
    reason: 'dockerfile-syntax',
    message:
      'Dockerfile line 7 cannot be read: COPY requires at least two arguments, but only one was provided. Destination could not be determined. Correct the instruction.',
    lines: [7, 7],
  },
  {
    name: 'a target that is no stage',
    dockerfile: 'FROM busybox AS builder\n',
    inputs: { target: 'bilder' },
    reason: 'stage-missing',
    message: 'Stage "bilder" does not exist. Name a stage that a FROM … AS line defines.',
  },
  {
    name: 'a base image that is not there',
    dockerfile: `ARG VERSION=1\nFROM ${engine().registry}/no-such/base:1\n`,
    reason: 'base-image-missing',
    message: `Image ${engine().registry}/no-such/base:1 cannot be had: not found. Correct the image's name, tag or platform, or log in to its registry.`,
    lines: [2, 2],
  },
  {
    name: 'a COPY of a file that is not there',
    dockerfile: 'FROM busybox\nRUN true\nCOPY package.json ./\n',
    reason: 'file-missing',
    message:
      '"package.json" is not in the build context or stage it is copied from. Add the file to the build context, or take it out of .dockerignore.',
    lines: [3, 3],
  },
  {
    name: 'a command that ends with 3',
    dockerfile: `FROM busybox AS tests\n${freshLine()}\nRUN echo "1 passed" && \\\n    echo "test 2 failed: 1 != 2" && \\\n    exit 3\n`,
    reason: 'run-failed',
    message:
      'RUN echo "1 passed" && echo "test 2 failed: 1 != 2" && exit 3 failed with exit code 3 at Dockerfile:3. Correct what the command\'s last output names.',
    lines: [3, 5],
    tail: ['1 passed', 'test 2 failed: 1 != 2'],
  },
  {
    name: 'a program that is not there, in a Dockerfile in a folder',
    dockerfile: 'FROM busybox AS deps\nRUN npm ci\nFROM deps\nRUN true\n',
    inputs: { file: 'docker/api.Dockerfile' },
    reason: 'run-failed',
    message:
      'RUN npm ci failed with exit code 127 in stage "deps" at api.Dockerfile:2 (a program was not found). Install the program that the last output names in an earlier step.',
    lines: [2, 2],
    tail: ['/bin/sh: npm: not found'],
  },
  {
    name: 'a command whose last output is full of workflow commands',
    dockerfile:
      'FROM busybox\nRUN printf "::error::taken\\n::set-output name=x::y\\n##[error]taken\\n\\033[31mred\\n" && exit 1\n',
    reason: 'run-failed',
    message:
      'RUN printf "::error::taken\\n::set-output name=x::y\\n##[error]taken\\n\\033[31mred\\n" && exit 1 failed with exit code 1 at Dockerfile:2. Correct what the command\'s last output names.',
    lines: [2, 2],
    tail: ['::error::taken', '::set-output name=x::y', '##[error]taken', 'red'],
  },
];

describe('a build that fails is one error at its line of the Dockerfile', () => {
  it.each(failingBuilds)('$name', async ({ dockerfile, inputs = {}, reason, message, lines, tail }) => {
    const file = inputs['file'] ?? 'Dockerfile';
    await using workspace = await createWorkspace({ [file]: dockerfile, 'a.txt': 'a' });
    await using run = await runBuildStep({ workspace, inputs });

    const place = lines === undefined ? {} : { file, line: lines[0], endLine: lines[1] };
    const said = tail === undefined ? '' : `\nLast output of the step:\n${tail.join('\n')}`;
    expectOneError(run.annotations, { message: `${message}${said}`, ...place });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    const record = await readRecord(run);
    expect({ status: record.status, failure: record.failure }).toEqual({
      status: 'failed',
      failure: { reason, message, ...place },
    });
    // What is known of a build that failed: never a digest.
    const { 'cache-hit-ratio': _, ...outputs } = run.outputs;
    expect(outputs).toEqual({
      'duration-ms': String(record.durationMs),
      record: path.join(run.folders.temp, 'sophia/build-1.json'),
    });
    expect(run.summary).toContain('❌ **Failed after ');
    if (lines !== undefined) expect(run.summary).toContain(`At \`${file}:${lines[0]}\`.`);
  });
});

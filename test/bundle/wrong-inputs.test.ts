import { existsSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWorkspace, runBuildStep, type Workspace } from './build-step.ts';

let workspace: Workspace;
/** A folder whose `docker` leaves a file there when it is called. */
let stub: Workspace;
beforeEach(async () => {
  workspace = await createWorkspace({ Dockerfile: 'FROM scratch\nCOPY a.txt /\n', 'a.txt': 'a' });
  stub = await createWorkspace({ docker: '#!/bin/sh\n: >"$(dirname "$0")/called"\n' });
  await chmod(path.join(stub.path, 'docker'), 0o755);
});
afterEach(async () => {
  await workspace[Symbol.asyncDispose]();
  await stub[Symbol.asyncDispose]();
});

const isDockerCalled = () => existsSync(path.join(stub.path, 'called'));
const runRefused = (inputs: Readonly<Record<string, string>>) =>
  runBuildStep({ workspace, inputs, env: { PATH: `${stub.path}:${process.env['PATH']}` } });

const digest = `sha256:${'0'.repeat(64)}`;
const wrongInputs: readonly (readonly [input: string, value: string, message: string])[] = [
  ['push', 'ture', 'Input "push" is "ture": expected "true" or "false". Did you mean "true"?'],
  ['load', 'yes', 'Input "load" is "yes": expected "true" or "false". Did you mean "true"?'],
  ['no-cache', '0', 'Input "no-cache" is "0": expected "true" or "false". Did you mean "false"?'],
  ['pull', 'weekly', 'Input "pull" is "weekly": expected "true" or "false".'],
  [
    'platforms',
    'linux/amd46',
    'Input "platforms" is "linux/amd46": expected os/architecture, such as linux/amd64 or linux/arm/v7. Did you mean "linux/amd64"?',
  ],
  [
    'platforms',
    'linux/amd64,linus/arm64',
    'Input "platforms", item 2, is "linus/arm64": expected os/architecture, such as linux/amd64 or linux/arm/v7. Did you mean "linux/arm64"?',
  ],
  [
    'tags',
    'ghcr.io/Octo/App:1',
    'Input "tags" is "ghcr.io/Octo/App:1", which has upper case in its repository "Octo/App": expected lower case. Write "octo/app".',
  ],
  [
    'tags',
    `app@${digest}`,
    `Input "tags" is "app@${digest.slice(0, 52)}...": expected a reference without a digest: the build gives the digest.`,
  ],
  [
    'cache-to',
    'type=gah,mode=max',
    'Input "cache-to" has type "gah": expected one of "registry", "local", "gha", "inline", "s3", "azblob". Did you mean "gha"?',
  ],
  [
    'cache-to',
    'type=registry,mode=max',
    'Input "cache-to" has type=registry and no ref: expected type=registry,ref=ghcr.io/owner/app:cache.',
  ],
  [
    'cache-from',
    'ref=ghcr.io/octo/app',
    'Input "cache-from" has no type: expected type=registry, type=gha or another.',
  ],
  [
    'outputs',
    'type=locale,dest=out',
    'Input "outputs" has type "locale": expected one of "local", "tar", "oci", "docker", "image", "registry", "cacheonly". Did you mean "local"?',
  ],
  [
    'network',
    'hots',
    'Input "network" is "hots": expected one of "default", "none", "host". Did you mean "host"?',
  ],
  [
    'call',
    'chek',
    'Input "call" is "chek": expected one of "build", "check", "lint", "outline", "targets". Did you mean "check"?',
  ],
  [
    'allow',
    'network.hosts',
    'Input "allow" is "network.hosts": expected one of "network.host", "security.insecure", "device". Did you mean "network.host"?',
  ],
  [
    'attests',
    'type=sbim',
    'Input "attests" has type "sbim": expected one of "provenance", "sbom". Did you mean "sbom"?',
  ],
  [
    'provenance',
    'mode=maxx',
    'Input "provenance" has mode="maxx": expected mode=min or mode=max. Did you mean "max"?',
  ],
  [
    'provenance',
    'ture',
    'Input "provenance" is "ture": expected true, false or attributes such as mode=max. Did you mean "true"?',
  ],
  [
    'sbom',
    'fales',
    'Input "sbom" is "fales": expected true, false or attributes such as generator=docker/scout-sbom-indexer. Did you mean "false"?',
  ],
  ['shm-size', '2 giga', 'Input "shm-size" is "2 giga": expected a size such as 64m or 2g.'],
  [
    'ulimit',
    'nofiles=1024:2048',
    'Input "ulimit" limits "nofiles": expected a name such as nofile, nproc or memlock. Did you mean "nofile"?',
  ],
  [
    'ulimit',
    'nofile=2048:1024',
    'Input "ulimit" is "nofile=2048:1024": expected a soft limit no higher than the hard one.',
  ],
  [
    'add-hosts',
    'docker:10.180.0',
    'Input "add-hosts" is "docker:10.180.0": expected host:IP, such as docker:10.180.0.1.',
  ],
  [
    'annotations',
    'team',
    'Input "annotations" is "team": expected key=value, or a level before it such as index:key=value.',
  ],
  ['build-contexts', 'base', 'Input "build-contexts" is "base": expected name=path or name=URL.'],
  ['context', '-', 'Input "context" is "-": expected a folder or a URL, not an option or standard input.'],
  // Their values may be secrets: none is shown.
  ['build-args', '=hunter2', 'Input "build-args" has no name before its "=": expected NAME=value or NAME.'],
  ['labels', '=hunter2', 'Input "labels" has no name before its "=": expected key=value.'],
  [
    'secrets',
    '"id=hunter2',
    'Input "secrets" has a quoted value that starts in line 1 that does not end: expected a closing ". Double a quote inside a quoted value.',
  ],
];

describe('a wrong input', () => {
  it('is told apart from a right one by a docker that is called', async () => {
    await using _ = await runRefused({ push: 'true' });

    expect(isDockerCalled()).toBe(true);
  });

  it.each(wrongInputs)(
    '%s: %s is one clear error, and docker is never called',
    async (input, value, message) => {
      await using run = await runRefused({ [input]: value });

      expect(run.annotations).toEqual([{ level: 'error', message }]);
      expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, outputs: {}, summary: '' });
      expect(run.log).toBe(`##[error]${message}`);
      expect(isDockerCalled()).toBe(false);
      expect(message.length).toBeLessThanOrEqual(200);
    },
  );

  // Of every character a terminal, a page or the runner could take for something else.
  const hostile = `a=/'"\`\u202e\u001b[31m%0A::error::x\n::set-output name=x::y `;
  it.each([...new Set(wrongInputs.map(([input]) => input))])(
    '%s of 70 kB full of commands is still one line of at most 200 characters, or taken as it is',
    async (input) => {
      await using run = await runRefused({ [input]: `"${hostile.repeat(1000).replaceAll('"', '""')}"` });

      for (const { level, message } of run.annotations) {
        expect(level).toBe('error');
        expect(message.length).toBeLessThanOrEqual(200);
        expect(message).toMatch(/^(Input "[a-z-]+"|Context) [^\p{C}\u2028]+$/u);
      }
      expect(run.outputs).not.toHaveProperty('x');
    },
  );

  it('of several, the first in the order of action.yml is told', async () => {
    await using run = await runRefused({ tags: 'A', network: 'hots', load: 'yes' });

    expect(run.annotations.map(({ message }) => message)).toEqual([
      'Input "load" is "yes": expected "true" or "false". Did you mean "true"?',
    ]);
  });
});

describe('files the inputs name', () => {
  it.each([
    [
      { context: './servise' },
      'Context "./servise" does not exist. Check the path, and that actions/checkout ran before this step.',
    ],
    [
      { file: 'Dockerfile.prod' },
      'Dockerfile "Dockerfile.prod" does not exist. Set "file" to its path from the working directory.',
    ],
  ])('%o that are not there are one error, and docker is never called', async (inputs, message) => {
    await using run = await runRefused(inputs);

    expect(run.annotations).toEqual([{ level: 'error', message }]);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(isDockerCalled()).toBe(false);
  });
});

describe('an unknown input', () => {
  it('is a warning with the nearest name, and the build goes on', async () => {
    await using run = await runBuildStep({ workspace, inputs: { tag: 'app:1', 'cache-form': 'type=gha' } });

    expect(run.annotations.slice(1)).toEqual([
      { level: 'warning', message: 'Input "tag" does not exist and is ignored. Did you mean "tags"?' },
      {
        level: 'warning',
        message: 'Input "cache-form" does not exist and is ignored. Did you mean "cache-from"?',
      },
    ]);
    // The runner's own.
    expect(run.annotations[0]?.message).toMatch(
      /^Unexpected input\(s\) 'tag', 'cache-form', valid inputs are/,
    );
    expect(run.conclusion).toBe('success');
  });
});

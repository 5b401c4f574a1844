import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeFailure } from './build-failure.ts';
import { createProgressParser } from './progress-parser.ts';

const build = ['build', '--file', 'docker/Dockerfile', '.'];

function describeRecorded(name: string, args: readonly string[] = build) {
  const parser = createProgressParser();
  parser.push(readFileSync(new URL(`./fixtures/${name}.rawjson`, import.meta.url)));
  return describeFailure(parser.finish(), 1, args);
}

function describeText(text: string) {
  const parser = createProgressParser();
  parser.push(Buffer.from(text));
  return describeFailure(parser.finish(), 1, build);
}

describe('describeFailure', () => {
  // Streams of a real engine; reasons, lines and messages by hand.
  it.each([
    [
      'failing-run',
      'run-failed',
      'Dockerfile',
      7,
      10,
      'RUN echo "starting tests" && for i in 1 2 3; do echo "test $i ok"; done && echo "test 4 FAILED: expected 1, got 2" >&2 && exit 3 failed with exit code 3 at Dockerfile:7.\nCorrect what the command\'s last output names.',
    ],
    [
      'crlf',
      'run-failed',
      'Crlf',
      4,
      4,
      "RUN exit 4 failed with exit code 4 at Crlf:4. Correct what the command's last output names.",
    ],
    [
      'killed',
      'run-failed',
      'Dockerfile',
      2,
      2,
      'RUN exit 137 failed with exit code 137 at Dockerfile:2 (killed, mostly for lack of memory). Give the machine more memory, or lower how much the command does at once.',
    ],
    [
      'not-found',
      'run-failed',
      'Dockerfile',
      2,
      2,
      'RUN npm ci failed with exit code 127 at Dockerfile:2 (a program was not found). Install the program that the last output names in an earlier step.',
    ],
    [
      'syntax-error',
      'dockerfile-syntax',
      'Dockerfile',
      7,
      7,
      'Dockerfile line 7 cannot be read: unknown instruction: RUNN (did you mean RUN?). Correct the instruction.',
    ],
    [
      'wrong-flag',
      'dockerfile-syntax',
      'Dockerfile',
      2,
      2,
      'unsupported mount type "nope". Correct that line.',
    ],
    [
      'empty',
      'dockerfile-syntax',
      undefined,
      undefined,
      undefined,
      'the Dockerfile cannot be empty. Correct the Dockerfile.',
    ],
    [
      'missing-dockerfile',
      'dockerfile-missing',
      undefined,
      undefined,
      undefined,
      'Dockerfile "docker/Dockerfile" does not exist. Set the input "file" to its path, seen from the repository root.',
    ],
    [
      'missing-dockerfile-name',
      'dockerfile-missing',
      undefined,
      undefined,
      undefined,
      'Dockerfile "docker/Dockerfile" does not exist. Set the input "file" to its path, seen from the repository root.',
    ],
    [
      'missing-context',
      'file-missing',
      undefined,
      undefined,
      undefined,
      'Build context "./nowhere" does not exist. Set the input "context" to a folder that exists; a checkout step must run before it.',
    ],
    [
      'file-missing',
      'file-missing',
      'Dockerfile',
      3,
      3,
      '"missing.txt" is not in the build context or stage it is copied from. Add the file to the build context, or take it out of .dockerignore.',
    ],
    [
      'add-url',
      'file-missing',
      undefined,
      undefined,
      undefined,
      'ADD could not fetch http://127.0.0.1:1/tool.tar.gz: dial tcp 127.0.0.1:1: connect: connection refused. Check the address in the ADD instruction, then run the job again.',
    ],
    [
      'base-missing',
      'base-image-missing',
      'Dockerfile',
      2,
      2,
      "Image docker.io/example/does-not-exist:9 cannot be had: not found. Correct the image's name, tag or platform, or log in to its registry.",
    ],
    [
      'classic-base-missing',
      'base-image-missing',
      'Dockerfile',
      2,
      2,
      "Image docker.io/example/does-not-exist:9 cannot be had: not found. Correct the image's name, tag or platform, or log in to its registry.",
    ],
    [
      'private-base',
      'base-image-missing',
      'Dockerfile',
      1,
      1,
      "Image 127.0.0.1:5001/private/base:1 cannot be had: unexpected status from HEAD request to http://127.0.0.1:5001/v2/private/base/manifests/1: 401 Unauthorized.\nCorrect the image's name, tag or platform, or log in to its registry.",
    ],
    [
      'base-registry-dead',
      'registry-unreachable',
      'unreach.Dockerfile',
      1,
      1,
      'The registry of a base image does not answer: failed to do request: Head "https://127.0.0.1:1/v2/a/b/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused.\nCheck the registry\'s address and that this machine can reach it, then run the job again.',
    ],
    [
      'stage-missing',
      'stage-missing',
      undefined,
      undefined,
      undefined,
      'Stage "nope" does not exist. Name a stage that a FROM … AS line defines.',
    ],
    [
      'copy-from-missing',
      'stage-missing',
      'Dockerfile',
      2,
      2,
      '"nostage" is neither a stage nor an image. Name a stage that a FROM … AS line above it defines, or an image that can be pulled.',
    ],
    [
      'bake-missing',
      'stage-missing',
      undefined,
      undefined,
      undefined,
      'Stage "nope" does not exist. Name a stage that a FROM … AS line defines.',
    ],
    [
      'classic-push-denied',
      'push-denied',
      undefined,
      undefined,
      undefined,
      'The registry refused the push: no basic auth credentials. Log in to the registry first; on ghcr.io give the job "packages: write".',
    ],
    [
      'classic-push-dead',
      'registry-unreachable',
      undefined,
      undefined,
      undefined,
      'The registry to push to does not answer: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused.\nCheck the registry\'s address and that this machine can reach it, then run the job again.',
    ],
    [
      'cache-gha-dead',
      'cache-export',
      undefined,
      undefined,
      undefined,
      'The cache could not be written: failed to configure gha cache exporter: token is malformed: token contains an invalid number of segments.\nAdd "ignore-error=true" to cache-to so that the image counts, or correct the cache\'s address and rights.',
    ],
    [
      'classic-cache',
      'cache-export',
      undefined,
      undefined,
      undefined,
      'The cache could not be written: Cache export is not supported for the docker driver. Add "ignore-error=true" to cache-to so that the image counts, or correct the cache\'s address and rights.',
    ],
    [
      'classic-platforms',
      'argument',
      undefined,
      undefined,
      undefined,
      'Multi-platform build is not supported for the docker driver. Use a docker-container builder (docker/setup-buildx-action) or an engine with the containerd image store.',
    ],
    [
      'bad-tag',
      'argument',
      undefined,
      undefined,
      undefined,
      'invalid tag "UPPER:x y": invalid reference format. Correct the input that gives this value.',
    ],
    [
      'bad-flag',
      'argument',
      undefined,
      undefined,
      undefined,
      'unknown flag: --nope. Correct the input that gives this value.',
    ],
    [
      'bad-build-arg',
      'argument',
      undefined,
      undefined,
      undefined,
      'invalid argument "nofile" for "--ulimit" flag: invalid ulimit argument: nofile. Correct the input that gives this value.',
    ],
    [
      'bad-cache',
      'argument',
      undefined,
      undefined,
      undefined,
      'unknown cache exporter: "nope". Use type=registry, gha, local, inline, s3 or azblob in cache-to.',
    ],
    [
      'env-bad',
      'argument',
      undefined,
      undefined,
      undefined,
      'invalid BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool: parsing "": invalid syntax. Correct the input that gives this value.',
    ],
    [
      'no-builder',
      'argument',
      undefined,
      undefined,
      undefined,
      'Builder "nope" does not exist. Make it with docker/setup-buildx-action, or leave the input "builder" empty.',
    ],
    [
      'engine-dead',
      'engine-unreachable',
      undefined,
      undefined,
      undefined,
      'The Docker engine does not answer at unix:///nowhere/docker.sock. Start the Docker engine, or set DOCKER_HOST to one that runs.',
    ],
    [
      'remote-dead',
      'engine-unreachable',
      undefined,
      undefined,
      undefined,
      'The connection to BuildKit was lost: context deadline exceeded. Check that the builder runs with "docker buildx inspect --bootstrap" and read the engine\'s log.',
    ],
    [
      'no-buildx-bake',
      'engine-unreachable',
      undefined,
      undefined,
      undefined,
      'This Docker has no buildx. Install the docker-buildx plugin, with docker/setup-buildx-action or from the distribution.',
    ],
  ])('%s is %s at %s:%s-%s', (name, reason, file, line, endLine, message) => {
    const failure = describeRecorded(name);
    expect(failure).toMatchObject({ kind: 'failed', reason, message });
    expect(failure.kind === 'failed' && [failure.file, failure.line, failure.endLine]).toEqual([
      file,
      line,
      endLine,
    ]);
  });

  // Their messages hold digests that differ from engine to engine.
  it.each([
    [
      'push-denied',
      'push-denied',
      /^The registry refused the push: 127\.0\.0\.1:5001\/private\/x:1: .*401 Unauthorized\.\nLog in/,
    ],
    [
      'push-unreachable',
      'registry-unreachable',
      /^The registry to push to does not answer: .*connection refused\.\nCheck/,
    ],
    [
      'cache-export-dead',
      'cache-export',
      /^The cache could not be written: .*connection refused\.\nAdd "ignore-error=true"/,
    ],
    [
      'cache-registry-denied',
      'cache-export',
      /^The cache could not be written: .*401 Unauthorized\.\nAdd "ignore-error=true"/,
    ],
    [
      'git-missing',
      'registry-unreachable',
      /^Git repository https:\/\/127\.0\.0\.1:1\/nothing\.git cannot be read: /,
    ],
  ])('%s is %s', (name, reason, message) => {
    expect(describeRecorded(name)).toMatchObject({
      kind: 'failed',
      reason,
      message: expect.stringMatching(message),
    });
  });

  it('keeps the failed step and the last output of its command', () => {
    const failure = describeRecorded('failing-run');
    expect(failure).toMatchObject({ step: { keyword: 'RUN', index: 5, total: 6 } });
    expect(failure.kind === 'failed' && failure.outputTail).toContain('test 4 FAILED: expected 1, got 2');
  });

  it('knows a cancellation that came from elsewhere', () => {
    expect(describeRecorded('canceled')).toEqual({ kind: 'canceled' });
  });

  it('tells the findings of the checks from a failure', () => {
    expect(describeRecorded('check', ['build', '--call=check', '.'])).toMatchObject({
      reason: 'checks-failed',
    });
    expect(describeRecorded('lint', ['build', '--call', 'lint,format=json', '.'])).toMatchObject({
      reason: 'checks-failed',
    });
    expect(describeText('')).toMatchObject({
      reason: 'unknown',
      message: 'docker buildx ended with exit code 1 and gave no reason. Read the log of the Docker engine.',
    });
  });

  // Messages of systems that no test has: ghcr.io, Docker Hub, ECR, old buildx, a full disk.
  it.each([
    [
      'ERROR: failed to solve: failed to push ghcr.io/o/r:1: unexpected status from POST request to https://ghcr.io/v2/o/r/blobs/uploads/: 403 Forbidden',
      'push-denied',
    ],
    [
      'ERROR: failed to build: failed to solve: failed to push ghcr.io/o/r:1: denied: permission_denied: write_package',
      'push-denied',
    ],
    [
      'ERROR: failed to solve: failed to push o/r:1: push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
      'push-denied',
    ],
    [
      'ERROR: failed to solve: node:99: failed to resolve source metadata for docker.io/library/node:99: pull access denied, repository does not exist or may require authorization',
      'base-image-missing',
    ],
    [
      'ERROR: failed to solve: busybox: failed to resolve source metadata for docker.io/library/busybox:latest: no match for platform in manifest: not found',
      'base-image-missing',
    ],
    [
      'ERROR: failed to solve: failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://x": dial tcp: lookup x: no such host',
      'registry-unreachable',
    ],
    [
      'ERROR: failed to solve: node:22: failed to resolve source metadata for docker.io/library/node:22: unexpected status from HEAD request to https://registry-1.docker.io/v2/: 503 Service Unavailable',
      'registry-unreachable',
    ],
    [
      'ERROR: failed to solve: failed to copy files: copy file range failed: no space left on device',
      'disk-full',
    ],
    ["docker: 'buildx' is not a docker command.\nSee 'docker --help'", 'engine-unreachable'],
    [
      "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information",
      'engine-unreachable',
    ],
    [
      'ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://x": dial unix /var/run/docker.sock: connect: permission denied',
      'engine-unreachable',
    ],
    [
      'ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF',
      'engine-unreachable',
    ],
    ['ERROR: invalid progress mode rawjson', 'engine-unreachable'],
    ['ERROR: something that nobody has seen yet', 'unknown'],
  ])('%s', (text, reason) => {
    expect(describeText(text)).toMatchObject({ kind: 'failed', reason });
  });

  it('names the cause in one line of at most 200 characters, however long, and the advice below it', () => {
    const failure = describeText(
      `ERROR: failed to solve: failed to push r:1: ${'long '.repeat(500)}\nsecond line: denied: requested access to the resource is denied`,
    );
    expect(failure.kind === 'failed' && failure.message.slice(0, 200)).toMatch(
      /^The registry refused the push: r:1: long .* … .*requested access to the resource is denied\.\n/,
    );
    expect(failure.kind === 'failed' && failure.message.split('\n').slice(1)).toEqual([
      'Log in to the registry first; on ghcr.io give the job "packages: write".',
    ]);
  });

  it('does not blame a cache that was missing for what failed later', () => {
    const vertex = (name: string, error: string): string =>
      JSON.stringify({
        vertexes: [
          { digest: name, name, started: '2026-01-01T00:00:00Z', completed: '2026-01-01T00:00:01Z', error },
        ],
      });
    const failure = describeText(
      `${vertex('importing cache manifest from r', 'not found')}\n${vertex('exporting cache to registry', '401 Unauthorized')}\nERROR: failed to solve: no space left on device`,
    );
    expect(failure).toMatchObject({ reason: 'disk-full' });
    expect(failure).not.toHaveProperty('step');
  });
});

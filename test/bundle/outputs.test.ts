import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { docker } from '../harness/engine.ts';
import { createWorkspace, freshLine, freshTag, readRecord, runBuildStep } from './build-step.ts';
import { readPushedDigest, readPushedPlatforms, sizeOf } from './pushed-manifest.ts';

const validateRecord = new Ajv2020({ allErrors: true }).compile(
  JSON.parse(
    await readFile(path.join(import.meta.dirname, '../../schemas/build-record.v1.json'), 'utf8'),
  ) as object,
);

function expectValid(record: unknown): void {
  validateRecord(record);
  expect(validateRecord.errors).toBeNull();
}

describe('a build that is pushed', () => {
  it('gives what the registry, the engine and buildx say of it, and the record has all of it', async () => {
    const tag = freshTag();
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox AS deps\n${freshLine()}\n\nFROM deps\nWORKDIR /srv\nCOPY big.bin /srv/\nRUN echo done >/srv/state\nCMD ["true"]\n`,
      'big.bin': crypto.getRandomValues(new Uint8Array(50_000)),
    });
    await using run = await runBuildStep({ workspace, inputs: { push: 'true', tags: tag } });

    expect(run.annotations).toEqual([]);
    expect(run).toMatchObject({ conclusion: 'success', exitCode: 0, processesLeft: [] });
    const [platform] = await readPushedPlatforms(tag);
    const inspected = await docker(['image', 'inspect', '--format', '{{.Id}}', tag]);
    const record = await readRecord(run);
    expect(run.outputs).toEqual({
      digest: await readPushedDigest(tag),
      imageid: inspected.stdout.trim(),
      metadata: expect.any(String),
      record: path.join(run.folders.temp, 'sophia/build-1.json'),
      'duration-ms': String(record.durationMs),
      'image-size': String(platform && sizeOf(platform.manifest)),
      'cache-hit-ratio': '0',
    });

    const plain = path.join(workspace.path, 'plain.json');
    await docker(['buildx', 'build', '--metadata-file', plain, '--push', '--tag', tag, workspace.path]);
    const metadata = JSON.parse(run.outputs['metadata'] ?? '');
    expect(Object.keys(metadata).toSorted()).toEqual(
      Object.keys(JSON.parse(await readFile(plain, 'utf8'))).toSorted(),
    );
    expect(metadata).toMatchObject({ 'containerimage.digest': run.outputs['digest'], 'image.name': tag });

    expectValid(record);
    expect(record).toMatchObject({
      status: 'succeeded',
      commit: '0123456789abcdef0123456789abcdef01234567',
      ref: 'refs/heads/main',
      inputs: { context: '.', tags: [tag], isPushed: true, isLoaded: false },
      cache: { stepsReached: 4, stepsCached: 0, hitRatio: 0 },
    });
    expect(record.image?.platforms.map((one) => [one.platform, one.digest, one.compressedBytes])).toEqual([
      [platform?.platform, platform?.digest, platform && sizeOf(platform.manifest)],
    ]);
    const layers = record.image?.platforms[0]?.layers ?? [];
    expect(layers.map(({ digest, compressedBytes: size }) => ({ digest, size }))).toMatchObject(
      platform?.manifest.layers ?? [],
    );
    // By hand: the lines of the Dockerfile above; the base image's own layers have none.
    expect(layers.slice(-4).map(({ line, instruction }) => [line, instruction?.split(' ')[0]])).toEqual([
      [2, 'RUN'],
      [5, 'WORKDIR'],
      [6, 'COPY'],
      [7, 'RUN'],
    ]);
    expect(layers.slice(0, -4).every(({ line }) => line === undefined)).toBe(true);

    // The same again: nothing is built, and the second record of the job stands beside the first.
    await using again = await runBuildStep({ workspace, inputs: { push: 'true', tags: tag } });
    expect(again.outputs).toMatchObject({
      'cache-hit-ratio': '1',
      digest: await readPushedDigest(tag),
      'image-size': run.outputs['image-size'],
    });
    expect((await readRecord(again)).cache).toEqual({ stepsReached: 4, stepsCached: 4, hitRatio: 1 });
  });

  it('for two platforms gives both, with sizes and layers of each', async () => {
    const tag = freshTag();
    await using workspace = await createWorkspace({
      Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\nCOPY a.txt /\n',
      'app-amd64': crypto.getRandomValues(new Uint8Array(10_000)),
      'app-arm64': crypto.getRandomValues(new Uint8Array(20_000)),
      'a.txt': 'a',
    });
    await using run = await runBuildStep({
      workspace,
      inputs: { push: 'true', tags: tag, platforms: 'linux/amd64,linux/arm64' },
    });

    expect(run.annotations).toEqual([]);
    const pushed = await readPushedPlatforms(tag);
    expect(pushed.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    const record = await readRecord(run);
    expectValid(record);
    expect(record.image?.platforms).toEqual(
      pushed.map(({ platform, digest, manifest }) => ({
        platform,
        digest,
        compressedBytes: sizeOf(manifest),
        ...(platform === 'linux/amd64' ? { uncompressedBytes: expect.any(Number) } : {}),
        layers: (manifest.layers ?? []).map((layer, index) => ({
          digest: layer.digest,
          compressedBytes: layer.size,
          instruction: expect.stringMatching(/^COPY /),
          line: index + 3,
          ...(platform === 'linux/amd64' ? { uncompressedBytes: expect.any(Number) } : {}),
        })),
      })),
    );
    expect(run.outputs).toMatchObject({
      digest: await readPushedDigest(tag),
      'image-size': String(pushed[0] && sizeOf(pushed[0].manifest)),
      'cache-hit-ratio': '0',
    });
    expect(run.summary).toContain('| `linux/arm64` |');
  });
});

describe('a build that is not pushed', () => {
  const dockerfile = 'FROM scratch\nCOPY a.txt /\n';

  it('but loaded has the engine’s image ID, and its size where the engine knows it', async () => {
    const tag = `bundle-test:${crypto.randomUUID().slice(0, 8)}`;
    await using workspace = await createWorkspace({ Dockerfile: dockerfile, 'a.txt': crypto.randomUUID() });
    await using run = await runBuildStep({ workspace, inputs: { load: 'true', tags: tag } });

    const inspected = await docker(['image', 'inspect', '--format', '{{.Id}}', tag]);
    await docker(['image', 'rm', tag]);
    expect(run.annotations).toEqual([]);
    expect(run.outputs).toMatchObject({ imageid: inspected.stdout.trim(), 'cache-hit-ratio': '0' });
    const record = await readRecord(run);
    expectValid(record);
    expect(record.inputs).toMatchObject({ isLoaded: true, isPushed: false });
    expect(record.image?.platforms[0]?.layers).toMatchObject([{ instruction: 'COPY a.txt /', line: 2 }]);
  });

  it('and has no name is in the record by its digest alone', async () => {
    await using workspace = await createWorkspace({ Dockerfile: dockerfile, 'a.txt': crypto.randomUUID() });
    await using run = await runBuildStep({ workspace });

    expect(run.annotations).toEqual([]);
    const record = await readRecord(run);
    expectValid(record);
    expect(record.image).toMatchObject({ imageId: run.outputs['imageid'], references: [] });
    expect(record.image?.platforms[0]?.layers).toMatchObject([{ line: 2 }]);
  });

  it('but written to a folder has no image, and the files are there', async () => {
    await using workspace = await createWorkspace({ Dockerfile: dockerfile, 'a.txt': 'exported' });
    await using run = await runBuildStep({ workspace, inputs: { outputs: 'type=local,dest=out' } });

    expect(run.annotations).toEqual([]);
    expect(await readFile(path.join(workspace.path, 'out/a.txt'), 'utf8')).toBe('exported');
    expect(Object.keys(run.outputs).toSorted()).toEqual([
      'cache-hit-ratio',
      'duration-ms',
      'metadata',
      'record',
    ]);
    const record = await readRecord(run);
    expectValid(record);
    expect(record).not.toHaveProperty('image');
    expect(record.inputs.outputs).toEqual(['local']);
  });
});

describe('a call in place of a build', () => {
  const dockerfile =
    'ARG VERSION=1\nFROM scratch AS base\nCOPY a.txt /\n\nFROM base AS api\nARG PORT=80\nCOPY a.txt /b\n';

  it.each([
    ['check', 'Check complete, no warnings found.'],
    ['outline', 'PORT'],
    ['targets', 'base'],
  ])('%s shows what it finds and builds nothing', async (call, said) => {
    await using workspace = await createWorkspace({ Dockerfile: dockerfile, 'a.txt': 'a' });
    await using run = await runBuildStep({ workspace, inputs: { call } });

    expect(run.annotations).toEqual([]);
    expect(run.conclusion).toBe('success');
    expect(run.log).toContain(said);
    expect(Object.keys(run.outputs).toSorted()).toEqual(['duration-ms', 'metadata']);
  });

  it('check that finds something is one error, and the log says what', async () => {
    await using workspace = await createWorkspace({ Dockerfile: 'FROM scratch as base\nCOPY a.txt /\n' });
    await using run = await runBuildStep({ workspace, inputs: { call: 'check' } });

    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: 'The Dockerfile checks found problems. Correct what the list in the log names.',
      },
    ]);
    expect(run.log).toContain('WARNING: FromAsCasing');
    expect(run.conclusion).toBe('failure');
  });
});

describe('a warning of BuildKit', () => {
  it('is an annotation at its line, and in record and summary', async () => {
    await using workspace = await createWorkspace({
      'docker/api.Dockerfile': 'FROM scratch as base\nMAINTAINER octo\nCOPY a.txt /\n',
      'a.txt': 'a',
    });
    await using run = await runBuildStep({ workspace, inputs: { file: 'docker/api.Dockerfile' } });

    // As docs.docker.com/reference/build-checks words them.
    const found = [
      {
        message: "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
        line: 1,
        url: 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/',
      },
      {
        message:
          'MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)',
        line: 2,
        url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
      },
    ];
    const file = 'docker/api.Dockerfile';
    expect(run.annotations).toEqual(
      found.map(({ message, line, url }) => ({
        level: 'warning',
        message: `${message}\n${url}`,
        file,
        line,
      })),
    );
    expect((await readRecord(run)).warnings).toEqual(found.map((warning) => ({ ...warning, file })));
    expect(run.summary).toContain('`docker/api.Dockerfile:2`');
    expect(run.conclusion).toBe('success');
  });
});

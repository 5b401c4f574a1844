import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBuildMetadata } from './build-metadata.ts';

const read = (name: string): string =>
  readFileSync(new URL(`./fixtures/${name}.meta.json`, import.meta.url), 'utf8');

describe('parseBuildMetadata', () => {
  it("reads what an engine with containerd's store wrote: an index, and no config", () => {
    const text = read('success');
    const digest = /"containerimage.digest": "(sha256:[0-9a-f]{64})"/.exec(text)?.[1];
    expect(parseBuildMetadata(text)).toEqual({
      digest,
      descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest, sizeBytes: 855 },
      imageNames: ['docker.io/example/success:1'],
      buildRef: expect.stringMatching(/^default\/default\/[a-z0-9]{25}$/),
      targets: {},
      warnings: [],
      text,
    });
  });

  it('reads what an engine with the classic store wrote: a config, and no descriptor', () => {
    const metadata = parseBuildMetadata(read('classic-push'));
    expect(metadata?.configDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(metadata?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(metadata?.descriptor).toBeUndefined();
  });

  it('reads the targets of a bake', () => {
    const metadata = parseBuildMetadata(read('bake'));
    expect(
      Object.entries(metadata?.targets ?? {}).map(([name, { imageNames }]) => [name, imageNames]),
    ).toEqual([
      ['api', ['docker.io/example/api:1']],
      ['worker', ['docker.io/example/worker:1']],
    ]);
    expect(metadata?.digest).toBeUndefined();
  });

  it('reads the warnings', () => {
    expect(parseBuildMetadata(read('warnings'))?.warnings.map(({ line }) => line)).toEqual([1, 2, 6]);
  });

  it.each(['', '{', 'null', '[]', '"x"', '7'])('finds nothing in %j', (text) => {
    expect(parseBuildMetadata(text)).toBeUndefined();
  });

  it('leaves out values that are none', () => {
    const text = JSON.stringify({
      'containerimage.digest': null,
      'containerimage.config.digest': 'sha256:short',
      'containerimage.descriptor': { mediaType: 5 },
      'image.name': 7,
      'buildx.build.ref': [],
      'buildx.build.warnings': 'x',
      api: null,
    });
    expect(parseBuildMetadata(text)).toEqual({ imageNames: [], targets: {}, warnings: [], text });
  });

  it('finds no name where the engine made one up', () => {
    const text = `{"image.name":"moby-dangling@sha256:${'0'.repeat(64)}"}`;
    expect(parseBuildMetadata(text)?.imageNames).toEqual([]);
  });

  it('takes several names apart', () => {
    expect(parseBuildMetadata('{"image.name":"a:1, b:2"}')?.imageNames).toEqual(['a:1', 'b:2']);
  });
});

import { describe, expect, it } from 'vitest';
import { findEngineSocket } from './engine-socket.ts';
import { readLocalImage } from './local-image.ts';

// What Docker 28.5 answered with its classic store, trimmed; the CLI prints sizes as text.
const classic = {
  inspect: {
    Id: 'sha256:0fb91ed6f04abc315a3b8d52b4a4e1ef4d625e70f9420561ad016ffb417e7b88',
    Architecture: 'arm',
    Variant: 'v7',
    Os: 'linux',
    Size: 28_982_386,
  },
  history: [
    { CreatedBy: 'CMD ["cat" "/out.txt"]', Size: '0' },
    { CreatedBy: 'COPY /blob /blob # buildkit', Size: '3000000' },
    { CreatedBy: 'COPY /out.txt /out.txt # buildkit', Size: '4' },
    { CreatedBy: '', Size: '25982382' },
  ],
};
const manifest = (architecture: string, content: number, unpacked: number) => ({
  ID: `sha256:${architecture}`,
  Kind: 'image',
  Size: { Content: content, Total: content + unpacked },
  ImageData: { Platform: { architecture, os: 'linux' }, Size: { Unpacked: unpacked } },
});
// What it answered with containerd's store, trimmed.
const containerd = {
  Id: 'sha256:07f32fdc',
  Architecture: 'amd64',
  Os: 'linux',
  Size: 2626,
  Manifests: [
    manifest('amd64', 1019, 8192),
    manifest('arm64', 1022, 0),
    { ID: 'sha256:att', Kind: 'attestation', Size: { Content: 1743 } },
  ],
};

describe('readLocalImage', () => {
  it('reads an image of the classic store: no compressed sizes', async () => {
    const source = { inspect: async () => classic.inspect, history: async () => classic.history };
    expect(await readLocalImage(source, 'r')).toEqual({
      id: classic.inspect.Id,
      platforms: [
        {
          platform: 'linux/arm/v7',
          uncompressedBytes: 28_982_386,
          layers: [
            { instruction: '', bytes: 25_982_382 },
            { instruction: 'COPY /out.txt /out.txt # buildkit', bytes: 4 },
            { instruction: 'COPY /blob /blob # buildkit', bytes: 3_000_000 },
          ],
        },
      ],
    });
  });

  it("reads each platform of containerd's store, and no size of one that is not unpacked", async () => {
    const source = {
      inspect: async () => containerd,
      history: async (_: string, platform: { architecture: string } | undefined) => [
        { CreatedBy: `COPY for ${platform?.architecture ?? 'own'}`, Size: 7 },
      ],
    };
    expect(await readLocalImage(source, 'r')).toEqual({
      id: 'sha256:07f32fdc',
      platforms: [
        {
          platform: 'linux/amd64',
          digest: 'sha256:amd64',
          compressedBytes: 1019,
          uncompressedBytes: 8192,
          layers: [{ instruction: 'COPY for own', bytes: 7 }],
        },
        {
          platform: 'linux/arm64',
          digest: 'sha256:arm64',
          compressedBytes: 1022,
          layers: [{ instruction: 'COPY for arm64', bytes: 7 }],
        },
      ],
    });
  });

  it.each([undefined, null, {}, [], 'x'])('finds no image in %j', async (answer) => {
    expect(
      await readLocalImage({ inspect: async () => answer, history: async () => answer }, 'r'),
    ).toBeUndefined();
  });
});

describe('findEngineSocket', () => {
  it.each([
    [{}, '/var/run/docker.sock'],
    [{ DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }, '/run/user/1000/docker.sock'],
    [{ DOCKER_HOST: 'tcp://10.0.0.1:2375' }, undefined],
    [{ DOCKER_HOST: 'ssh://host' }, undefined],
    [{ DOCKER_CONTEXT: 'rootless' }, undefined],
  ])('%j ▶ %s', (env: Record<string, string>, expected) => {
    expect(findEngineSocket(env)).toBe(expected);
  });
});

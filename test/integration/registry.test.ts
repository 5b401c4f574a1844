import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  computeDigest,
  createRegistry,
  type Digest,
  parseReference,
  type Reference,
  type Registry,
  withDigest,
  withTag,
} from '@sophia/registry';
import { beforeAll, describe, expect, it } from 'vitest';
import { docker, engine } from '../harness/engine.ts';
import { compileReferrersRegistry, startReferrersRegistry } from '../harness/referrers-registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const RECORD = 'application/vnd.example.record.v1+json';
const NO_LOGIN = { DOCKER_CONFIG: '/nonexistent' };

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

let names = 0;
/** A repository that no other test has. */
function createRepository(host: string): Reference {
  names += 1;
  return parseReference(`${host}/registry-test/r${process.pid}-${Date.now()}-${names}`);
}

interface PushedImage {
  readonly tagged: Reference;
  readonly digest: Digest;
  readonly index: Digest;
  readonly sizeBytes: number;
}

/** Pushes an image made of bytes, and an index of it under the tag `1`. */
async function pushTinyImage(registry: Registry, repository: Reference): Promise<PushedImage> {
  const layer = new Uint8Array(gzipSync(Buffer.alloc(1024)));
  const config = encode({
    architecture: 'arm64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [computeDigest(Buffer.alloc(1024))] },
    history: [{ created_by: 'ENV A=1', empty_layer: true }, { created_by: 'COPY nothing / # buildkit' }],
  });
  await Promise.all([registry.putBlob(repository, layer), registry.putBlob(repository, config)]);
  const manifest = encode({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: computeDigest(config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: computeDigest(layer),
        size: layer.length,
      },
    ],
  });
  const digest = computeDigest(manifest);
  await registry.putManifest(withDigest(repository, digest), {
    bytes: manifest,
    mediaType: MANIFEST,
    digest,
  });
  const platform = { os: 'linux', architecture: 'arm64' };
  const bytes = encode({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [{ mediaType: MANIFEST, digest, size: manifest.length, platform }],
  });
  const tagged = withTag(repository, '1');
  const index = computeDigest(bytes);
  await registry.putManifest(tagged, { bytes, mediaType: INDEX, digest: index });
  return { tagged, digest, index, sizeBytes: config.length + layer.length };
}

/** What another client reads: status, digest by its own reckoning, JSON. */
async function readRaw(
  reference: Reference,
  identifier: string,
): Promise<{ status: number; digest: Digest; json: unknown }> {
  const answer = await fetch(`http://${reference.host}/v2/${reference.repository}/manifests/${identifier}`, {
    headers: { accept: `${INDEX}, ${MANIFEST}` },
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return {
    status: answer.status,
    digest: computeDigest(bytes),
    json: answer.ok ? JSON.parse(new TextDecoder().decode(bytes)) : undefined,
  };
}

describe("Debian's docker-registry", () => {
  const registry = createRegistry({ env: NO_LOGIN });

  it('holds what was pushed, as buildx sees it too', async () => {
    const image = await pushTinyImage(registry, createRepository(engine().registry));
    const name = `${image.tagged.host}/${image.tagged.repository}`;
    const inspected = await docker([
      'buildx',
      'imagetools',
      'inspect',
      '--format',
      '{{json .Manifest}}',
      `${name}:1`,
    ]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      digest: image.index,
      manifests: [{ digest: image.digest }],
    });
    expect(await registry.resolveDigest(image.tagged)).toBe(image.index);
    expect(await registry.readImage(image.tagged)).toMatchObject({
      digest: image.index,
      platforms: [
        {
          platform: 'linux/arm64',
          digest: image.digest,
          compressedBytes: image.sizeBytes,
          layers: [{ instruction: 'COPY nothing /' }],
        },
      ],
    });
  });

  it('tells sizes and instructions of what BuildKit pushed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-test-'));
    const reference = withTag(createRepository(engine().registry), 'built');
    const name = `${reference.host}/${reference.repository}:built`;
    try {
      await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nENV A=1\nCOPY a /a\nLABEL b=c\nCOPY b /b\n');
      await writeFile(join(folder, 'a'), 'a'.repeat(5000));
      await writeFile(join(folder, 'b'), 'b'.repeat(5000));
      await docker(['buildx', 'build', '--push', '--tag', name, folder]);
    } finally {
      await rm(folder, { recursive: true });
    }
    const image = await registry.readImage(reference);
    expect(image.platforms).toHaveLength(1);
    const [built] = image.platforms;
    expect(built?.layers.map(({ instruction }) => instruction)).toEqual(['COPY a /a', 'COPY b /b']);
    expect([built?.platform, built?.labels]).toEqual(['linux/amd64', { b: 'c' }]);
    const raw = (await readRaw(reference, built?.digest ?? '')).json as {
      config: { size: number };
      layers: { size: number }[];
    };
    expect(built?.compressedBytes).toBe(
      raw.config.size + raw.layers.reduce((sum, { size }) => sum + size, 0),
    );
  });

  it('retags within a repository: same digest, nothing to do the second time', async () => {
    const { tagged, index } = await pushTinyImage(registry, createRepository(engine().registry));
    const target = withTag(tagged, '2');
    expect(await registry.retag(tagged, target)).toEqual({ kind: 'tagged', digest: index });
    expect(await registry.retag(tagged, target)).toEqual({ kind: 'unchanged', digest: index });
    expect(await readRaw(target, '2')).toMatchObject({ status: 200, digest: index });
  });

  it('retags into another repository, where the image can then be read whole', async () => {
    const { tagged, index } = await pushTinyImage(registry, createRepository(engine().registry));
    const target = withTag(createRepository(engine().registry), 'copy');
    expect(await registry.retag(tagged, target)).toEqual({ kind: 'tagged', digest: index });
    expect(await readRaw(target, 'copy')).toMatchObject({ status: 200, digest: index });
    expect(await registry.readImage(target)).toEqual(await registry.readImage(tagged));
  });

  it('lists artifacts under the fall-back tag, each once', async () => {
    const { tagged, digest, index } = await pushTinyImage(registry, createRepository(engine().registry));
    const push = async (text: string) =>
      registry.pushArtifact(tagged, {
        artifactType: RECORD,
        blob: { mediaType: 'application/json', bytes: encode(text) },
        annotations: { text },
        subject: tagged,
      });
    const first = await push('a');
    expect(await push('a')).toEqual(first);
    const second = await push('b');
    expect([first.listedBy, second.listedBy]).toEqual(['tag', 'tag']);
    const listed = await registry.listReferrers(tagged, index, RECORD);
    expect(listed.map((entry) => [entry.digest, entry.annotations])).toEqual([
      [first.digest, { text: 'a' }],
      [second.digest, { text: 'b' }],
    ]);
    expect((await readRaw(tagged, index.replace(':', '-'))).json).toMatchObject({
      mediaType: INDEX,
      manifests: listed,
    });
    expect(await registry.listReferrers(tagged, digest)).toEqual([]);
  });

  it('gives an artifact back by its tag', async () => {
    const repository = createRepository(engine().registry);
    const bytes = encode({ fingerprint: 'abc' });
    await registry.pushArtifact(repository, {
      artifactType: RECORD,
      blob: { mediaType: 'application/json', bytes },
      tag: 'fp-abc',
    });
    const manifest = await registry.readManifest(withTag(repository, 'fp-abc'));
    expect(manifest).toMatchObject({ kind: 'image', content: { artifactType: RECORD } });
    const blob = manifest.kind === 'image' ? manifest.content.layers[0]?.digest : undefined;
    expect(blob).toBe(computeDigest(bytes));
    expect(await registry.readBlob(repository, computeDigest(bytes), 1000)).toEqual(bytes);
    await expect(registry.readBlob(repository, computeDigest(bytes), 10)).rejects.toThrow(
      'with more than 10 bytes',
    );
  });

  it('finds nothing where nothing is', async () => {
    const nowhere = withTag(createRepository(engine().registry), '1');
    expect([await registry.resolveDigest(nowhere), await registry.findManifest(nowhere)]).toEqual([
      undefined,
      undefined,
    ]);
    await expect(registry.readImage(nowhere)).rejects.toThrow(
      `${nowhere.host} answered 404 MANIFEST_UNKNOWN to GET manifest ${nowhere.repository}:1: manifest unknown. Check the name, and that the login may see it.`,
    );
  });

  it('deletes by digest, not by tag', async () => {
    const { tagged, index } = await pushTinyImage(registry, createRepository(engine().registry));
    await expect(registry.deleteManifest(tagged)).rejects.toThrow(
      `${tagged.host} answered 400 to DELETE manifest ${tagged.repository}:1: it can't delete a tag alone. Name the digest.`,
    );
    expect(await registry.deleteManifest(withDigest(tagged, index))).toBe(true);
    expect(await registry.resolveDigest(tagged)).toBeUndefined();
  });
});

describe('a registry with a list of referrers', () => {
  beforeAll(compileReferrersRegistry, 900_000);

  it('lists artifacts itself, so no fall-back tag is written', async () => {
    await using server = await startReferrersRegistry();
    const registry = createRegistry({ env: NO_LOGIN });
    const { tagged, index } = await pushTinyImage(registry, createRepository(server.host));
    const push = async (artifactType: string) =>
      registry.pushArtifact(tagged, {
        artifactType,
        blob: { mediaType: 'application/json', bytes: encode({}) },
        subject: tagged,
      });
    const pushed = [await push(RECORD), await push('application/vnd.example.other.v1+json')];
    expect(pushed.map(({ listedBy }) => listedBy)).toEqual(['api', 'api']);
    const digests = (list: readonly { readonly digest: string }[]): readonly string[] =>
      list.map(({ digest }) => digest).sort();
    expect(digests(await registry.listReferrers(tagged, index))).toEqual(digests(pushed));
    expect(digests(await registry.listReferrers(tagged, index, RECORD))).toEqual(digests(pushed.slice(0, 1)));
    expect((await readRaw(tagged, index.replace(':', '-'))).status).toBe(404);
  });

  it('retags, deletes one tag and leaves the other', async () => {
    await using server = await startReferrersRegistry();
    const registry = createRegistry({ env: NO_LOGIN });
    const { tagged, index } = await pushTinyImage(registry, createRepository(server.host));
    const other = withTag(tagged, '2');
    expect(await registry.retag(tagged, other)).toEqual({ kind: 'tagged', digest: index });
    expect(await registry.deleteManifest(tagged)).toBe(true);
    expect([await registry.resolveDigest(tagged), await registry.resolveDigest(other)]).toEqual([
      undefined,
      index,
    ]);
  });
});

describe('a registry that wants a password', () => {
  it('gets it from a credential helper of the Docker config', async () => {
    await using server = await startPrivateRegistry();
    const folder = await mkdtemp(join(tmpdir(), 'registry-login-'));
    try {
      const helper = join(folder, 'docker-credential-test');
      await writeFile(helper, `#!/bin/sh\ncat >/dev/null\necho '{"Username":"ann","Secret":"s3cret-pw"}'\n`);
      await chmod(helper, 0o755);
      await writeFile(
        join(folder, 'config.json'),
        JSON.stringify({ credHelpers: { [server.host]: 'test' } }),
      );
      const login = { DOCKER_CONFIG: folder, PATH: `${folder}:/usr/bin:/bin` };
      const repository = createRepository(server.host);
      const { tagged, index } = await pushTinyImage(createRegistry({ env: login }), repository);
      await expect(createRegistry({ env: NO_LOGIN }).resolveDigest(tagged)).rejects.toThrow(
        `${server.host} answered 401 to HEAD manifest ${tagged.repository}:1. Log in with docker/login-action before this step.`,
      );
      expect(await createRegistry({ env: login }).resolveDigest(tagged)).toBe(index);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** bcrypt of "s3cret-pw", by crypt(3). */
const PASSWORDS = 'ann:$2b$05$abcdefghijklmnopqrstuuzSvhclVSvY9ufOheOOhcPviTPFJlqIC\n';

/** Starts a second docker-registry, which lets in nobody but ann. */
async function startPrivateRegistry(): Promise<AsyncDisposable & { readonly host: string }> {
  const program = process.env['SOPHIA_REGISTRY_PROGRAM'];
  if (program === undefined)
    throw new Error('SOPHIA_REGISTRY_PROGRAM is not set. Run script/engine up again.');
  const folder = await mkdtemp(join(tmpdir(), 'registry-private-'));
  const port = await findFreePort();
  await writeFile(join(folder, 'passwords'), PASSWORDS);
  await writeFile(
    join(folder, 'config.yml'),
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: { htpasswd: { realm: 'test', path: join(folder, 'passwords') } },
    }),
  );
  const child = spawn(program, ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const ended = once(child, 'close');
  await once(child, 'spawn');
  await expect
    .poll(async () => (await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined))?.status, {
      timeout: 10_000,
    })
    .toBe(401);
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

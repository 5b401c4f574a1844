import { describe, expect, it } from 'vitest';
import {
  type LocalAnswer,
  type LocalServer,
  type ReceivedRequest,
  startLocalServer,
} from '../../../test/harness/local-server.ts';
import { computeDigest, type Digest } from './digest.ts';
import { parseReference } from './reference.ts';
import { createRegistry, type Registry } from './registry.ts';

// Media types of the OCI image specification and of Docker's image manifest version 2, schema 2.
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

const ACCEPTED = [
  INDEX,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  MANIFEST,
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

interface Content {
  readonly text: string;
  readonly digest: Digest;
  readonly size: number;
}

function content(value: unknown): Content {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const bytes = new TextEncoder().encode(text);
  return { text, digest: computeDigest(bytes), size: bytes.length };
}

/** As Docker shortens a digest. */
function short({ digest }: Content): string {
  return digest.slice(0, 'sha256:'.length + 12);
}

function describeContent(mediaType: string, { digest, size }: Content): object {
  return { mediaType, digest, size };
}

function createClient(): Registry {
  return createRegistry({ env: { DOCKER_CONFIG: '/nonexistent' }, sleep: async () => undefined });
}

/** Answers GET and HEAD from a table of paths under `/v2/`; all else is 404. */
async function serve(table: Readonly<Record<string, LocalAnswer>>): Promise<LocalServer> {
  return startLocalServer(({ path }) => table[path.replace('/v2/', '')] ?? { status: 404 });
}

function stored({ text }: Content, mediaType = MANIFEST): LocalAnswer {
  return { status: 200, headers: { 'content-type': mediaType }, body: text };
}

const config = content({
  os: 'linux',
  architecture: 'arm64',
  variant: 'v8',
  created: '2026-11-25T12:00:00Z',
  config: { Labels: { 'org.opencontainers.image.revision': 'abc' } },
  history: [
    { created_by: 'COPY a / # buildkit' },
    { created_by: 'ENV A=1', empty_layer: true },
    { created_by: 'RUN /bin/sh -c make # buildkit' },
    { created_by: 'COPY a / # buildkit' },
  ],
});
const layers = [
  { mediaType: LAYER, digest: `sha256:${'1'.repeat(64)}`, size: 1000 },
  { mediaType: LAYER, digest: `sha256:${'2'.repeat(64)}`, size: 200 },
  { mediaType: LAYER, digest: `sha256:${'1'.repeat(64)}`, size: 1000 },
];
const image = content({
  schemaVersion: 2,
  mediaType: MANIFEST,
  config: describeContent(CONFIG, config),
  layers,
});
const attestation = { mediaType: MANIFEST, digest: `sha256:${'3'.repeat(64)}`, size: 7 };
const index = content({
  schemaVersion: 2,
  mediaType: INDEX,
  manifests: [
    { ...describeContent(MANIFEST, image), platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    {
      ...attestation,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': image.digest,
      },
    },
  ],
});

const platform = {
  platform: 'linux/arm64/v8',
  digest: image.digest,
  configDigest: config.digest,
  compressedBytes: config.size + 1200,
  created: '2026-11-25T12:00:00Z',
  labels: { 'org.opencontainers.image.revision': 'abc' },
  layers: [
    { digest: layers[0]?.digest, mediaType: LAYER, compressedBytes: 1000, instruction: 'COPY a /' },
    { digest: layers[1]?.digest, mediaType: LAYER, compressedBytes: 200, instruction: 'RUN make' },
    { digest: layers[2]?.digest, mediaType: LAYER, compressedBytes: 1000, instruction: 'COPY a /' },
  ],
};

describe('resolveDigest', () => {
  it('asks for all four kinds of manifest, once', async () => {
    await using server = await serve({
      'team/app/manifests/1': { status: 200, headers: { 'docker-content-digest': image.digest } },
    });
    expect(await createClient().resolveDigest(parseReference(`${server.host}/team/app:1`))).toBe(
      image.digest,
    );
    expect(server.requests.map(({ method, headers }) => [method, headers.accept])).toEqual([
      ['HEAD', ACCEPTED],
    ]);
  });

  it.each([
    ['without the header', stored(image)],
    [
      'with a header of nonsense',
      { status: 200, headers: { 'docker-content-digest': 'x' }, body: image.text },
    ],
  ] as const)('reads the manifest where HEAD answers %s', async (_, answer) => {
    await using server = await serve({ 'app/manifests/latest': answer });
    expect(await createClient().resolveDigest(parseReference(`${server.host}/app`))).toBe(image.digest);
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
  });

  it('reads the manifest where HEAD is not allowed', async () => {
    await using server = await startLocalServer(({ method }) =>
      method === 'HEAD' ? { status: 405 } : stored(image),
    );
    expect(await createClient().resolveDigest(parseReference(`${server.host}/app`))).toBe(image.digest);
  });

  it('finds nothing where nothing is', async () => {
    await using server = await serve({});
    expect(await createClient().resolveDigest(parseReference(`${server.host}/app`))).toBeUndefined();
  });
});

describe('readManifest', () => {
  async function messageFor(answer: LocalAnswer, identifier = ':1'): Promise<string> {
    await using server = await startLocalServer(() => answer);
    const reference = parseReference(`${server.host}/team/app${identifier}`);
    const error = await createClient()
      .readManifest(reference)
      .catch((reason: unknown) => reason);
    return String(error).replaceAll(server.host, 'HOST');
  }

  it('gives the very bytes', async () => {
    const spaced = content(JSON.stringify(JSON.parse(image.text), null, 3));
    await using server = await serve({ 'app/manifests/1': stored(spaced) });
    const manifest = await createClient().readManifest(parseReference(`${server.host}/app:1`));
    expect([manifest.kind, manifest.digest, new TextDecoder().decode(manifest.bytes)]).toEqual([
      'image',
      spaced.digest,
      spaced.text,
    ]);
  });

  it.each([
    [
      'another content than that of the digest',
      stored(image),
      `@${index.digest}`,
      `RegistryError: HOST answered GET manifest team/app@${short(index)} with ${short(image)}, expected ${short(index)}. Try again: the registry, or a proxy before it, alters content.`,
    ],
    [
      'a page',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      ':1',
      'with "text/html", expected an image manifest or index.',
    ],
    ['nothing', { status: 200 }, ':1', 'with something without a type, expected'],
    [
      'half a manifest',
      { status: 200, body: image.text.slice(0, 50) },
      ':1',
      'with something without a type, expected',
    ],
    [
      'JSON of another kind',
      stored(content({ a: 1 }), 'application/json'),
      ':1',
      'with "application/json", expected',
    ],
    [
      'schema 1',
      stored(content({ schemaVersion: 1 }), 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
      ':1',
      'with "application/vnd.docker.distribution.manifest.v1+p…", expected',
    ],
    [
      'both kinds in one',
      stored(content({ config: {}, layers: [], manifests: [] })),
      ':1',
      'with both layers and manifests, expected',
    ],
    [
      'a layer without a size',
      stored(
        content({ mediaType: MANIFEST, config: layers[0], layers: [{ ...layers[0], size: undefined }] }),
      ),
      ':1',
      'with a wrong layers.0.size, expected',
    ],
    [
      'a digest that is a path',
      stored(content({ mediaType: MANIFEST, config: { ...layers[0], digest: '../../x' }, layers })),
      ':1',
      'with a wrong config.digest, expected',
    ],
    [
      'a size below nothing',
      stored(content({ mediaType: INDEX, manifests: [{ ...layers[0], size: -1 }] })),
      ':1',
      'with a wrong manifests.0.size, expected',
    ],
    [
      'more than 8 MiB',
      { status: 200, body: 'x'.repeat(8 * 1024 * 1024 + 1) },
      ':1',
      'with more than 8388608 bytes, expected at most that.',
    ],
    [
      'a miss',
      { status: 404, body: '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}' },
      ':1',
      'HOST answered 404 MANIFEST_UNKNOWN to GET manifest team/app:1: manifest unknown. Check the name, and that the login may see it.',
    ],
    [
      'a refusal in HTML',
      { status: 403, body: '<h1>no</h1>' },
      ':1',
      'HOST answered 403 to GET manifest team/app:1. Log in with docker/login-action before this step.',
    ],
    [
      'a refusal with a command',
      { status: 400, body: '{"errors":[{"code":"x y","message":"a\\n::set-output name=x::y\\u001b[2J"}]}' },
      ':1',
      'HOST answered 400 to GET manifest team/app:1: a ::set-output name=x::y [2J. Check that this is a registry',
    ],
  ] as const)('refuses %s', async (_, answer, identifier, message) => {
    expect(await messageFor(answer as LocalAnswer, identifier)).toContain(message);
  });
});

describe('readImage', () => {
  it('reads an index: platforms with sizes and instructions, attestations apart', async () => {
    await using server = await serve({
      'team/app/manifests/1': stored(index, INDEX),
      [`team/app/manifests/${image.digest}`]: stored(image),
      [`team/app/blobs/${config.digest}`]: stored(config, 'application/octet-stream'),
    });
    expect(await createClient().readImage(parseReference(`${server.host}/team/app:1`))).toEqual({
      digest: index.digest,
      mediaType: INDEX,
      platforms: [platform],
      attestations: [{ digest: attestation.digest, subject: image.digest }],
    });
    expect(server.requests).toHaveLength(3);
  });

  it('reads a single manifest', async () => {
    await using server = await serve({
      'app/manifests/1': stored(image),
      [`app/blobs/${config.digest}`]: stored(config),
    });
    expect(await createClient().readImage(parseReference(`${server.host}/app:1`))).toEqual({
      digest: image.digest,
      mediaType: MANIFEST,
      platforms: [platform],
      attestations: [],
    });
  });

  it('reads an artifact without its config', async () => {
    const artifact = content({
      mediaType: MANIFEST,
      config: { ...layers[1], mediaType: 'application/vnd.cncf.helm.config.v1+json' },
      layers: [layers[0]],
    });
    await using server = await serve({ 'chart/manifests/1': stored(artifact) });
    const read = await createClient().readImage(parseReference(`${server.host}/chart:1`));
    expect(read.platforms).toEqual([
      {
        platform: 'unknown',
        digest: artifact.digest,
        configDigest: layers[1]?.digest,
        compressedBytes: 1200,
        labels: {},
        layers: [{ digest: layers[0]?.digest, mediaType: LAYER, compressedBytes: 1000 }],
      },
    ]);
  });

  it('refuses a config that is not the one named', async () => {
    await using server = await serve({
      'app/manifests/1': stored(image),
      [`app/blobs/${config.digest}`]: stored(index),
    });
    await expect(createClient().readImage(parseReference(`${server.host}/app:1`))).rejects.toThrow(
      `with ${short(index)}, expected ${short(config)}`,
    );
  });

  it('refuses an index of thousands before it asks for them', async () => {
    const huge = content({
      mediaType: INDEX,
      manifests: Array.from({ length: 5000 }, () => ({ ...describeContent(MANIFEST, image) })),
    });
    await using server = await serve({ 'app/manifests/1': stored(huge, INDEX) });
    await expect(createClient().readImage(parseReference(`${server.host}/app:1`))).rejects.toThrow(
      'has 5000 images in the index',
    );
    expect(server.requests).toHaveLength(1);
  });
});

describe('retag', () => {
  it('says so when the registry stored something else', async () => {
    await using server = await startLocalServer(({ method }) =>
      method === 'PUT'
        ? { status: 201, headers: { 'docker-content-digest': index.digest } }
        : method === 'GET'
          ? stored(image)
          : { status: 404 },
    );
    const app = (tag: string) => parseReference(`${server.host}/app:${tag}`);
    await expect(createClient().retag(app('1'), app('2'))).rejects.toThrow(
      `${server.host} answered PUT manifest app:2 with ${short(index)}, expected ${short(image)}.`,
    );
  });

  it('says what to do when writing is denied', async () => {
    await using server = await startLocalServer(({ method }) =>
      method === 'PUT'
        ? { status: 403, body: '{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}' }
        : method === 'GET'
          ? stored(image)
          : { status: 404 },
    );
    const app = (tag: string) => parseReference(`${server.host}/app:${tag}`);
    await expect(createClient().retag(app('1'), app('2'))).rejects.toMatchObject({
      message: `${server.host} answered 403 DENIED to PUT manifest app:2: permission_denied: write_package. Log in with docker/login-action before this step.`,
      operation: 'PUT manifest app:2',
      code: 'DENIED',
      status: 403,
    });
  });

  it('refuses another host', async () => {
    await expect(
      createClient().retag(parseReference('a.io/app:1'), parseReference('b.io/app:1')),
    ).rejects.toThrow(
      "Can't retag a.io/app:1 as b.io/app:1: expected the same registry host. Push the image there instead.",
    );
  });

  it('gives up the upload that a registry starts in place of mounting', async () => {
    await using server = await startLocalServer(({ method, path }) => {
      if (method === 'GET') return stored(image);
      if (method === 'POST')
        return { status: 202, headers: { location: '/v2/other/blobs/uploads/u1?state=s' } };
      return { status: path.includes('uploads') ? 204 : 404 };
    });
    const error = createClient().retag(
      parseReference(`${server.host}/app:1`),
      parseReference(`${server.host}/other:1`),
    );
    await expect(error).rejects.toThrow('from app into other. Push the image there instead.');
    const posts = server.requests.filter(({ method }) => method === 'POST').map(({ path }) => path);
    expect(posts).toContain(`/v2/other/blobs/uploads/?mount=${encodeURIComponent(config.digest)}&from=app`);
    await expect
      .poll(() => server.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path))
      .toContain('/v2/other/blobs/uploads/u1?state=s');
  });
});

describe('listReferrers', () => {
  const entry = (digit: string, artifactType: string): object => ({
    mediaType: MANIFEST,
    digest: `sha256:${digit.repeat(64)}`,
    size: 5,
    artifactType,
  });
  const list = (...manifests: readonly object[]): Content =>
    content({ schemaVersion: 2, mediaType: INDEX, manifests });
  const path = `app/referrers/${image.digest}`;
  const fallback = `app/manifests/${image.digest.replace(':', '-')}`;

  it('follows the pages', async () => {
    const page = (next: string, ...manifests: readonly object[]): LocalAnswer => ({
      status: 200,
      headers: { 'content-type': INDEX, link: `<${next}>; rel="next"` },
      body: list(...manifests).text,
    });
    await using server = await serve({
      [path]: page(`/v2/${path}?last=a`, entry('a', 'x/a')),
      [`${path}?last=a`]: page('?last=b', entry('b', 'x/b')),
      [`${path}?last=b`]: page('https://elsewhere.example/', entry('c', 'x/a')),
    });
    const app = parseReference(`${server.host}/app`);
    expect(await createClient().listReferrers(app, image.digest)).toEqual([
      entry('a', 'x/a'),
      entry('b', 'x/b'),
      entry('c', 'x/a'),
    ]);
  });

  it('filters by type, also where the registry does not', async () => {
    await using server = await serve({
      [`${path}?artifactType=x%2Fa`]: stored(list(entry('a', 'x/a'), entry('b', 'x/b')), INDEX),
    });
    expect(
      await createClient().listReferrers(parseReference(`${server.host}/app`), image.digest, 'x/a'),
    ).toEqual([entry('a', 'x/a')]);
  });

  it.each([
    ['answers 404', { status: 404 }],
    ['answers 405', { status: 405 }],
    ['shows a page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }],
  ] as const)('reads the fall-back tag where the registry %s', async (_, answer) => {
    await using server = await serve({ [path]: answer, [fallback]: stored(list(entry('a', 'x/a')), INDEX) });
    expect(await createClient().listReferrers(parseReference(`${server.host}/app`), image.digest)).toEqual([
      entry('a', 'x/a'),
    ]);
  });

  it('finds none where neither is', async () => {
    await using server = await serve({});
    expect(await createClient().listReferrers(parseReference(`${server.host}/app`), image.digest)).toEqual(
      [],
    );
  });

  it('fails where the registry fails, instead of saying that there are none', async () => {
    await using server = await serve({ [path]: { status: 500 } });
    await expect(
      createClient().listReferrers(parseReference(`${server.host}/app`), image.digest),
    ).rejects.toThrow(`${server.host} answered 500 to GET referrers app@${short(image)}. Try again later.`);
  });
});

describe('pushArtifact', () => {
  it('adds to the fall-back tag again when another writer was in between, and keeps what it does not know', async () => {
    const foreign = { mediaType: MANIFEST, digest: `sha256:${'f'.repeat(64)}`, size: 5, data: 'e30=' };
    let tag: string | undefined;
    let writes = 0;
    const answerTag = ({ method, body }: ReceivedRequest): LocalAnswer => {
      if (method !== 'PUT') return tag === undefined ? { status: 404 } : stored(content(tag), INDEX);
      writes += 1;
      // The other writer had read the tag before, and writes after.
      const others = {
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [foreign],
        annotations: { by: 'other' },
      };
      tag = writes === 1 ? JSON.stringify(others) : body;
      return accept(body);
    };
    const answer = (request: ReceivedRequest): LocalAnswer => {
      if (request.path.includes('/blobs/')) return { status: 200 };
      if (request.path.includes('/manifests/sha256-')) return answerTag(request);
      return request.method === 'PUT' ? accept(request.body) : stored(image);
    };
    await using server = await startLocalServer(answer);
    const app = parseReference(`${server.host}/app:1`);
    const bytes = new TextEncoder().encode('{}');
    const pushed = await createClient().pushArtifact(app, {
      artifactType: 'x/a',
      blob: { mediaType: 'application/json', bytes },
      subject: app,
    });
    expect(pushed.listedBy).toBe('tag');
    expect(JSON.parse(tag ?? '')).toEqual({
      schemaVersion: 2,
      mediaType: INDEX,
      annotations: { by: 'other' },
      manifests: [
        foreign,
        { mediaType: MANIFEST, digest: pushed.digest, size: expect.any(Number), artifactType: 'x/a' },
      ],
    });
    expect(writes).toBe(2);
  });
});

function accept(body: string): LocalAnswer {
  return { status: 201, headers: { 'docker-content-digest': content(body).digest } };
}

describe('deleteManifest', () => {
  it.each([
    [202, true],
    [404, false],
  ])('%i: %s', async (status, expected) => {
    await using server = await startLocalServer(() => ({ status }));
    expect(await createClient().deleteManifest(parseReference(`${server.host}/app@${image.digest}`))).toBe(
      expected,
    );
  });

  it('says so when the registry has deleting turned off', async () => {
    await using server = await startLocalServer(() => ({
      status: 405,
      body: '{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}',
    }));
    const { host } = server;
    await expect(
      createClient().deleteManifest(parseReference(`${host}/app@${image.digest}`)),
    ).rejects.toThrow(
      `${host} answered 405 UNSUPPORTED to DELETE manifest app@${short(image)}: The operation is unsupported. Check the registry's settings: it doesn't allow this.`,
    );
    await expect(createClient().deleteManifest(parseReference(`${host}/app:1`))).rejects.toThrow(
      `${host} answered 405 to DELETE manifest app:1: it can't delete a tag alone. Name the digest.`,
    );
  });
});

describe('putBlob', () => {
  const bytes = new TextEncoder().encode('layer');
  const { digest } = content('layer');

  it('does nothing where the blob is', async () => {
    await using server = await startLocalServer(() => ({ status: 200 }));
    expect(await createClient().putBlob(parseReference(`${server.host}/app`), bytes)).toBe(digest);
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });

  it('leaves the query of the upload as the registry gave it, and starts anew after a broken upload', async () => {
    let uploads = 0;
    await using server = await startLocalServer(({ method }) => {
      if (method === 'HEAD') return { status: 404 };
      if (method === 'POST') return { status: 202, headers: { location: '/upload?state=a%20b~c+d' } };
      uploads += 1;
      return uploads === 1 ? 'drop' : { status: 201 };
    });
    expect(await createClient().putBlob(parseReference(`${server.host}/app`), bytes)).toBe(digest);
    expect(
      server.requests.filter(({ method }) => method === 'PUT').map(({ path, body }) => [path, body]),
    ).toEqual(
      Array.from({ length: 2 }, () => [
        `/upload?state=a%20b~c+d&digest=${encodeURIComponent(digest)}`,
        'layer',
      ]),
    );
  });
});

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runAction } from '../../harness/runner/run-action.ts';
import { type ActionsCacheFake, createActionsCacheFake } from './cache-fake.ts';
import { type CacheScope, createCacheToken, scopesOfRun } from './cache-token.ts';

const service = 'twirp/github.actions.results.api.v1.CacheService';

async function call(
  fake: ActionsCacheFake,
  method: string,
  body: unknown,
  token = fake.token(),
): Promise<[number, Record<string, string>]> {
  const response = await fetch(`${fake.url}${service}/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return [response.status, (await response.json()) as Record<string, string>];
}

const blobHeaders = { 'x-ms-blob-type': 'BlockBlob' };

async function save(
  fake: ActionsCacheFake,
  key: string,
  content: string | Buffer,
  token = fake.token(),
  version = 'v',
): Promise<string> {
  const [, created] = await call(fake, 'CreateCacheEntry', { key, version }, token);
  await fetch(created['signed_upload_url'] ?? '', { method: 'PUT', headers: blobHeaders, body: content });
  const [status, done] = await call(
    fake,
    'FinalizeCacheEntryUpload',
    { key, version, size_bytes: String(content.length) },
    token,
  );
  return status === 200 ? (done['entry_id'] ?? '') : `${status}`;
}

async function find(
  fake: ActionsCacheFake,
  key: string,
  token = fake.token(),
  more: readonly string[] = [],
): Promise<string> {
  const [, answer] = await call(
    fake,
    'GetCacheEntryDownloadURL',
    { key, version: 'v', restore_keys: more },
    token,
  );
  return answer['matched_key'] ?? '';
}

const tokenOf = (scopes: readonly CacheScope[]) => createCacheToken({ scopes });

describe('with the real @actions/cache', () => {
  it('saves once and restores by key and by prefix', async () => {
    await using fake = await createActionsCacheFake();
    const content = randomBytes(3 * 1024 * 1024);
    const services = { resultsUrl: fake.url, runtimeToken: fake.token() };
    const actionFolder = path.join(import.meta.dirname, '../../fixtures/actions/cache');
    await using first = await runAction({
      actionFolder,
      services,
      inputs: { do: 'restore', path: 'data', key: 'k-1' },
    });
    const { workspace } = first.folders;
    await mkdir(path.join(workspace, 'data'));
    await writeFile(path.join(workspace, 'data/file'), content);
    const run = (inputs: Record<string, string>) =>
      runAction({ actionFolder, services, workspace, inputs: { path: 'data', ...inputs } });

    await using saved = await run({ do: 'save', key: 'k-1' });
    await using again = await run({ do: 'save', key: 'k-1' });
    await rm(path.join(workspace, 'data'), { recursive: true });
    await using restored = await run({ do: 'restore', key: 'k-2', 'restore-keys': 'k-' });

    expect([first, saved, again, restored].map((one) => one.outputs['result'])).toEqual([
      'none',
      '1',
      '-1',
      'k-1',
    ]);
    expect(again.log).toContain('Unable to reserve cache with key k-1');
    expect(content.equals(await readFile(path.join(workspace, 'data/file')))).toBe(true);
  }, 30_000);
});

describe('the service', () => {
  it('answers as GitHub does, field for field', async () => {
    await using fake = await createActionsCacheFake();
    const entry = { key: 'a', version: 'v' };

    expect(await call(fake, 'GetCacheEntryDownloadURL', entry)).toEqual([
      200,
      { ok: false, signed_download_url: '', matched_key: '' },
    ]);
    const [status, created] = await call(fake, 'CreateCacheEntry', entry);
    expect([status, created]).toEqual([
      200,
      { ok: true, signed_upload_url: expect.stringMatching(/\?sp=w&sig=[\w-]{43}$/u) },
    ]);
    // A reservation is not an entry yet, and can't be made twice.
    expect(await find(fake, 'a')).toBe('');
    expect(await call(fake, 'CreateCacheEntry', entry)).toEqual([
      409,
      { code: 'already_exists', msg: expect.any(String) },
    ]);
    expect(await call(fake, 'FinalizeCacheEntryUpload', { ...entry, size_bytes: 5 })).toMatchObject([
      400,
      { code: 'invalid_argument' },
    ]);
    await fetch(created['signed_upload_url'] ?? '', { method: 'PUT', headers: blobHeaders, body: 'hello' });
    expect(await call(fake, 'FinalizeCacheEntryUpload', { ...entry, size_bytes: 5 })).toEqual([
      200,
      { ok: true, entry_id: '1' },
    ]);
    expect(await call(fake, 'CreateCacheEntry', entry)).toMatchObject([409, {}]);
    const [, found] = await call(fake, 'GetCacheEntryDownloadURL', entry);
    expect(found).toEqual({
      ok: true,
      matched_key: 'a',
      signed_download_url: expect.stringContaining('sp=r'),
    });
    expect(await (await fetch(found['signed_download_url'] ?? '')).text()).toBe('hello');
    expect(
      await find(
        fake,
        'a',
        createCacheToken({ scopes: [{ scope: 'refs/heads/main', permission: 'write' }] }),
      ),
    ).toBe('a');
  });

  it('refuses a bad token, a read-only one to write, and a bad key', async () => {
    await using fake = await createActionsCacheFake();
    const scopes = scopesOfRun({ ref: 'refs/pull/7/merge', baseRef: 'main', isReadOnly: true });
    const expired = createCacheToken({ scopes, issuedAtMs: Date.now() - 7200_000, lifetimeSeconds: 3600 });
    const create = (key: string, token?: string) =>
      call(fake, 'CreateCacheEntry', { key, version: 'v' }, token);

    expect(await create('a', 'no-jwt')).toMatchObject([401, { code: 'unauthenticated' }]);
    expect(await create('a', expired)).toMatchObject([401, { code: 'unauthenticated' }]);
    expect(await create('a', tokenOf(scopes))).toEqual([
      403,
      { code: 'permission_denied', msg: 'cache write denied: token has no writable scopes' },
    ]);
    expect(await create('x'.repeat(513))).toMatchObject([400, { code: 'invalid_argument' }]);
    expect(await create('a,b')).toMatchObject([400, { code: 'invalid_argument' }]);
  });

  it('lets a run read its own ref, its base and the default branch, in this order, and no other', async () => {
    await using fake = await createActionsCacheFake();
    for (const ref of ['refs/heads/main', 'refs/heads/release', 'refs/pull/7/merge', 'refs/heads/other']) {
      await save(fake, `k-${ref}`, 'x', fake.token(ref));
    }
    const token = tokenOf(scopesOfRun({ ref: 'refs/pull/7/merge', baseRef: 'release' }));

    expect(await find(fake, 'k-', token)).toBe('k-refs/pull/7/merge');
    expect(await find(fake, 'k-refs/heads/release', token)).toBe('k-refs/heads/release');
    expect(await find(fake, 'k-refs/heads/main', token)).toBe('k-refs/heads/main');
    expect(await find(fake, 'k-refs/heads/other', token)).toBe('');
    expect(await save(fake, 'k-refs/heads/main', 'y', token)).toBe('5');
    expect(fake.entries().at(-1)).toMatchObject({ scope: 'refs/pull/7/merge', key: 'k-refs/heads/main' });
  });

  it('prefers the exact key, then the newest by prefix, of the same version only', async () => {
    await using fake = await createActionsCacheFake();
    for (const key of ['dep-1', 'dep-10', 'dep-2', 'base-1']) await save(fake, key, key);
    await save(fake, 'dep-3', 'x', fake.token(), 'another version');

    expect(await find(fake, 'dep-1')).toBe('dep-1');
    expect(await find(fake, 'dep-')).toBe('dep-2');
    expect(await find(fake, 'none', fake.token(), ['nothing-', 'base-', 'dep-'])).toBe('base-1');
  });

  it('removes what was used longest ago once over its limit', async () => {
    await using fake = await createActionsCacheFake({ limitBytes: 250 });
    await save(fake, 'a', 'x'.repeat(100));
    await save(fake, 'b', 'x'.repeat(100));
    await find(fake, 'a');
    await save(fake, 'c', 'x'.repeat(100));

    expect(fake.entries().map((entry) => entry.key)).toEqual(['a', 'c']);
  });

  it('meets calls with the trouble it was told', async () => {
    await using fake = await createActionsCacheFake();
    fake.meet({ call: 'CreateCacheEntry', kind: { status: 429, retryAfterSeconds: 3 } });
    fake.meet({ kind: 'drop' });

    await expect(find(fake, 'a')).rejects.toThrow('fetch failed');
    expect(await call(fake, 'CreateCacheEntry', { key: 'a', version: 'v' })).toMatchObject([429, {}]);
    expect(await call(fake, 'CreateCacheEntry', { key: 'a', version: 'v' })).toMatchObject([200, {}]);
    expect(fake.requests.map((one) => one.status)).toEqual([0, 429, 200]);
  });
});

describe('the blob storage', () => {
  async function upload(fake: ActionsCacheFake): Promise<string> {
    const [, created] = await call(fake, 'CreateCacheEntry', { key: 'k', version: 'v' });
    return created['signed_upload_url'] ?? '';
  }

  it('joins blocks in the order of the list, and always names the request', async () => {
    await using fake = await createActionsCacheFake();
    const address = await upload(fake);
    const put = (query: string, body: string) => fetch(`${address}${query}`, { method: 'PUT', body });
    const [one, two] = ['MQ==', 'Mg=='].map((id) => encodeURIComponent(id));
    const responses = [
      await put(`&comp=block&blockid=${two}`, 'world'),
      await put(`&comp=block&blockid=${one}`, 'hello '),
      await put(
        '&comp=blocklist',
        '<?xml version="1.0"?><BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>',
      ),
    ];

    expect(responses.map((response) => response.status)).toEqual([201, 201, 201]);
    expect(responses.every((response) => response.headers.has('x-ms-request-id'))).toBe(true);
    expect((await put('&comp=blocklist', '<BlockList><Latest>Mw==</Latest></BlockList>')).status).toBe(400);
  });

  it('serves ranges', async () => {
    await using fake = await createActionsCacheFake();
    await save(fake, 'k', '0123456789');
    const [, found] = await call(fake, 'GetCacheEntryDownloadURL', { key: 'k', version: 'v' });
    const address = found['signed_download_url'] ?? '';
    const get = async (headers: Record<string, string>) => {
      const response = await fetch(address, { headers });
      return [response.status, response.headers.get('content-range'), await response.text()];
    };

    expect(await get({})).toEqual([200, null, '0123456789']);
    expect(await get({ range: 'bytes=2-4' })).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await get({ 'x-ms-range': 'bytes=8-' })).toEqual([206, 'bytes 8-9/10', '89']);
    expect(await get({ range: 'bytes=-3' })).toEqual([206, 'bytes 7-9/10', '789']);
    expect((await get({ range: 'bytes=10-' }))[0]).toBe(416);
    expect((await fetch(address, { method: 'HEAD' })).headers.get('content-length')).toBe('10');
  });

  it('lets an address be used for what it was signed for, and for nothing else', async () => {
    await using fake = await createActionsCacheFake();
    const address = await upload(fake);

    expect((await fetch(address)).status).toBe(403);
    expect(
      (await fetch(address.replace(/sig=.*/u, 'sig=x'), { method: 'PUT', body: 'x', headers: blobHeaders }))
        .status,
    ).toBe(403);
    expect((await fetch(address, { method: 'PUT', body: 'x' })).status).toBe(400);
  });
});

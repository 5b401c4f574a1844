import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { type BlobStore, createBlobStore } from './blob-store.ts';
import { type CacheScope, createCacheToken, readCacheToken } from './cache-token.ts';

/** A stored entry. It never changes: only its time of use does. */
export interface CacheEntry {
  readonly id: number;
  readonly key: string;
  readonly version: string;
  readonly scope: string;
  readonly sizeBytes: number;
  /** Order of creation and of last use; a higher number is later. */
  readonly createdAt: number;
  usedAt: number;
}

export interface RecordedCacheRequest {
  /** The method of the service, or `PUT blob`, `GET blob`, `HEAD blob`. */
  readonly call: string;
  readonly key: string | undefined;
  readonly bytes: number;
  status: number;
}

/** What coming calls meet instead of their answer. */
export interface CacheTrouble {
  readonly call?: string;
  readonly times?: number;
  readonly kind:
    | { readonly status: number; readonly retryAfterSeconds?: number }
    | { readonly delayMs: number }
    | 'drop';
}

export interface CacheFakeOptions {
  /** Over it the entries that were used longest ago are removed; 10 GB as for a repository on GitHub. */
  readonly limitBytes?: number;
}

export interface ActionsCacheFake extends AsyncDisposable {
  /** For ACTIONS_RESULTS_URL, with the slash at its end that clients need. */
  readonly url: string;
  readonly entries: () => readonly CacheEntry[];
  readonly requests: readonly RecordedCacheRequest[];
  readonly meet: (trouble: CacheTrouble) => void;
  /** A token for runs of one ref that may write; {@link createCacheToken} makes others. */
  readonly token: (ref?: string) => string;
  /** Forgets everything, as if the repository's cache had been emptied. */
  readonly clear: () => Promise<void>;
}

interface StoredEntry extends CacheEntry {
  readonly blobId: string;
}

interface Server {
  readonly blobs: BlobStore;
  readonly entries: Map<string, StoredEntry>;
  /** Created, not yet finalized: place ▶ blob. */
  readonly reservations: Map<string, string>;
  readonly requests: RecordedCacheRequest[];
  readonly troubles: { readonly trouble: CacheTrouble; left: number }[];
  readonly limitBytes: number;
  url: string;
  clock: number;
  lastId: number;
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

// Names as clients write them: go-actions-cache and @actions/cache use snake case; int64 comes as text or number.
const callSchema = z.object({
  key: z.optional(z.string()),
  version: z.optional(z.string()),
  restore_keys: z.optional(z.array(z.string())),
  size_bytes: z.optional(z.union([z.string(), z.number()])),
});

type Call = z.infer<typeof callSchema>;

function fault(status: number, code: string, msg: string): Answer {
  return { status, body: { code, msg } };
}

function placeOf(scope: string, call: Call): string {
  return JSON.stringify([scope, call.version ?? '', call.key ?? '']);
}

function checkKey(key: string | undefined): Answer | undefined {
  if (key === undefined || key === '') return fault(400, 'invalid_argument', 'key is required');
  if (key.length > 512) return fault(400, 'invalid_argument', `key is too long: ${key.length}, at most 512`);
  if (key.includes(',')) return fault(400, 'invalid_argument', 'key must not contain a comma');
  return undefined;
}

function create(server: Server, scopes: readonly CacheScope[], call: Call): Answer {
  const writable = scopes.find((one) => one.permission === 'write');
  if (writable === undefined) {
    return fault(403, 'permission_denied', 'cache write denied: token has no writable scopes');
  }
  const wrong = checkKey(call.key);
  if (wrong !== undefined) return wrong;
  const place = placeOf(writable.scope, call);
  if (server.entries.has(place) || server.reservations.has(place)) {
    return fault(409, 'already_exists', 'cache entry with the same key, version, and scope already exists');
  }
  const blobId = randomUUID();
  server.reservations.set(place, blobId);
  return { status: 200, body: { ok: true, signed_upload_url: server.url + server.blobs.sign(blobId, 'w') } };
}

async function evict(server: Server): Promise<void> {
  const oldestFirst = [...server.entries].sort(([, a], [, b]) => a.usedAt - b.usedAt);
  let total = oldestFirst.reduce((sum, [, entry]) => sum + entry.sizeBytes, 0);
  for (const [place, entry] of oldestFirst) {
    if (total <= server.limitBytes) return;
    total -= entry.sizeBytes;
    server.entries.delete(place);
    await server.blobs.remove(entry.blobId);
  }
}

async function finalize(server: Server, scopes: readonly CacheScope[], call: Call): Promise<Answer> {
  const writable = scopes.find((one) => one.permission === 'write');
  const place = placeOf(writable?.scope ?? '', call);
  const blobId = server.reservations.get(place);
  if (blobId === undefined) return fault(404, 'not_found', 'cache entry not found');
  const sizeBytes = await server.blobs.sizeBytes(blobId);
  if (sizeBytes === undefined || sizeBytes !== Number(call.size_bytes)) {
    return fault(
      400,
      'invalid_argument',
      `size_bytes is ${call.size_bytes}, the upload has ${sizeBytes ?? 'no'} bytes`,
    );
  }
  server.reservations.delete(place);
  server.clock += 1;
  server.lastId += 1;
  const id = server.lastId;
  server.entries.set(place, {
    id,
    key: call.key ?? '',
    version: call.version ?? '',
    scope: writable?.scope ?? '',
    sizeBytes,
    createdAt: server.clock,
    usedAt: server.clock,
    blobId,
  });
  await evict(server);
  return { status: 200, body: { ok: true, entry_id: String(id) } };
}

/**
 * Finds an entry as GitHub's documentation says: in each scope in turn the exact key, then the newest that
 * begins with the key, then the newest that begins with each of the other keys in turn.
 */
function find(server: Server, scopes: readonly CacheScope[], call: Call): StoredEntry | undefined {
  for (const { scope } of scopes) {
    const here = [...server.entries.values()]
      .filter((entry) => entry.scope === scope && entry.version === (call.version ?? ''))
      .sort((a, b) => b.createdAt - a.createdAt);
    const exact = here.find((entry) => entry.key === call.key);
    if (exact !== undefined) return exact;
    for (const prefix of [call.key, ...(call.restore_keys ?? [])]) {
      const newest = here.find(
        (entry) => prefix !== undefined && prefix !== '' && entry.key.startsWith(prefix),
      );
      if (newest !== undefined) return newest;
    }
  }
  return undefined;
}

function lookUp(server: Server, scopes: readonly CacheScope[], call: Call): Answer {
  if (scopes.length === 0)
    return fault(403, 'permission_denied', 'cache read denied: token has no readable scopes');
  const entry = find(server, scopes, call);
  if (entry === undefined)
    return { status: 200, body: { ok: false, signed_download_url: '', matched_key: '' } };
  server.clock += 1;
  entry.usedAt = server.clock;
  const address = server.url + server.blobs.sign(entry.blobId, 'r');
  return { status: 200, body: { ok: true, signed_download_url: address, matched_key: entry.key } };
}

async function answerCall(
  server: Server,
  method: string,
  authorization: string | undefined,
  body: string,
): Promise<Answer & { key?: string }> {
  const scopes = readCacheToken(authorization, Date.now());
  if (scopes === undefined) return fault(401, 'unauthenticated', 'invalid or expired token');
  let parsed: ReturnType<typeof callSchema.safeParse>;
  try {
    parsed = callSchema.safeParse(JSON.parse(body));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fault(400, 'malformed', 'the json request could not be decoded');
  }
  if (!parsed.success) return fault(400, 'malformed', z.prettifyError(parsed.error));
  const call = parsed.data;
  const key = call.key === undefined ? {} : { key: call.key };
  switch (method) {
    case 'CreateCacheEntry':
      return { ...create(server, scopes, call), ...key };
    case 'FinalizeCacheEntryUpload':
      return { ...(await finalize(server, scopes, call)), ...key };
    case 'GetCacheEntryDownloadURL':
      return { ...lookUp(server, scopes, call), ...key };
    default:
      return fault(404, 'bad_route', `no handler for ${method}`);
  }
}

/** @returns Whether the request has been answered by it. */
async function meetTrouble(server: Server, call: string, response: ServerResponse): Promise<boolean> {
  const waiting = server.troubles.find((one) => one.left > 0 && (one.trouble.call ?? call) === call);
  if (waiting === undefined) return false;
  waiting.left -= 1;
  const { kind } = waiting.trouble;
  if (kind === 'drop') {
    response.destroy();
    return true;
  }
  if ('delayMs' in kind) {
    await sleep(kind.delayMs);
    return false;
  }
  const retry = kind.retryAfterSeconds === undefined ? {} : { 'retry-after': String(kind.retryAfterSeconds) };
  response.writeHead(kind.status, {
    'content-type': 'application/json',
    'x-ms-request-id': randomUUID(),
    ...retry,
  });
  response.end(
    JSON.stringify({ code: kind.status === 429 ? 'resource_exhausted' : 'unavailable', msg: 'trouble' }),
  );
  return true;
}

async function handle(server: Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const address = new URL(request.url ?? '/', server.url);
  const isBlob = address.pathname.startsWith('/blobs/');
  const method =
    /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/u.exec(address.pathname)?.[1] ?? '';
  const call = isBlob ? `${request.method} blob` : method;
  const bytes = Number(request.headers['content-length'] ?? 0);
  response.on('finish', () => {
    record.status = response.statusCode;
  });
  let record: RecordedCacheRequest = { call, key: undefined, bytes, status: 0 };
  if (isBlob) {
    server.requests.push(record);
    if (await meetTrouble(server, call, response)) return;
    await server.blobs.answer(address, request, response);
    return;
  }
  const body = await readText(request);
  if (await meetTrouble(server, call, response)) {
    server.requests.push(record);
    return;
  }
  const answer = await answerCall(server, method, request.headers.authorization, body);
  record = { ...record, key: answer.key };
  server.requests.push(record);
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer.body));
}

/** Starts a fake of version 2 of the Actions cache service, with its blob storage, on loopback. */
export async function createActionsCacheFake(options: CacheFakeOptions = {}): Promise<ActionsCacheFake> {
  const folder = await mkdtemp(path.join(tmpdir(), 'actions-cache-'));
  const server: Server = {
    blobs: createBlobStore(folder),
    entries: new Map(),
    reservations: new Map(),
    requests: [],
    troubles: [],
    limitBytes: options.limitBytes ?? 10 * 1024 ** 3,
    url: '',
    clock: 0,
    lastId: 0,
  };
  const http = createServer((request, response) => {
    // A client that goes away in the middle of a blob is no fault of the service.
    handle(server, request, response).catch(() => response.destroy());
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  return {
    url: server.url,
    entries: () => [...server.entries.values()].map(({ blobId: _, ...entry }) => entry),
    requests: server.requests,
    meet: (trouble) => server.troubles.push({ trouble, left: trouble.times ?? 1 }),
    token: (ref = 'refs/heads/main') => createCacheToken({ scopes: [{ scope: ref, permission: 'write' }] }),
    async clear() {
      const ids = [
        ...[...server.entries.values()].map((entry) => entry.blobId),
        ...server.reservations.values(),
      ];
      server.entries.clear();
      server.reservations.clear();
      await Promise.all(ids.map((id) => server.blobs.remove(id)));
    },
    async [Symbol.asyncDispose]() {
      http.close();
      http.closeAllConnections();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

/** Blobs on disk behind addresses signed for one purpose, as Azure's block blob storage answers. */
export interface BlobStore {
  /** Makes the path and query of an address that may be used for this alone. */
  readonly sign: (id: string, purpose: 'r' | 'w') => string;
  readonly sizeBytes: (id: string) => Promise<number | undefined>;
  readonly remove: (id: string) => Promise<void>;
  /** Answers a request below `/blobs/`. */
  readonly answer: (address: URL, request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function fail(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'x-ms-error-code': code });
  response.end(body);
}

/** @returns undefined for no range, null for one outside of the blob. */
function parseRange(header: string | undefined, sizeBytes: number): Range | undefined | null {
  const found = /^bytes=(\d*)-(\d*)$/u.exec(header ?? '');
  if (found === null || (found[1] === '' && found[2] === '')) return undefined;
  const [, first = '', last = ''] = found;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  return start >= sizeBytes || start > end ? null : { start, end };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const found = request.headers[name];
  return Array.isArray(found) ? found[0] : found;
}

function blobHeaders(id: string, length: number): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(length),
    'accept-ranges': 'bytes',
    'x-ms-blob-type': 'BlockBlob',
    etag: `"0x${id.slice(0, 8)}"`,
    'last-modified': new Date().toUTCString(),
  };
}

/** @param folder An existing folder the store has to itself. */
export function createBlobStore(folder: string): BlobStore {
  const secret = randomUUID();
  const file = (id: string) => path.join(folder, id);
  const blockFile = (id: string, block: string) =>
    path.join(folder, `${id}.blocks`, Buffer.from(block).toString('hex'));
  const signature = (id: string, purpose: string) =>
    createHash('sha256').update(`${secret} ${id} ${purpose}`).digest('base64url');
  const sizeBytes = async (id: string) => {
    try {
      return (await stat(file(id))).size;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  };

  const write = async (id: string, address: URL, request: IncomingMessage, response: ServerResponse) => {
    const part = address.searchParams.get('comp');
    if (part === 'block') {
      const block = address.searchParams.get('blockid') ?? '';
      await mkdir(path.dirname(blockFile(id, block)), { recursive: true });
      await pipeline(request, createWriteStream(blockFile(id, block)));
    } else if (part === 'blocklist') {
      const list = await readText(request);
      await rm(file(id), { force: true });
      await appendFile(file(id), '');
      for (const [, block = ''] of list.matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]*)</gu)) {
        if ((await stat(blockFile(id, block)).catch(() => undefined)) === undefined)
          return fail(response, 400, 'InvalidBlockList');
        await appendFile(file(id), await readFile(blockFile(id, block)));
      }
      await rm(path.join(folder, `${id}.blocks`), { recursive: true, force: true });
    } else if (header(request, 'x-ms-blob-type') === 'BlockBlob') {
      await pipeline(request, createWriteStream(file(id)));
    } else return fail(response, 400, 'MissingRequiredHeader');
    response.writeHead(201, {
      etag: `"0x${randomUUID().slice(0, 8)}"`,
      'last-modified': new Date().toUTCString(),
    });
    response.end();
  };

  const read = async (id: string, request: IncomingMessage, response: ServerResponse) => {
    const size = await sizeBytes(id);
    if (size === undefined) return fail(response, 404, 'BlobNotFound');
    const asked = parseRange(header(request, 'x-ms-range') ?? header(request, 'range'), size);
    if (asked === null) return fail(response, 416, 'InvalidRange');
    const range = asked ?? { start: 0, end: size - 1 };
    response.writeHead(asked === undefined ? 200 : 206, {
      ...blobHeaders(id, range.end - range.start + 1),
      ...(asked === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
    });
    if (request.method === 'HEAD' || size === 0) response.end();
    else await pipeline(createReadStream(file(id), range), response);
  };

  return {
    sign: (id, purpose) => `blobs/${id}?sp=${purpose}&sig=${signature(id, purpose)}`,
    sizeBytes,
    async remove(id) {
      await Promise.all([
        rm(file(id), { force: true }),
        rm(path.join(folder, `${id}.blocks`), { recursive: true, force: true }),
      ]);
    },
    async answer(address, request, response) {
      const id = /^\/blobs\/([0-9a-f-]+)$/u.exec(address.pathname)?.[1] ?? '';
      const purpose = request.method === 'PUT' ? 'w' : 'r';
      // go-actions-cache takes the header for granted and ends the whole engine without it.
      response.setHeader('x-ms-request-id', randomUUID());
      response.setHeader('x-ms-version', header(request, 'x-ms-version') ?? '2024-11-04');
      if (address.searchParams.get('sig') !== signature(id, purpose)) {
        request.resume();
        return fail(response, 403, 'AuthenticationFailed');
      }
      await (purpose === 'w' ? write(id, address, request, response) : read(id, request, response));
    },
  };
}

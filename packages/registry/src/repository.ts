import type { Scope } from './authentication.ts';
import type { Connection } from './connection.ts';
import { algorithmOf, computeDigest, type Digest, isDigest, matchesDigest, shortenDigest } from './digest.ts';
import { ACCEPT, createMismatch, type Manifest, parseManifest } from './manifest.ts';
import { identifierOf, type Reference, renderShort } from './reference.ts';
import { isTemporaryStatus, RegistryError } from './registry-error.ts';
import type { HttpAnswer } from './transport.ts';

/** Registries must take manifests of 4 MiB; this leaves room for one that takes more. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;
const MAX_EMPTY_BYTES = 65_536;

/** What every call here needs. */
export interface Call {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/** The scope of reading a repository. */
export function toPull({ repository }: Reference): Scope {
  return { repository, actions: ['pull'] };
}

/** The scope of writing to a repository (registries want reading along with it). */
export function toPush({ repository }: Reference): Scope {
  return { repository, actions: ['pull', 'push'] };
}

/** The API's path of a reference's manifest. */
function manifestPath(reference: Reference): string {
  return `/v2/${reference.repository}/manifests/${identifierOf(reference)}`;
}

/**
 * The digest of what a reference names, by one HEAD where the registry answers that well, else by reading it.
 *
 * @returns undefined when the registry says that it isn't there (404).
 */
export async function findDigest(
  { connection, signal }: Call,
  reference: Reference,
): Promise<Digest | undefined> {
  const operation = `HEAD manifest ${renderShort(reference)}`;
  const answer = await connection.request({
    method: 'HEAD',
    target: manifestPath(reference),
    headers: { accept: ACCEPT },
    scopes: [toPull(reference)],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: true,
    signal,
  });
  if (answer.status === 404) return undefined;
  const said = answer.headers.get('docker-content-digest');
  if (answer.status === 200 && said !== null && isDigest(said)) {
    if (reference.digest !== undefined && said !== reference.digest) {
      throw createMismatch({ host: connection.host, operation }, said, reference.digest);
    }
    return said;
  }
  if (isTemporaryStatus(answer.status)) throw connection.createError({ operation }, answer);
  // A refusal of HEAD has no body that says why; GET's has.
  const manifest = await findManifest({ connection, signal }, reference);
  return manifest?.digest;
}

/** The manifest that a reference names, verified against its digest; undefined on 404. */
export async function findManifest(call: Call, reference: Reference): Promise<Manifest | undefined> {
  const { request, answer } = await getManifest(call, reference);
  if (answer.status === 404) return undefined;
  return readAnswer(call, reference, request, answer);
}

/** The manifest that a reference names. @throws {RegistryError} of status 404 when it isn't there. */
export async function readManifest(call: Call, reference: Reference): Promise<Manifest> {
  const { request, answer } = await getManifest(call, reference);
  return readAnswer(call, reference, request, answer);
}

async function getManifest({ connection, signal }: Call, reference: Reference) {
  const request = {
    method: 'GET',
    target: manifestPath(reference),
    headers: { accept: ACCEPT },
    scopes: [toPull(reference)],
    operation: `GET manifest ${renderShort(reference)}`,
    maxBytes: MAX_MANIFEST_BYTES,
    isRepeatable: true,
    signal,
  } as const;
  return { request, answer: await connection.request(request) };
}

function readAnswer(
  { connection }: Call,
  reference: Reference,
  { operation }: { readonly operation: string },
  answer: HttpAnswer,
): Manifest {
  if (answer.status !== 200) throw connection.createError({ operation }, answer);
  const origin = { host: connection.host, operation, contentType: answer.headers.get('content-type') };
  return parseManifest(answer.body, origin, reference.digest);
}

/**
 * Stores manifest bytes under a reference's tag or digest, unchanged.
 *
 * @returns the headers of the answer.
 * @throws {RegistryError} when the registry refuses them or stored something else.
 */
export async function putManifest(
  { connection, signal }: Call,
  reference: Reference,
  manifest: { readonly bytes: Uint8Array<ArrayBuffer>; readonly mediaType: string; readonly digest: Digest },
): Promise<Headers> {
  const operation = `PUT manifest ${renderShort(reference)}`;
  const answer = await connection.request({
    method: 'PUT',
    target: manifestPath(reference),
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
    scopes: [toPush(reference)],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: true,
    signal,
  });
  if (answer.status !== 200 && answer.status !== 201 && answer.status !== 202) {
    throw connection.createError({ operation }, answer);
  }
  const said = answer.headers.get('docker-content-digest');
  const stored = said !== null && isDigest(said) ? said : await findDigest({ connection, signal }, reference);
  if (stored !== manifest.digest) {
    if (stored !== undefined)
      throw createMismatch({ host: connection.host, operation }, stored, manifest.digest);
    const message = `${connection.host} accepted ${operation} but does not hold it. Check the registry's storage.`;
    throw new RegistryError({ host: connection.host, operation, status: answer.status, message });
  }
  return answer.headers;
}

/**
 * Deletes what a reference names: by digest the manifest with all its tags, by tag the tag alone (which
 * registries before OCI 1.1 refuse).
 *
 * @returns false when it wasn't there.
 */
export async function deleteManifest({ connection, signal }: Call, reference: Reference): Promise<boolean> {
  const operation = `DELETE manifest ${renderShort(reference)}`;
  const answer = await connection.request({
    method: 'DELETE',
    target: manifestPath(reference),
    scopes: [{ repository: reference.repository, actions: ['delete', 'pull'] }],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: true,
    signal,
  });
  if (answer.status === 404) return false;
  if (answer.status >= 200 && answer.status < 300) return true;
  if (reference.digest === undefined && (answer.status === 400 || answer.status === 405)) {
    const { host } = connection;
    const message = `${host} answered ${answer.status} to ${operation}: it can't delete a tag alone. Name the digest.`;
    throw new RegistryError({ host, operation, status: answer.status, message });
  }
  throw connection.createError({ operation }, answer);
}

/** Reads a blob whole, verified against its digest. @throws {RegistryError} above `maxBytes`, or when it isn't there. */
export async function readBlob(
  { connection, signal }: Call,
  repository: Reference,
  digest: Digest,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const operation = `GET blob ${repository.repository}@${shortenDigest(digest)}`;
  const answer = await connection.request({
    method: 'GET',
    target: `/v2/${repository.repository}/blobs/${digest}`,
    scopes: [toPull(repository)],
    operation,
    maxBytes,
    isRepeatable: true,
    signal,
  });
  if (answer.status !== 200) throw connection.createError({ operation }, answer);
  if (!matchesDigest(answer.body, digest)) {
    throw createMismatch(
      { host: connection.host, operation },
      computeDigest(answer.body, algorithmOf(digest)),
      digest,
    );
  }
  return answer.body;
}

/** Stores a blob in one piece unless the repository has it. @returns its digest. */
export async function putBlob(
  call: Call,
  repository: Reference,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Digest> {
  const digest = computeDigest(bytes);
  if (await hasBlob(call, repository, digest)) return digest;
  try {
    await uploadBlob(call, repository, bytes, digest);
  } catch (error) {
    if (!(error instanceof RegistryError && error.isTemporary)) throw error;
    // The upload session may be spent or not: only a new one is sure to work.
    if (!(await hasBlob(call, repository, digest))) await uploadBlob(call, repository, bytes, digest);
  }
  return digest;
}

async function uploadBlob(
  { connection, signal }: Call,
  repository: Reference,
  bytes: Uint8Array<ArrayBuffer>,
  digest: Digest,
): Promise<void> {
  const { location } = await startUpload({ connection, signal }, repository, '');
  // Appended as text: parsing and writing the query again could spoil a signature in it.
  location.search += `${location.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
  const operation = `PUT blob ${repository.repository}@${shortenDigest(digest)}`;
  const answer = await connection.request({
    method: 'PUT',
    target: location,
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
    scopes: [toPush(repository)],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: false,
    signal,
  });
  if (answer.status < 200 || answer.status > 299) throw connection.createError({ operation }, answer);
}

/**
 * Makes a blob of one repository known to another of the same registry, without moving its bytes.
 *
 * @throws {RegistryError} when the registry won't: it doesn't mount, or the login may not read the source.
 */
export async function mountBlob(
  { connection, signal }: Call,
  target: Reference,
  source: Reference,
  digest: Digest,
): Promise<void> {
  if (await hasBlob({ connection, signal }, target, digest)) return;
  const query = `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(source.repository)}`;
  const upload = await startUpload({ connection, signal }, target, query, source);
  if (upload.isMounted) return;
  await connection.request({
    method: 'DELETE',
    target: upload.location,
    scopes: [toPush(target)],
    operation: `DELETE upload ${target.repository}`,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: true,
    signal,
  });
  throw new RegistryError({
    host: connection.host,
    operation: `POST mount ${target.repository}@${shortenDigest(digest)}`,
    status: 202,
    message: `${connection.host} did not mount ${shortenDigest(digest)} from ${source.repository} into ${target.repository}. Push the image there instead.`,
  });
}

async function hasBlob(
  { connection, signal }: Call,
  repository: Reference,
  digest: Digest,
): Promise<boolean> {
  const operation = `HEAD blob ${repository.repository}@${shortenDigest(digest)}`;
  const answer = await connection.request({
    method: 'HEAD',
    target: `/v2/${repository.repository}/blobs/${digest}`,
    scopes: [toPush(repository)],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    isRepeatable: true,
    signal,
  });
  return answer.status === 200;
}

async function startUpload(
  { connection, signal }: Call,
  repository: Reference,
  query: string,
  source?: Reference,
) {
  const operation = `POST upload ${repository.repository}`;
  const answer = await connection.request({
    method: 'POST',
    target: `/v2/${repository.repository}/blobs/uploads/${query}`,
    scopes: [toPush(repository), ...(source === undefined ? [] : [toPull(source)])],
    operation,
    maxBytes: MAX_EMPTY_BYTES,
    // A second upload session does no harm: the first is forgotten by the registry.
    isRepeatable: true,
    signal,
  });
  if (answer.status !== 201 && answer.status !== 202) throw connection.createError({ operation }, answer);
  const location = answer.headers.get('location') ?? '';
  if (!URL.canParse(location, answer.url.href)) throw connection.createError({ operation }, answer);
  return { isMounted: answer.status === 201, location: new URL(location, answer.url) };
}

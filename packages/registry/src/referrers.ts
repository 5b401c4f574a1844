import { computeDigest, type Digest, shortenDigest } from './digest.ts';
import { type Descriptor, OCI_INDEX, OCI_MANIFEST, parseManifest } from './manifest.ts';
import { type Reference, withDigest, withTag } from './reference.ts';
import { parseJson, RegistryError } from './registry-error.ts';
import {
  type Call,
  findDigest,
  findManifest,
  putBlob,
  putManifest,
  readManifest,
  toPull,
} from './repository.ts';
import type { HttpAnswer } from './transport.ts';

/** What one `pushArtifact` stores: a blob with a type, found by the image it belongs to, by a tag, or both. */
export interface Artifact {
  /** Media type of the artifact as a whole, `application/vnd.example.record.v1+json`. */
  readonly artifactType: string;
  readonly blob: { readonly mediaType: string; readonly bytes: Uint8Array<ArrayBuffer> };
  readonly annotations?: Readonly<Record<string, string>>;
  /** What it belongs to, in the same repository; it must exist. */
  readonly subject?: Reference;
  readonly tag?: string;
}

/** A stored artifact. `listedBy` says how `listReferrers` finds it: the registry's list, or the fall-back tag. */
export interface PushedArtifact {
  readonly digest: Digest;
  readonly listedBy: 'api' | 'none' | 'tag';
}

const MAX_LIST_BYTES = 8 * 1024 * 1024;
const MAX_PAGES = 100;
const MAX_UPDATES = 5;

/** The empty JSON object that stands for "no config" (OCI image specification, guidance for an empty descriptor). */
const EMPTY_CONFIG = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
  data: 'e30=',
} as const;

/**
 * Lists the manifests whose `subject` is `digest`, from the registry's referrers list, page by page, or,
 * where it has none, from the index under the fall-back tag `sha256-<hex>`.
 *
 * @param artifactType Only those of this type; filtered here too, as a registry may ignore the filter.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export async function listReferrers(
  call: Call,
  repository: Reference,
  digest: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[]> {
  const all =
    (await listByApi(call, repository, digest, artifactType)) ?? (await listByTag(call, repository, digest));
  return artifactType === undefined
    ? all
    : all.filter((descriptor) => descriptor.artifactType === artifactType);
}

async function listByApi(
  { connection, signal }: Call,
  repository: Reference,
  digest: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const operation = `GET referrers ${repository.repository}@${shortenDigest(digest)}`;
  const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  const found: Descriptor[] = [];
  let target: string | URL | undefined = `/v2/${repository.repository}/referrers/${digest}${query}`;
  for (let page = 0; target !== undefined && page < MAX_PAGES; page += 1) {
    const answer: HttpAnswer = await connection.request({
      method: 'GET',
      target,
      headers: { accept: OCI_INDEX },
      scopes: [toPull(repository)],
      operation,
      maxBytes: MAX_LIST_BYTES,
      isRepeatable: true,
      signal,
    });
    if (page === 0 && !hasReferrersApi(answer)) return undefined;
    if (answer.status !== 200) throw connection.createError({ operation }, answer);
    const origin = { host: connection.host, operation, contentType: answer.headers.get('content-type') };
    const list = parseManifest(answer.body, origin, undefined);
    if (list.kind !== 'index') return undefined;
    found.push(...list.content.manifests);
    target = findNextPage(answer);
  }
  return found;
}

/** A registry without the list answers 404; some answer 400 or 405, or lead to a page for people. */
function hasReferrersApi(answer: HttpAnswer): boolean {
  if ([400, 404, 405].includes(answer.status)) return false;
  const type = answer.headers.get('content-type') ?? '';
  return answer.status !== 200 || /^application\/(?:json|vnd\.oci\.image\.index\.v1\+json)\b/i.test(type);
}

/** The next page's address in a `Link` header (RFC 8288), if it is on the same host. */
function findNextPage(answer: HttpAnswer): URL | undefined {
  const link = answer.headers.get('link') ?? '';
  const target = /<([^<>]{1,4096})>\s*;\s*rel="?next"?/i.exec(link)?.[1];
  if (target === undefined || !URL.canParse(target, answer.url.href)) return undefined;
  const next = new URL(target, answer.url);
  return next.origin === answer.url.origin ? next : undefined;
}

async function listByTag(call: Call, repository: Reference, digest: Digest): Promise<readonly Descriptor[]> {
  const manifest = await findManifest(call, withTag(repository, fallbackTagOf(digest)));
  return manifest?.kind === 'index' ? manifest.content.manifests : [];
}

/** The tag that lists a digest's referrers in a registry without a list of its own. */
function fallbackTagOf(digest: Digest): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

/**
 * Stores a small artifact as an OCI image manifest. With a subject, and a registry that doesn't keep the list
 * of referrers itself (no `OCI-Subject` in its answer), the fall-back tag's index is extended. The same input
 * gives the same digest.
 *
 * Two writers at the same time can lose an entry of that index: the specification has no compare-and-swap.
 * Each reads it again after writing and repeats what is missing, which leaves a gap of milliseconds.
 */
export async function pushArtifact(
  call: Call,
  repository: Reference,
  artifact: Artifact,
): Promise<PushedArtifact> {
  const [subject, blobDigest] = await Promise.all([
    artifact.subject === undefined ? undefined : describeSubject(call, artifact.subject),
    putBlob(call, repository, artifact.blob.bytes),
    putBlob(call, repository, new TextEncoder().encode('{}')),
  ]);
  const { artifactType, blob, annotations, tag } = artifact;
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: EMPTY_CONFIG,
    layers: [{ mediaType: blob.mediaType, digest: blobDigest, size: blob.bytes.length }],
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const digest = computeDigest(bytes);
  const target = tag === undefined ? withDigest(repository, digest) : withTag(repository, tag);
  const headers = await putManifest(call, target, { bytes, mediaType: OCI_MANIFEST, digest });
  if (subject === undefined) return { digest, listedBy: 'none' };
  if (headers.get('oci-subject') === subject.digest) return { digest, listedBy: 'api' };
  const entry = {
    mediaType: OCI_MANIFEST,
    digest,
    size: bytes.length,
    artifactType,
    ...(annotations === undefined ? {} : { annotations }),
  };
  await addToFallbackTag(call, repository, subject.digest, entry);
  return { digest, listedBy: 'tag' };
}

async function describeSubject(call: Call, subject: Reference): Promise<Descriptor> {
  const { mediaType, digest, bytes } = await readManifest(call, subject);
  return { mediaType, digest, size: bytes.length };
}

async function addToFallbackTag(
  call: Call,
  repository: Reference,
  subject: Digest,
  entry: Descriptor,
): Promise<void> {
  const { host } = call.connection;
  const tagged = withTag(repository, fallbackTagOf(subject));
  const operation = `PUT manifest ${repository.repository}:${tagged.tag}`;
  for (let update = 0; update < MAX_UPDATES; update += 1) {
    const present = await findManifest(call, tagged);
    if (present?.kind === 'image') {
      const message = `${host} has an image under ${tagged.tag}, expected the index of referrers. Delete that tag.`;
      throw new RegistryError({ host, operation, message });
    }
    if (present?.content.manifests.some(({ digest }) => digest === entry.digest)) return;
    const bytes = extendIndex(present?.bytes, entry);
    const digest = computeDigest(bytes);
    await putManifest(call, tagged, { bytes, mediaType: OCI_INDEX, digest });
    if ((await findDigest(call, tagged)) === digest) return;
  }
  const message = `${host} did not keep the entry for ${shortenDigest(entry.digest)} in ${tagged.tag}: others write to it at the same time. Try again.`;
  throw new RegistryError({ host, operation, isTemporary: true, message });
}

/** Adds an entry to an index, with everything in it that isn't known here left as it is. */
function extendIndex(index: Uint8Array | undefined, entry: Descriptor): Uint8Array<ArrayBuffer> {
  const value = index === undefined ? {} : parseJson(index);
  const fields = typeof value === 'object' && value !== null ? value : {};
  const manifests: unknown[] =
    'manifests' in fields && Array.isArray(fields.manifests) ? fields.manifests : [];
  const extended = { schemaVersion: 2, mediaType: OCI_INDEX, ...fields, manifests: [...manifests, entry] };
  return new TextEncoder().encode(JSON.stringify(extended));
}

import { mapBounded } from './bounded-map.ts';
import type { Digest } from './digest.ts';
import type { Manifest } from './manifest.ts';
import { isSameRepository, type Reference, renderReference, renderShort, withDigest } from './reference.ts';
import { RegistryError } from './registry-error.ts';
import { type Call, findDigest, mountBlob, putManifest, readManifest, toPush } from './repository.ts';

/** What a retag did: `unchanged` when the target named that digest already. */
export interface Retagged {
  readonly kind: 'tagged' | 'unchanged';
  readonly digest: Digest;
}

const PARALLEL_COPIES = 8;
/** An index of indexes is rare; one that goes deeper is an error or an attack. */
const MAX_DEPTH = 3;

/**
 * Gives what `source` names the name `target` too, byte for byte, so that both have one digest. Within a
 * repository that is one GET and one PUT. Between repositories of one registry the blobs are mounted and the
 * manifests of an index copied first; no layer passes through this machine.
 *
 * @throws {RegistryError} when the hosts differ, the source isn't there, or the registry refuses.
 */
export async function retag(call: Call, source: Reference, target: Reference): Promise<Retagged> {
  if (source.host !== target.host) {
    const message = `Can't retag ${renderReference(source)} as ${renderReference(target)}: expected the same registry host. Push the image there instead.`;
    throw new RegistryError({ host: target.host, operation: `retag ${renderShort(target)}`, message });
  }
  const [manifest, present] = await Promise.all([
    readManifest(call, source),
    findPresent(call, source, target),
    call.connection.prepare([toPush(target)], call.signal),
  ]);
  if (present === manifest.digest) return { kind: 'unchanged', digest: manifest.digest };
  if (!isSameRepository(source, target)) await copyContent(call, source, target, manifest, 0);
  await putManifest(call, target, manifest);
  return { kind: 'tagged', digest: manifest.digest };
}

/** What the target names now. In a repository that may not exist yet, asking for it can be forbidden. */
async function findPresent(call: Call, source: Reference, target: Reference): Promise<Digest | undefined> {
  try {
    return await findDigest(call, target);
  } catch (error) {
    const isForbidden = error instanceof RegistryError && (error.status === 401 || error.status === 403);
    if (isForbidden && !isSameRepository(source, target)) return undefined;
    throw error;
  }
}

async function copyContent(
  call: Call,
  source: Reference,
  target: Reference,
  manifest: Manifest,
  depth: number,
): Promise<void> {
  if (manifest.kind === 'image') {
    const digests = new Set(
      [manifest.content.config, ...manifest.content.layers].map(({ digest }) => digest),
    );
    await mapBounded([...digests], PARALLEL_COPIES, (digest) => mountBlob(call, target, source, digest));
    return;
  }
  if (depth >= MAX_DEPTH) {
    const message = `${call.connection.host} has indexes within indexes ${MAX_DEPTH} deep at ${renderShort(source)}, expected fewer. Push it anew.`;
    throw new RegistryError({
      host: call.connection.host,
      operation: `retag ${renderShort(target)}`,
      message,
    });
  }
  await mapBounded(manifest.content.manifests, PARALLEL_COPIES, async ({ digest }) => {
    const child = await readManifest(call, withDigest(source, digest));
    await copyContent(call, source, target, child, depth + 1);
    await putManifest(call, withDigest(target, digest), child);
  });
}

import { mapBounded } from './bounded-map.ts';
import { type Digest, shortenDigest } from './digest.ts';
import { alignHistory } from './history.ts';
import {
  type Descriptor,
  DOCKER_MANIFEST,
  type ImageConfig,
  OCI_MANIFEST,
  parseImageConfig,
  type StoredImage,
} from './manifest.ts';
import { type Reference, withDigest } from './reference.ts';
import { RegistryError } from './registry-error.ts';
import { type Call, readBlob, readManifest } from './repository.ts';

/** What a registry holds under a reference, read without its layers. */
export interface Image {
  /** Digest of what the reference names: of the index where there is one. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** One for each platform, in the order of the index. */
  readonly platforms: readonly PlatformImage[];
  readonly attestations: readonly Attestation[];
}

/** The image of one platform. */
export interface PlatformImage {
  /** `linux/arm64/v8`; `unknown` where neither index nor config says. */
  readonly platform: string;
  readonly digest: Digest;
  readonly configDigest: Digest;
  /**
   * What a pull into an empty store transfers: config and layers as stored, each blob once. (The manifest
   * and the index, some kilobytes, are left out, as in `docker manifest inspect`'s sum and registries' pages.)
   */
  readonly compressedBytes: number;
  /** As the config has it, an RFC 3339 time; a reproducible build sets any time it likes. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Lowest first. */
  readonly layers: readonly Layer[];
}

/** One layer as stored. Its unpacked size is in no manifest. */
export interface Layer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly compressedBytes: number;
  /** `RUN pip install .`, without values of build arguments; absent where the history doesn't tell. */
  readonly instruction?: string;
}

/** A manifest of BuildKit's provenance or SBOM statements about one of the images. */
export interface Attestation {
  readonly digest: Digest;
  /** The image manifest it speaks of. */
  readonly subject?: string;
}

const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
const MAX_PLATFORMS = 128;
const PARALLEL_READS = 8;

/**
 * Reads an image: for each platform its sizes and layers with the instructions that made them. One call for
 * the manifest, and for each platform of an index two more, several platforms at a time. Entries of an index
 * that are neither images nor attestations (nested indexes, artifacts) are left out.
 *
 * @throws {RegistryError} when it isn't there or isn't an image.
 */
export async function readImage(call: Call, reference: Reference): Promise<Image> {
  const top = await readManifest(call, reference);
  const { digest, mediaType } = top;
  if (top.kind === 'image') {
    return {
      digest,
      mediaType,
      platforms: [await readPlatform(call, reference, top, undefined)],
      attestations: [],
    };
  }
  const attestations = top.content.manifests.filter(isAttestation);
  const images = top.content.manifests.filter((entry) => isImage(entry) && !isAttestation(entry));
  if (images.length > MAX_PLATFORMS) {
    const message = `${call.connection.host} has ${images.length} images in the index ${shortenDigest(digest)}, expected at most ${MAX_PLATFORMS}. Split it.`;
    throw new RegistryError({
      host: call.connection.host,
      operation: `GET manifest ${reference.repository}`,
      message,
    });
  }
  const platforms = await mapBounded(images, PARALLEL_READS, async (entry) => {
    const manifest = await readManifest(call, withDigest(reference, entry.digest));
    if (manifest.kind === 'image') return readPlatform(call, reference, manifest, entry.platform);
    const message = `${call.connection.host} has an index at ${shortenDigest(entry.digest)}, expected an image. Build it anew.`;
    throw new RegistryError({
      host: call.connection.host,
      operation: `GET manifest ${reference.repository}`,
      message,
    });
  });
  return {
    digest,
    mediaType,
    platforms,
    attestations: attestations.map((entry) => {
      const subject = entry.annotations?.['vnd.docker.reference.digest'];
      return { digest: entry.digest, ...(subject === undefined ? {} : { subject }) };
    }),
  };
}

function isAttestation(entry: Descriptor): boolean {
  return entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest';
}

function isImage(entry: Descriptor): boolean {
  return (
    (entry.mediaType === OCI_MANIFEST || entry.mediaType === DOCKER_MANIFEST) &&
    entry.artifactType === undefined
  );
}

async function readPlatform(
  call: Call,
  reference: Reference,
  manifest: StoredImage,
  platform: Descriptor['platform'],
): Promise<PlatformImage> {
  const { config, layers } = manifest.content;
  const details = await readConfig(call, reference, config);
  const instructions = alignHistory(details, layers.length);
  const created = details.created ?? undefined;
  return {
    platform: renderPlatform(platform ?? details),
    digest: manifest.digest,
    configDigest: config.digest,
    compressedBytes: sumOnce([config, ...layers]),
    ...(created === undefined ? {} : { created }),
    labels: details.config?.Labels ?? {},
    layers: layers.map(({ digest, mediaType, size }, index) => {
      const instruction = instructions[index];
      return {
        digest,
        mediaType,
        compressedBytes: size,
        ...(instruction === undefined ? {} : { instruction }),
      };
    }),
  };
}

async function readConfig(call: Call, reference: Reference, config: Descriptor): Promise<ImageConfig> {
  // An artifact in the form of an image has a config of its own kind, which says nothing of layers.
  if (
    !/^application\/vnd\.(?:oci\.image\.config\.v1|docker\.container\.image\.v1)\+json$/.test(
      config.mediaType,
    )
  )
    return {};
  const bytes = await readBlob(call, reference, config.digest, MAX_CONFIG_BYTES);
  const operation = `GET blob ${reference.repository}@${shortenDigest(config.digest)}`;
  return parseImageConfig(bytes, { host: call.connection.host, operation, contentType: config.mediaType });
}

function sumOnce(descriptors: readonly Descriptor[]): number {
  const sizes = new Map(descriptors.map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function renderPlatform({
  os,
  architecture,
  variant,
}: {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
}): string {
  if (!os || !architecture) return 'unknown';
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

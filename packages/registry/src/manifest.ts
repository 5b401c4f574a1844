import * as z from 'zod/mini';
import { algorithmOf, computeDigest, type Digest, isDigest, shortenDigest } from './digest.ts';
import { toOneLine } from './plain-text.ts';
import { parseJson, RegistryError, shorten } from './registry-error.ts';

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/**
 * All four are always named: docker-registry 2.8 answers a request that lacks the stored kind with a
 * converted schema 1 manifest, which has another digest.
 */
export const ACCEPT = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(', ');

const DigestText = z.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'expected a digest',
);
const SizeBytes = z.number().check(z.gte(0), z.lte(Number.MAX_SAFE_INTEGER));
const Annotations = z.optional(z.nullable(z.record(z.string(), z.string())));

const PlatformSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
});

const DescriptorSchema = z.object({
  mediaType: z.string(),
  digest: DigestText,
  size: SizeBytes,
  artifactType: z.optional(z.string()),
  annotations: Annotations,
  platform: z.optional(z.nullable(PlatformSchema)),
});

const ImageManifestSchema = z.object({
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  config: DescriptorSchema,
  layers: z.array(DescriptorSchema),
  subject: z.optional(z.nullable(DescriptorSchema)),
  annotations: Annotations,
});

const IndexSchema = z.object({
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  manifests: z.array(DescriptorSchema),
  subject: z.optional(z.nullable(DescriptorSchema)),
  annotations: Annotations,
});

const ConfigSchema = z.object({
  architecture: z.optional(z.string()),
  os: z.optional(z.string()),
  variant: z.optional(z.string()),
  created: z.optional(z.nullable(z.string())),
  config: z.optional(z.nullable(z.object({ Labels: Annotations }))),
  history: z.optional(
    z.nullable(
      z.array(
        z.object({
          created: z.optional(z.string()),
          created_by: z.optional(z.string()),
          comment: z.optional(z.string()),
          empty_layer: z.optional(z.boolean()),
        }),
      ),
    ),
  ),
});

/** What a descriptor says of content: its kind, address and size in bytes (OCI image specification). */
export type Descriptor = z.infer<typeof DescriptorSchema>;
/** An image's configuration, as far as it is read here. */
export type ImageConfig = z.infer<typeof ConfigSchema>;

/** A manifest as a registry holds it: the bytes, their address and what they say. */
export type Manifest = StoredImage | StoredIndex;

interface Stored {
  readonly digest: Digest;
  readonly mediaType: string;
  /** The very bytes whose digest is `digest`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The manifest of one image, or of an artifact in its form. */
export interface StoredImage extends Stored {
  readonly kind: 'image';
  readonly content: z.infer<typeof ImageManifestSchema>;
}

/** A list of manifests: an image for several platforms, or with attestations. */
export interface StoredIndex extends Stored {
  readonly kind: 'index';
  readonly content: z.infer<typeof IndexSchema>;
}

/** Where fetched bytes come from, for errors. */
export interface Origin {
  readonly host: string;
  readonly operation: string;
  readonly contentType: string | null;
}

/**
 * Reads the bytes of a manifest. What it is follows from its own `mediaType`, else the answer's content
 * type, else its fields; one that has both layers and manifests is refused, as it could be taken for either.
 *
 * @param expected The digest that was asked for; the bytes must have it.
 * @throws {RegistryError} when they don't, or when they are no manifest.
 * @see https://github.com/opencontainers/image-spec and its advisory GHSA-77vh-xpmg-72qh (ambiguous manifests)
 */
export function parseManifest(
  bytes: Uint8Array<ArrayBuffer>,
  origin: Origin,
  expected: Digest | undefined,
): Manifest {
  const digest = computeDigest(bytes, expected === undefined ? 'sha256' : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) throw createMismatch(origin, digest, expected);
  const value = parseJson(bytes);
  if (typeof value !== 'object' || value === null)
    throw createUnreadable(origin, describeType(origin.contentType));
  const said = 'mediaType' in value && typeof value.mediaType === 'string' ? value.mediaType : undefined;
  if ('layers' in value && 'manifests' in value) throw createUnreadable(origin, 'both layers and manifests');
  const mediaType = said ?? chooseMediaType(value, origin.contentType);
  if (mediaType === OCI_INDEX || mediaType === DOCKER_LIST) {
    return { kind: 'index', digest, mediaType, bytes, content: parseWith(IndexSchema, value, origin) };
  }
  if (mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST) {
    return {
      kind: 'image',
      digest,
      mediaType,
      bytes,
      content: parseWith(ImageManifestSchema, value, origin),
    };
  }
  throw createUnreadable(origin, describeType(mediaType));
}

/** Reads an image's configuration. @throws {RegistryError} when it is none. */
export function parseImageConfig(bytes: Uint8Array, origin: Origin): ImageConfig {
  return parseWith(ConfigSchema, parseJson(bytes), origin);
}

/** The error of bytes that aren't those asked for. */
export function createMismatch(
  origin: Omit<Origin, 'contentType'>,
  got: Digest,
  expected: Digest,
): RegistryError {
  return new RegistryError({
    host: origin.host,
    operation: origin.operation,
    message: `${origin.host} answered ${shorten(origin.operation)} with ${shortenDigest(got)}, expected ${shortenDigest(expected)}. Try again: the registry, or a proxy before it, alters content.`,
  });
}

function chooseMediaType(value: object, contentType: string | null): string | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && ACCEPT.split(', ').includes(type)) return type;
  if ('manifests' in value) return OCI_INDEX;
  return 'layers' in value && 'config' in value ? OCI_MANIFEST : type;
}

function describeType(type: string | null | undefined): string {
  return type ? `"${toOneLine(type, 50)}"` : 'something without a type';
}

function parseWith<Schema extends z.core.$ZodType>(
  schema: Schema,
  value: unknown,
  origin: Origin,
): z.output<Schema> {
  const parsed = z.core.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place =
    issue === undefined || issue.path.length === 0 ? 'not an object' : `a wrong ${issue.path.join('.')}`;
  throw createUnreadable(origin, toOneLine(place, 50));
}

function createUnreadable(origin: Origin, what: string): RegistryError {
  return new RegistryError({
    host: origin.host,
    operation: origin.operation,
    message: `${origin.host} answered ${shorten(origin.operation)} with ${what}, expected an image manifest or index. Check that this is an image.`,
  });
}

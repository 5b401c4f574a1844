import * as z from 'zod/mini';
import type { BuildWarning } from './build-step.ts';
import { parseWarnings } from './rawjson.ts';

/** What buildx wrote to `--metadata-file` about one image. Absent: the engine didn't say. */
export type ImageMetadata = {
  /** Digest of the manifest, or of the index where there is one. */
  readonly digest?: string;
  /** Only where the result is a single manifest. */
  readonly configDigest?: string;
  readonly descriptor?: { readonly mediaType: string; readonly digest: string; readonly sizeBytes: number };
  readonly imageNames: readonly string[];
  /** `<builder>/<node>/<id>`: names the build in buildx's history. */
  readonly buildRef?: string;
};

/** The whole file: of a build its image, of a bake one for each target besides. */
export type BuildMetadata = ImageMetadata & {
  readonly targets: Readonly<Record<string, ImageMetadata>>;
  readonly warnings: readonly BuildWarning[];
  /** The file's own text: JSON. */
  readonly text: string;
};

/** What the Docker engine calls an image in containerd's store that was given no name: `moby-dangling@sha256:…`. */
const UNNAMED = 'moby-dangling@';

const optionalText = z.catch(z.optional(z.string()), undefined);
const digest = z.catch(
  z.optional(z.string().check(z.regex(/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/))),
  undefined,
);
const imageSchema = z.object({
  'containerimage.digest': digest,
  'containerimage.config.digest': digest,
  'containerimage.descriptor': z.catch(
    z.optional(z.object({ mediaType: z.string(), digest: z.string(), size: z.number() })),
    undefined,
  ),
  'image.name': optionalText,
  'buildx.build.ref': optionalText,
});
const fileSchema = z.record(z.string(), z.unknown());
const warningsSchema = z.catch(z.array(z.unknown()), []);

/** Reads the metadata file's text; undefined when it is empty, cut off or no JSON object. */
export function parseBuildMetadata(text: string): BuildMetadata | undefined {
  const file = z.safeParse(fileSchema, parseJson(text));
  if (!file.success) return undefined;
  const targets = Object.entries(file.data).filter(
    ([key, value]) => !/^(buildx|containerimage|image)\./.test(key) && isObject(value),
  );
  return {
    ...parseImage(file.data),
    targets: Object.fromEntries(targets.map(([name, value]) => [name, parseImage(value)])),
    warnings: parseWarnings(z.parse(warningsSchema, file.data['buildx.build.warnings'])),
    text,
  };
}

function parseImage(value: unknown): ImageMetadata {
  const parsed = z.safeParse(imageSchema, value);
  if (!parsed.success) return { imageNames: [] };
  const image = parsed.data;
  const descriptor = image['containerimage.descriptor'];
  return {
    ...(image['containerimage.digest'] === undefined ? {} : { digest: image['containerimage.digest'] }),
    ...(image['containerimage.config.digest'] === undefined
      ? {}
      : { configDigest: image['containerimage.config.digest'] }),
    ...(descriptor === undefined
      ? {}
      : {
          descriptor: {
            mediaType: descriptor.mediaType,
            digest: descriptor.digest,
            sizeBytes: descriptor.size,
          },
        }),
    imageNames: (image['image.name'] ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith(UNNAMED)),
    ...(image['buildx.build.ref'] === undefined ? {} : { buildRef: image['buildx.build.ref'] }),
  };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

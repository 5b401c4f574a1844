import * as z from 'zod/mini';

/** A layer of an image, from the base up. */
export type LocalLayer = {
  /** As the engine's history has it: `RUN npm ci # buildkit`; empty where it says nothing. */
  readonly instruction: string;
  /** Uncompressed, as the engine counts it. */
  readonly bytes: number;
};

/** One platform of an image. Sizes the engine doesn't know are absent. */
export type LocalImagePlatform = {
  /** `linux/amd64`, `linux/arm/v7`. */
  readonly platform: string;
  /** Manifest digest; known by engines with containerd's store. */
  readonly digest?: string;
  readonly compressedBytes?: number;
  readonly uncompressedBytes?: number;
  readonly layers: readonly LocalLayer[];
};

export type LocalImage = {
  /** The engine's id: the digest of the index or manifest (containerd's store) or of the config. */
  readonly id: string;
  readonly platforms: readonly LocalImagePlatform[];
};

/** Reads two kinds of JSON from the engine; undefined: there is no such image. */
export type ImageSource = {
  inspect(reference: string): Promise<unknown>;
  /** @param platform As the engine's API wants it; undefined: the engine's own. */
  history(reference: string, platform: EnginePlatform | undefined): Promise<unknown>;
};

export type EnginePlatform = {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
};

const size = z.catch(z.optional(z.number().check(z.nonnegative())), undefined);
const platformSchema = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.catch(z.optional(z.string()), undefined),
});
const imageSchema = z.object({
  Id: z.string(),
  Os: z.catch(z.string(), ''),
  Architecture: z.catch(z.string(), ''),
  Variant: z.catch(z.optional(z.string()), undefined),
  Size: size,
  Manifests: z.catch(z.array(z.unknown()), []),
});
const manifestSchema = z.object({
  ID: z.string(),
  Kind: z.literal('image'),
  Size: z.object({ Content: size }),
  ImageData: z.object({ Platform: platformSchema, Size: z.object({ Unpacked: size }) }),
});
const historySchema = z.array(
  z.object({ CreatedBy: z.catch(z.string(), ''), Size: z.catch(z.union([z.number(), z.string()]), 0) }),
);

/**
 * Reads an image of the engine's own store. With containerd's store (API 1.48 and later) each platform
 * has its compressed size, else only the uncompressed one is known.
 *
 * @see Docker Engine API, `ImageInspect` with `manifests=1`, `ImageHistory`
 */
export async function readLocalImage(
  source: ImageSource,
  reference: string,
): Promise<LocalImage | undefined> {
  const [inspected, ownHistory] = await Promise.all([
    source.inspect(reference),
    source.history(reference, undefined),
  ]);
  const image = z.safeParse(imageSchema, inspected);
  if (!image.success) return undefined;
  const own = toPlatformText({
    os: image.data.Os,
    architecture: image.data.Architecture,
    ...pick(image.data.Variant),
  });
  const manifests = image.data.Manifests.flatMap((item) => {
    const parsed = z.safeParse(manifestSchema, item);
    return parsed.success ? [parsed.data] : [];
  });
  if (manifests.length === 0) {
    const layers = toLayers(ownHistory);
    return { id: image.data.Id, platforms: [{ platform: own, ...uncompressed(image.data.Size), layers }] };
  }
  const platforms = manifests.map(async (manifest): Promise<LocalImagePlatform> => {
    const { variant, ...rest } = manifest.ImageData.Platform;
    const platform = { ...rest, ...pick(variant) };
    const isOwn = manifests.length === 1 || toPlatformText(platform) === own;
    const layers = toLayers(isOwn ? ownHistory : await source.history(reference, platform));
    return {
      platform: toPlatformText(platform),
      digest: manifest.ID,
      ...(manifest.Size.Content === undefined ? {} : { compressedBytes: manifest.Size.Content }),
      ...uncompressed(manifest.ImageData.Size.Unpacked),
      layers,
    };
  });
  return { id: image.data.Id, platforms: await Promise.all(platforms) };
}

/** 0 is what the engine says of an image it has not unpacked. */
function uncompressed(bytes: number | undefined): { uncompressedBytes?: number } {
  return bytes === undefined || bytes === 0 ? {} : { uncompressedBytes: bytes };
}

function pick(variant: string | undefined): { variant?: string } {
  return variant === undefined || variant === '' ? {} : { variant };
}

function toPlatformText({ os, architecture, variant }: EnginePlatform): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}

/** The engine lists the newest first. Entries without a layer (ENV, CMD) are left out. */
function toLayers(history: unknown): LocalLayer[] {
  const parsed = z.safeParse(historySchema, history);
  if (!parsed.success) return [];
  return parsed.data
    .map(({ CreatedBy, Size }) => ({
      instruction: CreatedBy,
      bytes: typeof Size === 'number' ? Size : parseSize(Size),
    }))
    .filter(({ bytes }) => bytes > 0)
    .toReversed();
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** The CLI prints a size as `3000000`, without `--human=false` as `3MB`. */
function parseSize(text: string): number {
  const match = /^([\d.]+)\s*([kKMGT]?B)?$/.exec(text.trim());
  const bytes = Number(match?.[1]) * (UNITS[match?.[2] ?? 'B'] ?? Number.NaN);
  return Number.isNaN(bytes) ? 0 : Math.round(bytes);
}

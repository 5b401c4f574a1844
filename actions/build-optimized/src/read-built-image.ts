import { isProgrammingError, messageOf } from '@sophia/action';
import type { Builder, Buildkit, BuildOutcome } from '@sophia/buildkit';
import type { BuildRecord } from '@sophia/records';
import { isDigest, parseReference, type Registry, simplifyCreatedBy, withDigest } from '@sophia/registry';
import { hasOutputType } from './build-arguments.ts';
import type { BuildInputs } from './inputs.ts';

export type BuiltImage = NonNullable<BuildRecord['image']>;
export type BuiltPlatform = BuiltImage['platforms'][number];

/** The image's facts, and why some are missing where reading them failed. */
type ReadResult = { readonly image: BuiltImage | undefined; readonly warnings: readonly string[] };

type Sources = { readonly buildkit: Buildkit; readonly registry: Registry; readonly signal: AbortSignal };

/**
 * Reads sizes and layers of what a build made, from the registry it was pushed to or else from the engine's own
 * store. The build stands whatever happens here: a size that can't be read is a warning.
 */
export async function readBuiltImage(
  inputs: BuildInputs,
  builder: Builder,
  outcome: BuildOutcome,
  sources: Sources,
): Promise<ReadResult> {
  const digest = outcome.metadata?.digest ?? outcome.imageId;
  if (digest === undefined) return { image: undefined, warnings: [] };
  const names = outcome.metadata?.imageNames ?? [];
  const references = names.length > 0 ? names : inputs.tags;
  const bare: BuiltImage = {
    digest,
    ...(outcome.imageId === undefined ? {} : { imageId: outcome.imageId }),
    references: [...references],
    platforms: [],
  };
  const isPushedImage = isPushed(inputs) && references[0] !== undefined;
  const [pushed, stored] = await Promise.all([
    isPushedImage ? settle(readPushed(references[0] ?? '', digest, sources)) : undefined,
    builder.driver === 'docker' || isLoaded(inputs)
      ? settle(readStored(references[0] ?? digest, sources))
      : undefined,
  ]);
  const warnings = [pushed, stored].flatMap((result) =>
    result?.problem === undefined ? [] : [result.problem],
  );
  const platforms = mergePlatforms(pushed?.value ?? [], stored?.value ?? []);
  return { image: { ...bare, platforms }, warnings };
}

/** What was found out beside the build, as far as the answers were there when it ended. */
export type Surroundings = { readonly replacedDigest?: string; readonly engineVersion?: string };

/** Questions asked beside the build; `end` gives what was answered by then and withdraws the rest. */
export type Survey = { start(): void; end(): Surroundings };

/**
 * Asks the registry what the first tag names before it is pushed (the baseline of what the build made) and the
 * engine for its version. The first also makes the connection, login included, that reading the pushed image uses.
 */
export function createSurvey(inputs: BuildInputs, { buildkit, registry, signal }: Sources): Survey {
  const [tag] = inputs.tags;
  const withdrawal = new AbortController();
  const either = AbortSignal.any([signal, withdrawal.signal]);
  const answers: { replacedDigest?: string; engineVersion?: string } = {};
  const ask = async (name: keyof Surroundings, question: Promise<string | undefined>) => {
    // Nobody awaits this one: even a bug of ours in it must not end a build that goes on.
    const value = await question.catch(() => undefined);
    if (value !== undefined) answers[name] = value;
  };
  return {
    start() {
      void ask('engineVersion', buildkit.findEngineVersion(either));
      if (tag !== undefined && isPushed(inputs)) {
        void ask('replacedDigest', registry.resolveDigest(parseReference(tag), either));
      }
    },
    end() {
      const answered = { ...answers };
      withdrawal.abort();
      return answered;
    },
  };
}

/** Whether the build pushes what it makes, by the input or by an output that says so. */
export function isPushed(inputs: BuildInputs): boolean {
  return (
    inputs.push ||
    hasOutputType(inputs.outputs, 'registry') ||
    inputs.outputs.some(
      (output) => hasOutputType([output], 'image') && /(^|,)\s*push=true\s*(,|$)/i.test(output),
    )
  );
}

function isLoaded(inputs: BuildInputs): boolean {
  return inputs.load || hasOutputType(inputs.outputs, 'docker');
}

/** A failed reading as a sentence: any Error of an outside system; a bug of ours is thrown on. */
async function settle<T>(work: Promise<T>): Promise<{ readonly value?: T; readonly problem?: string }> {
  try {
    return { value: await work };
  } catch (error) {
    if (isProgrammingError(error)) throw error;
    return { problem: `The image is built, but its size can't be read: ${messageOf(error)}` };
  }
}

async function readPushed(
  reference: string,
  digest: string,
  { registry, signal }: Sources,
): Promise<BuiltPlatform[]> {
  const parsed = parseReference(reference);
  const image = await registry.readImage(isDigest(digest) ? withDigest(parsed, digest) : parsed, signal);
  return image.platforms.map(({ platform, digest: own, compressedBytes, layers }) => ({
    platform,
    digest: own,
    compressedBytes,
    layers: layers.map((layer) => ({
      digest: layer.digest,
      compressedBytes: layer.compressedBytes,
      ...(layer.instruction === undefined ? {} : { instruction: layer.instruction }),
    })),
  }));
}

async function readStored(reference: string, { buildkit, signal }: Sources): Promise<BuiltPlatform[]> {
  const image = await buildkit.inspectLocalImage(reference, signal);
  return (image?.platforms ?? []).map(({ layers, ...platform }) => ({
    ...platform,
    layers: layers.map(({ instruction, bytes }) => ({
      uncompressedBytes: bytes,
      ...(instruction === '' ? {} : { instruction: simplifyCreatedBy(instruction) }),
    })),
  }));
}

/** What the registry says, with the unpacked sizes only the engine knows. */
function mergePlatforms(pushed: readonly BuiltPlatform[], stored: readonly BuiltPlatform[]): BuiltPlatform[] {
  if (pushed.length === 0) return [...stored];
  return pushed.map((platform) => {
    const local = stored.find((candidate) => candidate.platform === platform.platform);
    if (local === undefined) return platform;
    const areSameLayers = local.layers.length === platform.layers.length;
    return {
      ...platform,
      ...(local.uncompressedBytes === undefined ? {} : { uncompressedBytes: local.uncompressedBytes }),
      layers: platform.layers.map((layer, index) => {
        const bytes = areSameLayers ? local.layers[index]?.uncompressedBytes : undefined;
        return bytes === undefined ? layer : { ...layer, uncompressedBytes: bytes };
      }),
    };
  });
}

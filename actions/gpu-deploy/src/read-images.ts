import { isOutsideError, isProgrammingError } from '@sophia/action';
import type { Registry } from '@sophia/registry';
import type { ImageAnswer } from '@sophia/rollout';

/** A registry that only the cluster can reach must not keep the plan waiting: what isn't known by then is unknown. */
const ANSWER_LIMIT_MS = 4_000;

/** Asks the registries of images, each once. */
export type ImageReader = {
  /** What was answered so far; it grows. */
  readonly answers: ReadonlyMap<string, ImageAnswer>;
  /** Resolves when all of them have an answer, which `unknown` is one of. */
  readonly ask: (references: readonly string[], signal: AbortSignal) => Promise<void>;
};

/** @param loadRegistry Loads the registry client when the first question is asked. */
export function createImageReader(loadRegistry: () => Promise<ImageRegistry>): ImageReader {
  const answers = new Map<string, ImageAnswer>();
  const asked = new Map<string, Promise<void>>();
  const askOnce = (reference: string, signal: AbortSignal) => {
    const known = asked.get(reference);
    if (known !== undefined) return known;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
    const question = loadRegistry()
      .then((registry) => registry.readPlatforms(reference, limited))
      .catch((error: unknown) => toAnswer(error, limited))
      .then((answer) => {
        answers.set(reference, answer);
      });
    asked.set(reference, question);
    return question;
  };
  return {
    answers,
    ask: async (references, signal) => {
      await Promise.all(references.map((reference) => askOnce(reference, signal)));
    },
  };
}

/** The one question that is asked of a registry here. */
export type ImageRegistry = {
  readonly readPlatforms: (reference: string, signal: AbortSignal) => Promise<ImageAnswer>;
};

/** @param parse From `@sophia/registry`, loaded with it. */
export function toImageRegistry(
  registry: Pick<Registry, 'findManifest' | 'readImage'>,
  parse: (text: string) => Parameters<Registry['readImage']>[0],
): ImageRegistry {
  return {
    async readPlatforms(text, signal) {
      const reference = parse(text);
      const manifest = await registry.findManifest(reference, signal);
      if (manifest === undefined) return { kind: 'not-found' };
      const { platforms } = await registry.readImage(reference, signal);
      return {
        kind: 'found',
        platforms: platforms.flatMap(({ platform }) => (platform === 'unknown' ? [] : [platform])),
      };
    },
  };
}

function toAnswer(error: unknown, signal: AbortSignal): ImageAnswer {
  if (signal.aborted) return { kind: 'unknown' };
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 401 || status === 403) return { kind: 'denied' };
  // A name that is no reference is the plan's to refuse; whatever else a registry does wrong leaves it unknown.
  if (isOutsideError(error) || (error instanceof Error && error.name === 'InvalidReferenceError')) {
    return { kind: 'unknown' };
  }
  if (isProgrammingError(error)) throw error;
  return { kind: 'unknown' };
}

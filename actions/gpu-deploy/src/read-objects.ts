import { InputError } from '@sophia/action';
import {
  type Manifest,
  ManifestError,
  type ReadManifestsOptions,
  readManifests,
  replaceImages,
} from '@sophia/kubernetes';
import type { DeployInputs } from './inputs.ts';

/** The objects to deploy, and names of `images` that none of them uses. */
export type ReadObjects = { readonly manifests: readonly Manifest[]; readonly unused: readonly string[] };

/**
 * Reads the manifests and puts the images in their places.
 *
 * @throws {InputError} All that is wrong in them, at its file and line where one is to blame.
 */
export async function readObjects(
  { manifests, images }: Pick<DeployInputs, 'manifests' | 'images'>,
  options: ReadManifestsOptions,
): Promise<ReadObjects> {
  try {
    return replaceImages(await readManifests(manifests, options), images);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    const source = error.problems[0]?.source;
    throw new InputError(error.message, {
      cause: error,
      ...(source?.line === undefined ? {} : { location: { file: source.file, startLine: source.line } }),
    });
  }
}

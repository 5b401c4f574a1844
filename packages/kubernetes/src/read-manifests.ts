import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { buildKustomization, KUSTOMIZATION_NAMES, KustomizeError } from './kustomize.ts';
import type { Manifest } from './manifest.ts';
import { ManifestError, type ManifestProblem, placeOf } from './manifest-error.ts';
import { type ParsedManifests, parseManifests } from './parse-manifests.ts';
import { isMissingFile, readTextFile, TextFileError } from './text-file.ts';

export type ReadManifestsOptions = {
  /** Absolute; paths are relative to it and may not leave it, but for `RUNNER_TEMP` of `env`. */
  readonly workspace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
};

const MAX_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Reads manifests as `kubectl apply` does: files, folders (their `.yaml`, `.yml` and `.json` files by name, not those
 * of folders in them), and folders with a kustomization, which `kustomize` or `kubectl` builds.
 *
 * @returns In the order of the paths; at least one.
 * @throws {ManifestError} with everything that is wrong in all of them.
 */
export async function readManifests(
  paths: readonly string[],
  options: ReadManifestsOptions,
): Promise<readonly Manifest[]> {
  if (paths.length === 0)
    throw new ManifestError(
      [],
      'There is no path of manifests, expected at least one. Name a file or folder.',
    );
  const manifests: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const path of paths) {
    options.signal.throwIfAborted();
    const parsed = await readPath(path, options);
    manifests.push(...parsed.manifests);
    problems.push(...parsed.problems);
  }
  problems.push(...findTwins(manifests));
  if (problems.length > 0) throw new ManifestError(problems);
  if (manifests.length === 0)
    throw new ManifestError(
      [],
      `There is no object in ${paths.join(', ')}, expected manifests. Correct the path.`,
    );
  return manifests;
}

/** A path can't be read; the message goes on from its name. */
class PathError extends Error {
  override readonly name = 'PathError';
}

async function readPath(path: string, options: ReadManifestsOptions): Promise<ParsedManifests> {
  try {
    const { absolute, isFolder } = await locate(path, options);
    if (isFolder) return await readFolder(path, absolute, options);
    if (KUSTOMIZATION_NAMES.includes(basename(path)))
      throw new PathError('is a kustomization. Name its folder instead.');
    return await readFile(path, absolute);
  } catch (error) {
    if (!(error instanceof PathError || error instanceof KustomizeError)) throw error;
    return problemOfFile(path, error.message);
  }
}

function problemOfFile(file: string, message: string): ParsedManifests {
  return { manifests: [], problems: [{ source: { file, document: 1, line: undefined }, message }] };
}

/**
 * Where a path leads. It must lie in the workspace or the runner's temporary folder, where jobs write what they
 * generate. A link in there may lead to a file anywhere (build tools link to their caches), not to a folder.
 */
async function locate(
  path: string,
  { workspace, env }: ReadManifestsOptions,
): Promise<{ readonly absolute: string; readonly isFolder: boolean }> {
  if (/^\w+:\/\//.test(path)) throw new PathError('is a URL, expected a file or folder. Download it first.');
  const absolute = resolve(workspace, path);
  const roots = [workspace, env['RUNNER_TEMP'] ?? '']
    .filter((root) => root !== '')
    .map((root) => resolve(root));
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
  if (![...roots, ...realRoots].some((root) => isInside(absolute, root)))
    throw new PathError('is outside of the workspace. Name a path in it, or in RUNNER_TEMP.');
  try {
    const [real, status] = await Promise.all([realpath(absolute), stat(absolute)]);
    if (status.isDirectory() && !realRoots.some((root) => isInside(real, root)))
      throw new PathError('is a link to a folder outside of the workspace. Name a path in it.');
    return { absolute, isFolder: status.isDirectory() };
  } catch (error) {
    if (isMissingFile(error)) throw new PathError('is not there. Correct the path.');
    throw explain(error);
  }
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || way.startsWith(sep));
}

/** Failures of the file system as sentences; what is none is handed back as it is. */
function explain(error: unknown): unknown {
  if (error instanceof TextFileError) return new PathError(`${error.message}. Correct the path.`);
  if (error instanceof Error && 'code' in error)
    return new PathError(`can't be read: ${String(error.code)}. Check its permissions.`);
  return error;
}

async function readFile(name: string, absolute: string): Promise<ParsedManifests> {
  const text = await readTextFile(absolute, MAX_FILE_BYTES).catch((error: unknown) => {
    throw explain(error);
  });
  return parseManifests(text, name, false);
}

async function readFolder(
  name: string,
  absolute: string,
  options: ReadManifestsOptions,
): Promise<ParsedManifests> {
  const entries = await readdir(absolute, { withFileTypes: true }).catch((error: unknown) => {
    throw explain(error);
  });
  if (entries.some((entry) => KUSTOMIZATION_NAMES.includes(entry.name))) {
    const text = await buildKustomization(absolute, options);
    return parseManifests(text, name, true);
  }
  const files = entries
    .filter((entry) => !entry.isDirectory() && /\.(?:ya?ml|json)$/.test(entry.name))
    .map((entry) => entry.name)
    .toSorted();
  if (files.length === 0)
    throw new PathError('has no .yaml, .yml or .json file and no kustomization. Correct the path.');
  const manifests: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const file of files) {
    const parsed = await readPath(join(name, file), options);
    manifests.push(...parsed.manifests);
    problems.push(...parsed.problems);
  }
  return { manifests, problems };
}

/** Objects that are there twice, whatever versions of their group they are written in. */
function findTwins(manifests: readonly Manifest[]): readonly ManifestProblem[] {
  const first = new Map<string, Manifest>();
  const problems: ManifestProblem[] = [];
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest.object;
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    const key = JSON.stringify([group, kind, metadata.namespace ?? null, metadata.name]);
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, manifest);
    else
      problems.push({
        source: manifest.source,
        field: 'metadata.name',
        message: `${kind} ${metadata.name} is there already, at ${placeOf(earlier.source)}. Take one out.`,
      });
  }
  return problems;
}

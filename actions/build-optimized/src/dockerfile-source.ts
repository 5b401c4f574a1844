import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { InputError, quoteValue } from '@sophia/action';
import { type Dockerfile, parseDockerfile } from '@sophia/dockerfile';

/** The Dockerfile as far as it can be read here. */
export type DockerfileSource = {
  /** Path to show beside a line number, relative to the workspace where it lies in it. */
  readonly shownPath: string;
  /** Undefined where the file isn't on this machine. */
  readonly dockerfile: Dockerfile | undefined;
};

/** Above this a file is not a Dockerfile people read lines of; buildx judges it alone. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Finds the Dockerfile of a build, to show its lines. For a Git context the checkout in the workspace stands in,
 * where there is one: its lines are only used where they match the step that ran.
 *
 * @param context The build context, resolved.
 * @param file Input `file`, relative to the working directory as buildx has it.
 * @throws {InputError} The context is local and the context or the file isn't there.
 */
export function findDockerfile(context: string, file: string, workspace: string): DockerfileSource {
  if (!isLocal(context)) {
    // A Git context names a folder of the repository after its commit: `…#<commit>:<folder>`.
    const folder = /#[^:]*:(.+)$/.exec(context)?.[1] ?? '';
    const path = join(folder, file === '' ? 'Dockerfile' : file);
    return { shownPath: path, dockerfile: isLocal(file) ? readDockerfile(join(workspace, path)) : undefined };
  }
  if (!existsSync(context)) {
    throw new InputError(
      `Context ${quoteValue(context)} does not exist. Check the path, and that actions/checkout ran before this step.`,
    );
  }
  if (file !== '' && !isLocal(file)) return { shownPath: file, dockerfile: undefined };
  const path = file === '' ? join(context, 'Dockerfile') : file;
  if (!existsSync(path) && !(file === '' && existsSync(join(context, 'dockerfile')))) {
    throw new InputError(
      `Dockerfile ${quoteValue(path)} does not exist. Set "file" to its path from the working directory.`,
    );
  }
  return { shownPath: showPath(path, workspace), dockerfile: readDockerfile(path) };
}

/** By buildx's own test: anything with a scheme, `git@…` or `github.com/…` is fetched. */
function isLocal(path: string): boolean {
  return !/^([a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/)/i.test(path);
}

function readDockerfile(path: string): Dockerfile | undefined {
  if (!existsSync(path) || !statSync(path).isFile() || statSync(path).size > MAX_BYTES) return undefined;
  return parseDockerfile(readFileSync(path, 'utf8'));
}

function showPath(path: string, workspace: string): string {
  const fromWorkspace = relative(workspace, path);
  return fromWorkspace.startsWith('..') ? path : fromWorkspace;
}

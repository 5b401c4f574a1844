import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';

/** The folders that a run may read files from. */
export type Places = { readonly workspace: string; readonly temporaryFolder: string };

/** A file's text, or in one sentence why there is none: it isn't there, or it can't be taken. */
export type FileText =
  | { readonly kind: 'text'; readonly text: string; readonly bytes: Uint8Array }
  | { readonly kind: 'missing' | 'refused'; readonly message: string };

/** Where a path of the user's leads, or why it may not be followed. */
export type Located =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'missing' | 'refused'; readonly message: string };

/**
 * Follows a path, links and all, from the workspace. It must end in the workspace or in the runner's temporary
 * folder, so that no pull request can have another file of the machine read and shown.
 */
export async function locate(path: string, { workspace, temporaryFolder }: Places): Promise<Located> {
  const asked = resolve(workspace, path);
  const real = await realpath(asked).catch(toUndefined);
  if (real === undefined) return { kind: 'missing', message: `${path} does not exist.` };
  for (const place of [workspace, temporaryFolder]) {
    const root = await realpath(place).catch(toUndefined);
    if (root !== undefined && isWithin(root, real)) return { kind: 'path', path: real };
  }
  return { kind: 'refused', message: `${path} leads out of the workspace: expected a path in it.` };
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}

/** The path from the workspace, with `/`, as it is in the repository; undefined where it isn't in there. */
export function toRepositoryPath(path: string, workspace: string): string | undefined {
  const way = relative(workspace, resolve(workspace, path));
  return way === '' || way.startsWith('..') || isAbsolute(way) ? undefined : way.split('\\').join('/');
}

/** Reads a regular file of at most that many bytes. */
export async function readText(path: string, places: Places, maxBytes: number): Promise<FileText> {
  const located = await locate(path, places);
  return located.kind === 'path' ? readLocated(located.path, path, maxBytes) : located;
}

/**
 * Reads a file that was found to be in its place.
 *
 * @param name What to call it in a message.
 */
export async function readLocated(path: string, name: string, maxBytes: number): Promise<FileText> {
  let file: FileHandle;
  try {
    // A named pipe would wait for ever for somebody to write.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { kind: 'refused', message: `${name} can't be read: ${codeOf(error)}.` };
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) return { kind: 'refused', message: `${name} is no file.` };
    if (facts.size > maxBytes) {
      return { kind: 'refused', message: `${name} has ${facts.size} bytes: expected at most ${maxBytes}.` };
    }
    const bytes = await file.readFile();
    return { kind: 'text', text: bytes.toString('utf8'), bytes };
  } catch (error) {
    return { kind: 'refused', message: `${name} can't be read: ${codeOf(error)}.` };
  } finally {
    await file.close();
  }
}

function toUndefined(error: unknown): undefined {
  codeOf(error);
  return undefined;
}

/** @throws the error itself where it is none of the system's. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}

import { open } from 'node:fs/promises';

/** A file is not what it should be; the message goes on from its name, `is a folder`. */
export class TextFileError extends Error {
  override readonly name = 'TextFileError';
}

/**
 * Reads a plain file of at most `maxBytes` as UTF-8. What a pipe or a device would give never ends, so they are refused.
 *
 * @throws {TextFileError} where it is not plain or too large; Node's own error where it can't be opened.
 */
export async function readTextFile(path: string, maxBytes: number): Promise<string> {
  const { constants } = await import('node:fs');
  // Without O_NONBLOCK opening a pipe waits for its writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) throw new TextFileError('is a folder, expected a file');
    if (!stat.isFile()) throw new TextFileError('is no plain file');
    if (stat.size > maxBytes) throw new TextFileError(`has ${stat.size} bytes, expected at most ${maxBytes}`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Whether an error of the file system says that there is nothing at the path. */
export function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

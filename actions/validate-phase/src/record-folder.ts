import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type BuildRecord, readBuildRecord } from '@sophia/records';
import { codeOf, locate, type Places, readLocated } from './workspace-files.ts';

/** Build records of files, or why not all of them could be read: what is left out may be what would have failed. */
export type RecordFiles =
  | { readonly kind: 'records'; readonly records: readonly BuildRecord[]; readonly sha256: string }
  | { readonly kind: 'missing' | 'partial'; readonly message: string };

const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 8_000_000;
const MAX_TOTAL_BYTES = 256_000_000;

/**
 * Reads every build record of a folder, of those below it too, or of one file. Records of other kinds are passed
 * over; a file that is no record at all, or can't be read, spoils the whole.
 *
 * `sha256` is that of one file's bytes, or of what `sha256sum` prints of a folder's `.json` files in the order of
 * their paths.
 */
export async function readRecordFiles(path: string, places: Places): Promise<RecordFiles> {
  const located = await locate(path, places);
  if (located.kind !== 'path') {
    return { kind: located.kind === 'missing' ? 'missing' : 'partial', message: located.message };
  }
  const root = located.path;
  if (!(await stat(root)).isDirectory())
    return readEach([{ file: root, name: path }], ([digest = '']) => digest);
  const files = await listJsonFiles(root);
  if (typeof files === 'string') return { kind: 'partial', message: `${path} can't be read: ${files}.` };
  if (files.length > MAX_FILES) {
    return {
      kind: 'partial',
      message: `${path} holds ${files.length} files: expected at most ${MAX_FILES}.`,
    };
  }
  const names = files.map((file) => relative(root, file));
  const folder = path.replace(/\/+$/, '');
  return readEach(
    files.map((file, index) => ({ file, name: `${folder}/${names[index]}` })),
    (digests) => sha256Of(digests.map((digest, index) => `${digest}  ${names[index]}\n`).join('')),
  );
}

/** @param toDigest The digest of the whole from that of each file. */
async function readEach(
  files: readonly { readonly file: string; readonly name: string }[],
  toDigest: (digests: readonly string[]) => string,
): Promise<RecordFiles> {
  const records: BuildRecord[] = [];
  const digests: string[] = [];
  let totalBytes = 0;
  for (const { file, name } of files) {
    const read = await readLocated(file, name, MAX_FILE_BYTES);
    if (read.kind !== 'text') return { kind: 'partial', message: read.message };
    totalBytes += read.bytes.byteLength;
    if (totalBytes > MAX_TOTAL_BYTES) {
      return { kind: 'partial', message: `The records have more than ${MAX_TOTAL_BYTES} bytes at ${name}.` };
    }
    const record = takeRecord(read.text, name);
    if (typeof record === 'string') return { kind: 'partial', message: record };
    if (record !== undefined) records.push(record);
    digests.push(sha256Of(read.bytes));
  }
  return { kind: 'records', records, sha256: toDigest(digests) };
}

function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

async function listJsonFiles(folder: string): Promise<readonly string[] | string> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return (
      entries
        // A link may lead out of the workspace.
        .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    );
  } catch (error) {
    return codeOf(error);
  }
}

/** A build's record, undefined for a record of another kind, or what is wrong with the file. */
function takeRecord(text: string, name: string): BuildRecord | string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `${name} is not JSON: expected a record.`;
  }
  const kind =
    typeof document === 'object' && document !== null && 'kind' in document ? document.kind : undefined;
  if (typeof kind === 'string' && kind !== 'build') return undefined;
  const read = readBuildRecord(text, name);
  return read.kind === 'record' ? read.record : read.message;
}

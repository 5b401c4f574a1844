import * as z from 'zod/mini';
import { BUILD_RECORD_VERSION, type BuildRecord, buildRecordSchema } from './build-record.ts';

/** A record that can't be used, and why: one sentence that names the field. */
export type RecordProblem = { readonly kind: 'problem'; readonly message: string };

/**
 * Reads a BuildRecord of any minor version up to this one's.
 *
 * @param text The file's text.
 * @param name What to call it in a message, its path.
 */
export function readBuildRecord(
  text: string,
  name: string,
): { readonly kind: 'record'; readonly record: BuildRecord } | RecordProblem {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(`${name} is not JSON: ${error.message}.`);
  }
  const parsed = z.safeParse(buildRecordSchema, document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field =
      issue === undefined || issue.path.length === 0 ? 'The document' : issue.path.map(String).join('.');
    return problem(`${name} is not a BuildRecord 1.x: ${field}: ${issue?.message ?? 'invalid'}.`);
  }
  if (minorOf(parsed.data.version) > minorOf(BUILD_RECORD_VERSION)) {
    return problem(
      `${name} is a BuildRecord ${parsed.data.version}: expected at most ${BUILD_RECORD_VERSION}. Use a newer version of this action.`,
    );
  }
  return { kind: 'record', record: parsed.data };
}

function minorOf(version: string): number {
  return Number(version.split('.')[1]);
}

function problem(message: string): RecordProblem {
  return { kind: 'problem', message };
}

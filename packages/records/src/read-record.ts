import * as z from 'zod/mini';
import { BUILD_RECORD_VERSION, type BuildRecord, buildRecordSchema } from './build-record.ts';
import { DEPLOY_RECORD_VERSION, type DeployRecord, deployRecordSchema } from './deploy-record.ts';
import { PHASE_EVIDENCE_VERSION, type PhaseEvidence, phaseEvidenceSchema } from './phase-evidence.ts';

/** A record that can't be used, and why: one sentence that names the field. */
export type RecordProblem = { readonly kind: 'problem'; readonly message: string };

type ReadRecord<T> = { readonly kind: 'record'; readonly record: T } | RecordProblem;

/**
 * Reads a BuildRecord of any minor version up to this one's.
 *
 * @param text The file's text.
 * @param name What to call it in a message, its path.
 */
export function readBuildRecord(text: string, name: string): ReadRecord<BuildRecord> {
  return readRecord(text, name, {
    title: 'BuildRecord',
    version: BUILD_RECORD_VERSION,
    schema: buildRecordSchema,
  });
}

/**
 * Reads a DeployRecord of any minor version up to this one's.
 *
 * @param text The file's text.
 * @param name What to call it in a message, its path.
 */
export function readDeployRecord(text: string, name: string): ReadRecord<DeployRecord> {
  return readRecord(text, name, {
    title: 'DeployRecord',
    version: DEPLOY_RECORD_VERSION,
    schema: deployRecordSchema,
  });
}

/**
 * Reads a PhaseEvidence of any minor version up to this one's.
 *
 * @param text The file's text.
 * @param name What to call it in a message, its path.
 */
export function readPhaseEvidence(text: string, name: string): ReadRecord<PhaseEvidence> {
  return readRecord(text, name, {
    title: 'PhaseEvidence',
    version: PHASE_EVIDENCE_VERSION,
    schema: phaseEvidenceSchema,
  });
}

function readRecord<T extends { readonly version: string }>(
  text: string,
  name: string,
  record: { readonly title: string; readonly version: string; readonly schema: z.ZodMiniType<T> },
): ReadRecord<T> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(`${name} is not JSON: ${error.message}.`);
  }
  const parsed = z.safeParse(record.schema, document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field =
      issue === undefined || issue.path.length === 0 ? 'The document' : issue.path.map(String).join('.');
    return problem(`${name} is not a ${record.title} 1.x: ${field}: ${issue?.message ?? 'invalid'}.`);
  }
  if (minorOf(parsed.data.version) > minorOf(record.version)) {
    return problem(
      `${name} is a ${record.title} ${parsed.data.version}: expected at most ${record.version}. Use a newer version of this action.`,
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

import * as z from 'zod/mini';
import { BUILD_RECORD_SCHEMA_URL, buildRecordSchema } from './build-record.ts';
import { DEPLOY_RECORD_SCHEMA_URL, deployRecordSchema } from './deploy-record.ts';
import { PHASE_EVIDENCE_SCHEMA_URL, phaseEvidenceSchema } from './phase-evidence.ts';

/** The published JSON Schemas (draft 2020-12) by file name under `schemas/`, made from the zod schemas. */
export function toPublishedSchemas(): Readonly<Record<string, unknown>> {
  return {
    'build-record.v1.json': {
      $id: BUILD_RECORD_SCHEMA_URL,
      title: 'BuildRecord',
      // A newer minor version may add fields, so a reader must let unknown ones pass.
      ...z.toJSONSchema(buildRecordSchema, { io: 'input' }),
    },
    'deploy-record.v1.json': {
      $id: DEPLOY_RECORD_SCHEMA_URL,
      title: 'DeployRecord',
      ...z.toJSONSchema(deployRecordSchema, { io: 'input' }),
    },
    'phase-evidence.v1.json': {
      $id: PHASE_EVIDENCE_SCHEMA_URL,
      title: 'PhaseEvidence',
      ...z.toJSONSchema(phaseEvidenceSchema, { io: 'input' }),
    },
  };
}

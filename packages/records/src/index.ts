export {
  BUILD_RECORD_SCHEMA_URL,
  BUILD_RECORD_VERSION,
  type BuildRecord,
  buildRecordSchema,
} from './build-record.ts';
export {
  DEPLOY_RECORD_SCHEMA_URL,
  DEPLOY_RECORD_VERSION,
  type DeployRecord,
  deployRecordSchema,
} from './deploy-record.ts';
export {
  type Observation,
  PHASE_EVIDENCE_SCHEMA_URL,
  PHASE_EVIDENCE_VERSION,
  type PhaseEvidence,
  phaseEvidenceSchema,
} from './phase-evidence.ts';
export { type RecordProblem, readBuildRecord, readDeployRecord, readPhaseEvidence } from './read-record.ts';
export {
  attributeTime,
  BUILD_PHASES,
  type BuildPhase,
  type PhaseInterval,
  type TimeAttribution,
} from './time-attribution.ts';

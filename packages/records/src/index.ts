export {
  BUILD_RECORD_SCHEMA_URL,
  BUILD_RECORD_VERSION,
  type BuildRecord,
  buildRecordSchema,
} from './build-record.ts';
export { type RecordProblem, readBuildRecord } from './read-record.ts';
export {
  attributeTime,
  BUILD_PHASES,
  type BuildPhase,
  type PhaseInterval,
  type TimeAttribution,
} from './time-attribution.ts';

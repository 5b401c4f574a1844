export { checkArgumentSizes } from './argument-sizes.ts';
export type { BuildFailure } from './build-failure.ts';
export { type BuildLog, createBuildLog } from './build-log.ts';
export { type BuildMetadata, type ImageMetadata, parseBuildMetadata } from './build-metadata.ts';
export type {
  BuildStep,
  BuildWarning,
  Interval,
  Progress,
  ProgressEvent,
  StepHeading,
  StepKind,
  Transfer,
  TransferKind,
} from './build-step.ts';
export { type Builder, type BuilderNode, parseBuilder } from './builder.ts';
export {
  type Buildkit,
  type BuildkitOptions,
  type BuildOutcome,
  type BuildRequest,
  createBuildkit,
} from './buildkit.ts';
export { BuildkitError } from './buildkit-error.ts';
export type { Exec } from './docker-command.ts';
export type { FailureReason } from './failure-table.ts';
export type { LocalImage, LocalImagePlatform, LocalLayer } from './local-image.ts';
export { createProgressParser, type ProgressParser } from './progress-parser.ts';
export { neutralizeWorkflowCommands, toPlainText } from './terminal-text.ts';

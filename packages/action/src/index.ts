export { checkedCommit, type EventPayload, type RunContext, readContext, runUrl } from './context.ts';
export {
  InputError,
  isOutsideError,
  isProgrammingError,
  messageOf,
  type OutsideError,
  type SourceLocation,
} from './errors.ts';
export {
  findNearest,
  type ListKind,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseFields,
  parseList,
  parseSize,
  quoteValue,
} from './input-values.ts';
export {
  type Environment,
  findUnknownInputs,
  type InputDeclaration,
  type InputTable,
  type InputType,
  type InputValues,
  readInputs,
} from './inputs.ts';
export { attempt, describeRun, type RunDescription, writeRecordFile } from './record-file.ts';
export { type Action, type ActionRun, renderFailure, runAction } from './run-action.ts';
export { type Annotation, createRunner, defuse, type Runner } from './runner.ts';
export { openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

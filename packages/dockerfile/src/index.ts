export type { Heredoc } from './heredoc.ts';
export { type LineRange, locateStep, type StepPosition } from './locate-step.ts';
export type { Problem } from './logical-lines.ts';
export {
  type Arguments,
  type Dockerfile,
  type Instruction,
  parseDockerfile,
  type Stage,
} from './parse-dockerfile.ts';

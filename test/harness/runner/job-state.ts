import type { ActionMetadata } from './action-metadata.ts';
import { type ExpressionContext, evaluateTemplate, type JobStatus } from './expressions.ts';
import type { JobFolders, JobOptions } from './runner-environment.ts';
import type { SecretMasker } from './secret-masker.ts';
import type { CancelTimes, StepControl } from './step-process.ts';
import type { Annotation } from './workflow-commands.ts';

export type Conclusion = 'success' | 'failure' | 'cancelled' | 'skipped';

export interface StepCommon {
  readonly id?: string;
  /** A condition as in a workflow; `success()` when left out. */
  readonly if?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly continueOnError?: boolean;
  readonly onLine?: (line: string, control: StepControl) => void;
  readonly onStart?: (control: StepControl) => void;
  /** Default 5 minutes. A step over it is killed and fails. */
  readonly timeoutMs?: number;
  readonly cancelTimes?: CancelTimes;
}

/** A `uses:` step; its values may hold `${{ … }}`. */
export interface ActionStep extends StepCommon {
  readonly actionFolder: string;
  readonly inputs?: Readonly<Record<string, string>>;
  /** GITHUB_ACTION_REPOSITORY; empty for a local `./` action, whose `pre` does not run. */
  readonly actionRepository?: string;
  readonly actionRef?: string;
  /** The Node binary; the one running the tests when left out. */
  readonly node?: string;
}

/** A `run:` step for bash. */
export interface RunStep extends StepCommon {
  readonly run: string;
}

export type JobStep = ActionStep | RunStep;

/** One process of one step. */
export interface PhaseResult {
  readonly phase: 'pre' | 'main' | 'post';
  readonly conclusion: Conclusion;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly durationMs: number;
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** What GITHUB_ENV added. */
  readonly env: Readonly<Record<string, string>>;
  /** What GITHUB_PATH added. */
  readonly paths: readonly string[];
  /** Markdown, secrets masked. */
  readonly summary: string;
  readonly annotations: readonly Annotation[];
}

export const skippedPhase = (phase: PhaseResult['phase']): PhaseResult => ({
  phase,
  conclusion: 'skipped',
  exitCode: null,
  signal: null,
  durationMs: 0,
  outputs: {},
  state: {},
  env: {},
  paths: [],
  summary: '',
  annotations: [],
});

/** A step as the `steps` context and the run page would show it. */
export interface StepResult {
  readonly id: string;
  /** Before `continue-on-error`. */
  readonly outcome: Conclusion;
  readonly conclusion: Conclusion;
  readonly phases: readonly PhaseResult[];
  readonly outputs: Readonly<Record<string, string>>;
}

export interface JobState {
  readonly options: JobOptions;
  readonly folders: JobFolders;
  readonly github: Readonly<Record<string, unknown>>;
  readonly runner: Readonly<Record<string, string>>;
  readonly trackingId: string;
  readonly masker: SecretMasker;
  readonly env: Map<string, string>;
  readonly log: string[];
  readonly rawLog: string[];
  readonly warnings: string[];
  readonly steps: Record<string, { outputs: Record<string, string>; outcome: string; conclusion: string }>;
  readonly posts: PendingPost[];
  paths: string[];
  status: JobStatus;
}

export interface PendingPost {
  readonly id: string;
  readonly step: ActionStep;
  readonly metadata: ActionMetadata;
  readonly state: Map<string, string>;
}

export function print(state: JobState, text: string): void {
  for (const line of text.split(/\r?\n/u)) state.log.push(state.masker.mask(line));
}

export function expressionContext(
  state: JobState,
  stepEnv: Readonly<Record<string, string>> = {},
): ExpressionContext {
  return {
    github: state.github,
    runner: state.runner,
    job: { status: state.status },
    env: { ...Object.fromEntries(state.env), ...stepEnv },
    steps: state.steps,
    secrets: { ...state.options.secrets, GITHUB_TOKEN: state.github['token'] },
    vars: state.options.vars ?? {},
    inputs: {},
    matrix: {},
    strategy: {},
    needs: {},
  };
}

export function expand(
  state: JobState,
  template: string,
  stepEnv: Readonly<Record<string, string>> = {},
): string {
  return evaluateTemplate(template, expressionContext(state, stepEnv), state.status, state.folders.workspace);
}

export function expandAll(
  state: JobState,
  record: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, expand(state, value)]));
}

export function warn(state: JobState, annotations: Annotation[], message: string): void {
  state.warnings.push(message);
  annotations.push({ level: 'warning', message });
  print(state, `##[warning]${message}`);
}

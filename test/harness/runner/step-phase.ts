import { rm } from 'node:fs/promises';
import { createCommandFiles, type FileCommandResult, readCommandFiles } from './file-commands.ts';
import {
  type Conclusion,
  expandAll,
  type JobState,
  type PhaseResult,
  print,
  type StepCommon,
} from './job-state.ts';
import { checkCallerEnvironment, githubVariables, runnerVariables } from './runner-environment.ts';
import { runnerCancelTimes, runStepProcess, type StepProcessResult } from './step-process.ts';
import { type Annotation, createCommandInterpreter } from './workflow-commands.ts';

export interface PhaseRequest {
  readonly phase: PhaseResult['phase'];
  readonly id: string;
  readonly step: StepCommon;
  readonly command: string;
  readonly args: readonly string[];
  /** What this phase adds over the job's environment: INPUT_*, STATE_*, the services. */
  readonly variables: Readonly<Record<string, string>>;
  readonly github: Readonly<Record<string, unknown>>;
  readonly annotations: Annotation[];
}

function phaseConclusion(process: StepProcessResult, hasFailed: boolean): Conclusion {
  if (process.isCancelled) return 'cancelled';
  return process.exitCode === 0 && !hasFailed ? 'success' : 'failure';
}

function environmentOf(
  state: JobState,
  request: PhaseRequest,
  files: Awaited<ReturnType<typeof createCommandFiles>>,
): Record<string, string> {
  const stepEnv = expandAll(state, request.step.env);
  checkCallerEnvironment(stepEnv);
  const base: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: state.folders.home,
    CI: 'true',
    ...Object.fromEntries(state.env),
    ...stepEnv,
  };
  return {
    ...base,
    PATH: [...[...state.paths].reverse(), base['PATH']].join(':'),
    ...request.variables,
    ...githubVariables(request.github, files),
    ...runnerVariables(state.runner),
    RUNNER_TRACKING_ID: state.trackingId,
  };
}

function applyFileCommands(state: JobState, result: FileCommandResult, annotations: Annotation[]): void {
  for (const [name, value] of result.env) state.env.set(name, value);
  state.paths = [...state.paths.filter((one) => !result.paths.includes(one)), ...result.paths];
  for (const { message } of result.errors) {
    annotations.push({ level: 'error', message });
    print(state, `##[error]${message}`);
  }
}

function explainEnd(state: JobState, request: PhaseRequest, ended: StepProcessResult): string | undefined {
  if (ended.startError !== undefined) {
    const reason = ended.startError.code === 'E2BIG' ? 'Argument list too long' : ended.startError.message;
    return `An error occurred trying to start process '${request.command}' with working directory '${state.folders.workspace}'. ${reason}`;
  }
  if (ended.isTimedOut) return `The action '${request.id}' has timed out.`;
  if (ended.isCancelled) return 'The operation was canceled.';
  // A run: step's exit code is shown by the runner; an action has to say its own reason.
  if (ended.exitCode !== 0 && !('actionFolder' in request.step)) {
    return `Process completed with exit code ${ended.exitCode ?? 128}.`;
  }
  return undefined;
}

export async function runPhase(state: JobState, request: PhaseRequest): Promise<PhaseResult> {
  const { annotations } = request;
  const files = await createCommandFiles(state.folders.temp);
  const printed = { outputs: new Map<string, string>(), state: new Map<string, string>() };
  let hasFailed = false;
  const interpret = createCommandInterpreter({
    print: (line) => print(state, line),
    annotate: (annotation) => annotations.push(annotation),
    addMask: state.masker.add,
    setOutput: (name, value) => printed.outputs.set(name, value),
    saveState: (name, value) => printed.state.set(name, value),
    fail() {
      hasFailed = true;
    },
    isDebug: state.options.debug === true,
  });
  const startedAt = performance.now();
  const ended = await runStepProcess({
    command: request.command,
    args: request.args,
    cwd: state.folders.workspace,
    env: environmentOf(state, request, files),
    cancelTimes: request.step.cancelTimes ?? runnerCancelTimes,
    timeoutMs: request.step.timeoutMs ?? 300_000,
    onLine(line, control) {
      state.rawLog.push(line);
      interpret(line);
      request.step.onLine?.(line, control);
    },
    ...(request.step.onStart === undefined ? {} : { onStart: request.step.onStart }),
  });
  const durationMs = performance.now() - startedAt;
  const reason = explainEnd(state, request, ended);
  if (reason !== undefined) {
    annotations.push({ level: 'error', message: reason });
    print(state, `##[error]${reason}`);
  }
  const commands = await readCommandFiles(files);
  await Promise.all(Object.values(files).map((file) => rm(file, { force: true })));
  applyFileCommands(state, commands, annotations);
  return {
    phase: request.phase,
    conclusion: phaseConclusion(ended, hasFailed || commands.errors.some((error) => error.fails)),
    exitCode: ended.exitCode,
    signal: ended.signal,
    durationMs,
    outputs: Object.fromEntries([...printed.outputs, ...commands.outputs]),
    state: Object.fromEntries([...printed.state, ...commands.state]),
    env: Object.fromEntries(commands.env),
    paths: commands.paths,
    summary: state.masker.mask(commands.summary),
    // Shown as the run page shows them: with the secrets masked.
    annotations: annotations.map((one) => ({ ...one, message: state.masker.mask(one.message) })),
  };
}

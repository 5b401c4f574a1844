import { createJob } from './job.ts';
import type { ActionStep, Conclusion, PhaseResult } from './job-state.ts';
import type { LeftProcess } from './left-processes.ts';
import type { JobFolders, JobOptions } from './runner-environment.ts';
import type { CancelTimes, StepControl } from './step-process.ts';
import type { Annotation } from './workflow-commands.ts';

/** When and how to interrupt a running action. The first of `ms` and `output` that comes true counts. */
export interface SignalAfter {
  /** Milliseconds after the main process started. */
  readonly ms?: number;
  /** A line of the action's output, before masking. */
  readonly output?: RegExp | string;
  /** `cancel` (the default) is the runner's SIGINT, SIGTERM, SIGKILL; a signal is sent alone. */
  readonly send?: 'cancel' | NodeJS.Signals;
}

export interface RunActionOptions extends JobOptions {
  /** The folder of `action.yml`, with its bundle. */
  readonly actionFolder: string;
  /** As written under `with:`; values may hold `${{ … }}`. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly id?: string;
  readonly actionRepository?: string;
  readonly actionRef?: string;
  readonly node?: string;
  readonly signalAfter?: SignalAfter;
  readonly cancelTimes?: CancelTimes;
  readonly timeoutMs?: number;
  /** Called with each line of output as it comes, before masking; may cancel or kill the process. */
  readonly onOutput?: (line: string, control: StepControl) => void;
}

/** Everything a run left behind that a user or a later step could see. */
export interface ActionRun extends AsyncDisposable {
  /** Of the whole step with pre and post. */
  readonly conclusion: Conclusion;
  /** Of main; null when a signal ended it or it never ran. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** What GITHUB_ENV and GITHUB_PATH added over all phases. */
  readonly env: Readonly<Record<string, string>>;
  readonly paths: readonly string[];
  /** Markdown of all phases, secrets masked. */
  readonly summary: string;
  readonly annotations: readonly Annotation[];
  /** Lines joined by line feeds; each masked with the secrets known when it was printed. */
  readonly log: string;
  readonly rawLog: string;
  readonly masks: readonly string[];
  /** What the runner and this harness warned of. */
  readonly warnings: readonly string[];
  readonly phases: readonly PhaseResult[];
  readonly durationMs: number;
  readonly processesLeft: readonly LeftProcess[];
  /** Still there until the run is disposed. */
  readonly folders: JobFolders;
}

function createInterrupt(after: SignalAfter | undefined): {
  onStart: (control: StepControl) => void;
  onLine: (line: string, control: StepControl) => void;
} {
  let isSent = false;
  const fire = (control: StepControl) => {
    if (isSent) return;
    isSent = true;
    if (after?.send === undefined || after.send === 'cancel') control.cancel();
    else control.kill(after.send);
  };
  return {
    onStart(control) {
      if (after?.ms !== undefined) setTimeout(() => fire(control), after.ms).unref();
    },
    onLine(line, control) {
      if (after?.output === undefined) return;
      if (typeof after.output === 'string' ? line.includes(after.output) : after.output.test(line))
        fire(control);
    },
  };
}

function merge(phases: readonly PhaseResult[], field: 'env' | 'state' | 'outputs'): Record<string, string> {
  return Object.assign({}, ...phases.map((phase) => phase[field]));
}

/**
 * Runs a JavaScript action, its pre, main and post, as GitHub's runner does, in a job of its own. A failing
 * action is a result; only a wrong use of the harness throws.
 *
 * Use it with `await using`: the folders of the run stay until it is disposed.
 */
export async function runAction(options: RunActionOptions): Promise<ActionRun> {
  const startedAt = performance.now();
  const { actionFolder, inputs, id, actionRepository, actionRef, node, cancelTimes, timeoutMs, ...rest } =
    options;
  const { signalAfter, onOutput, ...jobOptions } = rest;
  const interrupt = createInterrupt(signalAfter);
  const optional = { inputs, id, actionRepository, actionRef, node, cancelTimes, timeoutMs };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  const step: ActionStep = {
    actionFolder,
    ...given,
    onStart: interrupt.onStart,
    onLine(line, control) {
      onOutput?.(line, control);
      interrupt.onLine(line, control);
    },
  };
  const job = await createJob(jobOptions);
  try {
    const result = await job.runStep(step);
    const phases = [...result.phases, ...(await job.finish()).map((post) => post.result)];
    const main = result.phases.at(-1);
    const processesLeft = await job.leftProcesses();
    return {
      conclusion: job.status(),
      exitCode: main?.exitCode ?? null,
      signal: main?.signal ?? null,
      outputs: result.outputs,
      state: merge(phases, 'state'),
      env: merge(phases, 'env'),
      paths: phases.flatMap((phase) => phase.paths),
      summary: phases.map((phase) => phase.summary).join(''),
      annotations: phases.flatMap((phase) => phase.annotations),
      log: job.log(),
      rawLog: job.rawLog(),
      masks: job.masks(),
      warnings: job.warnings(),
      phases,
      durationMs: performance.now() - startedAt,
      processesLeft,
      folders: job.folders,
      [Symbol.asyncDispose]: () => job[Symbol.asyncDispose](),
    };
  } catch (error) {
    await job[Symbol.asyncDispose]();
    throw error;
  }
}

import { InputError, isOutsideError } from './errors.ts';
import type { Environment } from './inputs.ts';
import { createRunner, defuse, type Runner } from './runner.ts';
import { renderWorkflowCommand } from './workflow-command.ts';

/** What `runAction` hands to the action beside its inputs. */
export type ActionRun<Output extends string> = {
  readonly environment: Environment;
  /** Aborted when the job is cancelled (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
  /** Loads `@actions/core`, once: 50 ms in which nothing else runs here. Start outside work before it. */
  readonly loadRunner: () => Promise<Runner<Output>>;
};

export type Action<Inputs, Output extends string> = {
  /** The action's name, for the message about a bug of ours. */
  readonly name: string;
  readonly readInputs: (environment: Environment) => Inputs;
  readonly run: (inputs: Inputs, context: ActionRun<Output>) => Promise<void>;
};

/** The exit status a shell gives a process ended by the signal. */
const EXIT_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs an action: reads its inputs, runs it, cancels it on SIGINT or SIGTERM, shows the one error it ends
 * with, and sets the exit status. Nothing else in an action catches broadly.
 *
 * Inputs are read before `@actions/core` is loaded (50 ms, most of it an HTTP client the log needs nothing of),
 * so that a wrong one is reported at once; `docs/decisions/0001` has the figures.
 */
export async function runAction<Inputs, Output extends string>(
  action: Action<Inputs, Output>,
): Promise<void> {
  const environment = process.env;
  const cancellation = new AbortController();
  const cancel = (signal: keyof typeof EXIT_STATUS) => {
    process.exitCode = EXIT_STATUS[signal];
    cancellation.abort(new InputError(`The run was canceled by ${signal}.`));
  };
  process.once('SIGINT', cancel);
  process.once('SIGTERM', cancel);
  try {
    const inputs = action.readInputs(environment);
    let runner: Promise<Runner<Output>> | undefined;
    const loadRunner = () => {
      runner ??= import('@actions/core').then((core) => createRunner<Output>(core));
      return runner;
    };
    await action.run(inputs, { environment, signal: cancellation.signal, loadRunner });
  } catch (error) {
    process.exitCode = process.exitCode || 1;
    // What stops half-way because of the signal fails in its own words; the user's cause is the signal.
    const isExpected = error instanceof InputError || isOutsideError(error);
    const cause: unknown = isExpected && cancellation.signal.aborted ? cancellation.signal.reason : error;
    process.stdout.write(renderFailure(action.name, cause));
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
  }
}

/**
 * The log text of the error an action ends with: one annotation, its further lines below it in the log, and a
 * stack only where the error is a bug of ours.
 */
export function renderFailure(actionName: string, error: unknown): string {
  if (error instanceof InputError || isOutsideError(error)) {
    const location = error instanceof InputError ? error.location : undefined;
    const properties = {
      file: location?.file,
      line: location?.startLine,
      col: location?.startColumn,
      endLine: location?.endLine,
    };
    return `${renderWorkflowCommand('error', properties, error.message)}\n`;
  }
  const { message, stack } =
    error instanceof Error ? error : { message: `a thrown ${typeof error}`, stack: undefined };
  const advice = 'Report it with the log below at https://github.com/sophia/actions/issues.';
  const lines = [
    renderWorkflowCommand('error', {}, `This is a bug in ${actionName}: ${message}. ${advice}`),
    '::group::Stack',
    defuse(stack ?? 'no stack'),
    '::endgroup::',
  ];
  return `${lines.join('\n')}\n`;
}

import { type ChildProcess, spawn } from 'node:child_process';

/** How long the runner waits between the signals of a cancel. */
export interface CancelTimes {
  /** After SIGINT, before SIGTERM. */
  readonly interruptMs: number;
  /** After SIGTERM, before SIGKILL. */
  readonly terminateMs: number;
}

/** The runner's own times: `_sigintTimeout` and `_sigtermTimeout` of its ProcessInvoker. */
export const runnerCancelTimes: CancelTimes = { interruptMs: 7_500, terminateMs: 2_500 };

/** What a test may do to a running step. */
export interface StepControl {
  /** Cancels as the runner does: SIGINT, then SIGTERM, then SIGKILL. */
  readonly cancel: () => void;
  /** Sends one signal to the step's process; the step is not marked as cancelled. */
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly pid: number | undefined;
}

export interface StepProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cancelTimes: CancelTimes;
  readonly timeoutMs: number;
  /** Each line of stdout and stderr, in order of arrival, without its line end. */
  readonly onLine: (line: string, control: StepControl) => void;
  readonly onStart?: (control: StepControl) => void;
}

export interface StepProcessResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly isCancelled: boolean;
  readonly isTimedOut: boolean;
  /** Why the process could not be started at all, such as `E2BIG`. */
  readonly startError: NodeJS.ErrnoException | undefined;
}

// Bytes are kept until their line is whole, so that a character split over two chunks survives.
function createLineSplitter(onLine: (line: string) => void): {
  push: (chunk: Buffer) => void;
  end: () => void;
} {
  let rest: Buffer[] = [];
  const emit = (bytes: Buffer) => onLine(bytes.toString('utf8').replace(/\r$/u, ''));
  return {
    push(chunk) {
      let start = 0;
      for (let feed = chunk.indexOf(10); feed >= 0; feed = chunk.indexOf(10, start)) {
        emit(Buffer.concat([...rest, chunk.subarray(start, feed)]));
        rest = [];
        start = feed + 1;
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    },
    end() {
      if (rest.length > 0) emit(Buffer.concat(rest));
      rest = [];
    },
  };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

function sendSignal(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

/**
 * Runs one process of a step and waits for it to exit and for its output to end. A process it started that
 * keeps the pipes open is not waited for longer than 2 s, as it would be found among the processes left.
 */
export async function runStepProcess(options: StepProcessOptions): Promise<StepProcessResult> {
  const { promise, resolve } = Promise.withResolvers<StepProcessResult>();
  let isCancelled = false;
  let isTimedOut = false;
  const timers: NodeJS.Timeout[] = [];
  const later = (ms: number, act: () => void) => timers.push(setTimeout(act, ms));
  let child: ChildProcess;
  try {
    child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    // E2BIG is thrown at once; ENOENT comes as an event.
    if (!isSystemError(error)) throw error;
    return { exitCode: null, signal: null, isCancelled, isTimedOut, startError: error };
  }
  const control: StepControl = {
    pid: child.pid,
    kill: (signal) => sendSignal(child, signal),
    cancel() {
      if (isCancelled) return;
      isCancelled = true;
      sendSignal(child, 'SIGINT');
      later(options.cancelTimes.interruptMs, () => sendSignal(child, 'SIGTERM'));
      later(options.cancelTimes.interruptMs + options.cancelTimes.terminateMs, () =>
        sendSignal(child, 'SIGKILL'),
      );
    },
  };
  const finish = (startError?: NodeJS.ErrnoException) => {
    for (const timer of timers) clearTimeout(timer);
    resolve({ exitCode: child.exitCode, signal: child.signalCode, isCancelled, isTimedOut, startError });
  };
  const splitters = [child.stdout, child.stderr].map((stream) => {
    const splitter = createLineSplitter((line) => options.onLine(line, control));
    stream?.on('data', splitter.push);
    return splitter;
  });
  const end = (startError?: NodeJS.ErrnoException) => {
    for (const splitter of splitters) splitter.end();
    child.stdout?.destroy();
    child.stderr?.destroy();
    finish(startError);
  };
  child.on('error', (error) => end(error));
  child.on('close', () => end());
  child.on('exit', () => later(2_000, () => end()));
  later(options.timeoutMs, () => {
    isTimedOut = true;
    sendSignal(child, 'SIGKILL');
  });
  options.onStart?.(control);
  return promise;
}

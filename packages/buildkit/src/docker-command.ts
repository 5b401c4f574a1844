import { AsyncLocalStorage } from 'node:async_hooks';
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecOptions } from '@actions/exec';
import { checkArgumentSizes } from './argument-sizes.ts';
import { BuildkitError } from './buildkit-error.ts';
import { keepRunning, killProcesses, listProcessTree, type SeenProcess } from './process-tree.ts';

/** `exec` of @actions/exec. */
export type Exec = (commandLine: string, args?: string[], options?: ExecOptions) => Promise<number>;

export type DockerCommand = {
  /** What is done, for errors: `build`. */
  readonly operation: string;
  /** Path of a program that does it in docker's place. */
  readonly program?: string | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
  /** Called once the process runs: a good moment to do work of one's own beside it. */
  readonly onStarted?: (() => void) | undefined;
  /** From the abort to the kill; 8 s by default. */
  readonly killAfterMs?: number;
};

export type DockerResult = { readonly exitCode: number; readonly wasAborted: boolean };

/** The workflow runner kills an action 10 s after the first signal. */
const KILL_AFTER_MS = 8000;
const POLL_MS = 50;

/**
 * Runs `docker <args>` and waits for its end. Arguments reach docker as they are: nothing reads them
 * on the way.
 *
 * An aborted signal sends docker SIGTERM, by which buildx cancels what it runs in the engine. What is
 * left after 8 s is killed, with every process below it. On return none of them runs.
 *
 * @throws {BuildkitError} docker isn't there, can't be started, or an argument is too large.
 */
export async function runDocker(exec: Exec, command: DockerCommand): Promise<DockerResult> {
  if (command.signal.aborted) return { exitCode: 130, wasAborted: true };
  checkArgumentSizes(command.args, command.env);
  const dockerPath = command.program ?? findDocker(command);
  const call = Symbol(command.operation);
  const child = watchForChild(call);
  const cancellation = createCancellation(() => child.current(), command.killAfterMs ?? KILL_AFTER_MS);
  child.onFound(() => {
    if (command.signal.aborted) cancellation.start();
    command.onStarted?.();
  });
  const onAbort = (): void => cancellation.start();
  command.signal.addEventListener('abort', onAbort, { once: true });
  const rejection = watchForLostRejection(dockerPath);
  try {
    const running = callAtWork.run(call, () =>
      exec(quoteForExec(dockerPath), [...command.args], {
        silent: true,
        ignoreReturnCode: true,
        env: { ...command.env },
        cwd: command.cwd,
        delay: 2000,
        listeners: { stdout: command.onStdout, stderr: command.onStderr },
      }),
    );
    const exitCode = await Promise.race([running, rejection.promise]);
    await cancellation.finish();
    return { exitCode, wasAborted: command.signal.aborted };
  } catch (error) {
    throw describeStartFailure(error, command);
  } finally {
    command.signal.removeEventListener('abort', onAbort);
    rejection.stop();
    child.stop();
  }
}

/**
 * The first program named docker in PATH.
 *
 * @throws {BuildkitError} There is none.
 */
export function findDocker(command: Pick<DockerCommand, 'env' | 'operation'>): string {
  for (const folder of (command.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'docker');
    if (folder !== '' && isExecutableFile(path)) return path;
  }
  throw new BuildkitError(
    'Docker was not found: no program "docker" in any folder of PATH. Install Docker with buildx, or run the job on a runner that has it.',
    {
      operation: command.operation,
    },
  );
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

/** `exec` splits its first argument at blanks outside of double quotes. */
function quoteForExec(path: string): string {
  return `"${path.replaceAll('"', '\\"')}"`;
}

/** Which call of `runDocker` is at work; a child belongs to the one it is spawned in. */
const callAtWork = new AsyncLocalStorage<symbol>();

/**
 * `exec` keeps its child to itself. Node announces every new child on a diagnostics channel, inside the call that
 * spawns it and before it runs; by the next microtask it does.
 */
function watchForChild(call: symbol): {
  current(): ChildProcess | undefined;
  onFound(then: () => void): void;
  stop(): void;
} {
  let found: ChildProcess | undefined;
  let then: () => void = () => undefined;
  const onChild = (message: unknown): void => {
    if (callAtWork.getStore() !== call || found !== undefined) return;
    if (typeof message !== 'object' || message === null || !('process' in message)) return;
    found = message.process as ChildProcess;
    queueMicrotask(then);
  };
  subscribe('child_process', onChild);
  return {
    current: () => found,
    onFound: (next) => {
      then = next;
    },
    stop: () => unsubscribe('child_process', onChild),
  };
}

/**
 * When `spawn` throws at once (E2BIG, a wrong option), `exec` of @actions/exec 3.0.0 never settles: the
 * error is lost inside as an unhandled rejection. It is taken up here; any other goes on as before.
 */
function watchForLostRejection(path: string): { readonly promise: Promise<never>; stop(): void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, onReject) => {
    reject = onReject;
  });
  const onRejection = (reason: unknown): void => {
    if (isSpawnFailure(reason, path)) reject(reason);
    // With a listener present Node leaves the matter to it: this restores what Node does without one.
    else if (process.listenerCount('unhandledRejection') === 1) throw reason;
  };
  process.on('unhandledRejection', onRejection);
  return { promise, stop: () => process.off('unhandledRejection', onRejection) };
}

function isSpawnFailure(reason: unknown, path: string): reason is NodeJS.ErrnoException {
  if (!(reason instanceof Error)) return false;
  const { syscall, code } = reason as NodeJS.ErrnoException;
  return (
    syscall === 'spawn' ||
    syscall === `spawn ${path}` ||
    code === 'ERR_INVALID_ARG_VALUE' ||
    code === 'ERR_INVALID_ARG_TYPE'
  );
}

function describeStartFailure(error: unknown, command: DockerCommand): unknown {
  if (!(error instanceof Error) || error instanceof BuildkitError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'E2BIG') {
    return new BuildkitError(
      "Docker could not be started: arguments and environment together are over the system's limit. Move long values into files.",
      {
        operation: command.operation,
        cause: error,
      },
    );
  }
  const cause = error.message.replace(/^.*Error: /s, '').slice(0, 120);
  return new BuildkitError(
    `Docker could not be started: ${cause}. Check that "docker version" works in this job.`,
    {
      operation: command.operation,
      cause: error,
    },
  );
}

/** Ends docker and all below it: SIGTERM, then SIGKILL to what is left. */
function createCancellation(
  child: () => ChildProcess | undefined,
  killAfterMs: number,
): {
  start(): void;
  finish(): Promise<void>;
} {
  const tree: SeenProcess[] = [];
  let startedAtMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const pid = child()?.pid;
    const known = new Set(tree.map((seen) => seen.pid));
    if (pid !== undefined) tree.push(...listProcessTree(pid).filter((seen) => !known.has(seen.pid)));
  };
  return {
    start() {
      const docker = child();
      if (docker === undefined || startedAtMs !== undefined) return;
      startedAtMs = performance.now();
      look();
      docker.kill('SIGTERM');
      timer = setTimeout(() => {
        look();
        killProcesses(tree);
      }, killAfterMs);
    },
    async finish() {
      if (startedAtMs === undefined) return;
      // Docker may end before buildx, which then belongs to nobody.
      while (keepRunning(tree).length > 0 && performance.now() - startedAtMs < killAfterMs)
        await delay(POLL_MS);
      clearTimeout(timer);
      killProcesses(tree);
    },
  };
}

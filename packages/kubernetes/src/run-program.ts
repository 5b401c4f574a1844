/** How a program ended that was started for us. */
export type ProgramResult = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type ProgramCall = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder?: string | undefined;
  /** After this it is killed and the call rejects with a {@link ProgramLimitError}. */
  readonly limitMs: number;
  readonly maxStdoutBytes: number;
  readonly signal: AbortSignal;
};

/** A program went on for longer, or said more, than it may. */
export class ProgramLimitError extends Error {
  override readonly name = 'ProgramLimitError';
}

const MAX_STDERR_CHARACTERS = 16_384;

/**
 * Runs a program without a shell, its standard input empty.
 *
 * @throws {ProgramLimitError} where it goes past a limit; Node's own error where it can't be started; the signal's
 * reason where that aborts.
 */
export async function runProgram(file: string, call: ProgramCall): Promise<ProgramResult> {
  call.signal.throwIfAborted();
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(file, call.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...call.env },
      ...(call.folder === undefined ? {} : { cwd: call.folder }),
    });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let stderr = '';
    const end = (error: unknown) => {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', onAbort);
      child.kill('SIGKILL');
      // What the program itself has started may hold the pipes open; nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(error);
    };
    const onAbort = () => end(call.signal.reason);
    const timer = setTimeout(
      () => end(new ProgramLimitError(`did not end within ${call.limitMs / 1000} s`)),
      call.limitMs,
    );
    call.signal.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > call.maxStdoutBytes)
        end(new ProgramLimitError(`printed more than ${call.maxStdoutBytes} bytes`));
      else chunks.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, MAX_STDERR_CHARACTERS);
    });
    child.on('error', end);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', onAbort);
      resolve({ exitCode: exitCode ?? 128, stdout: Buffer.concat(chunks).toString('utf8'), stderr });
    });
  });
}

import * as z from 'zod/mini';
import { toOneLine, withoutSecrets } from './plain-text.ts';
import { parseJson, RegistryError } from './registry-error.ts';

/** How a program ended that was started for us. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program found on PATH, writes `stdin` to it and waits for its end. Rejects when it can't be started. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  options: {
    readonly stdin: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal;
  },
) => Promise<ProgramResult>;

/** A user name and password as a helper keeps them. */
export interface HelperAnswer {
  readonly username: string;
  readonly secret: string;
}

const Answer = z.object({ Username: z.string(), Secret: z.string() });

/** What every helper prints when it holds nothing for the server (docker-credential-helpers, `credentials/error.go`). */
const NOT_FOUND = 'credentials not found in native keychain';
const HELPER_LIMIT_MS = 30_000;
const MAX_HELPER_CHARACTERS = 65_536;

/**
 * Asks `docker-credential-<name> get` for the login of a server.
 *
 * @returns undefined when the helper holds none.
 * @throws {RegistryError} when the helper isn't there, fails, or doesn't answer in 30 s.
 * @see https://github.com/docker/docker-credential-helpers (protocol)
 */
export async function askCredentialHelper(
  request: {
    readonly name: string;
    readonly server: string;
    readonly host: string;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
  run: RunProgram,
  signal: AbortSignal,
): Promise<HelperAnswer | undefined> {
  const { name, server, host, env } = request;
  const program = `docker-credential-${name}`;
  const fail = (what: string, fix: string, cause?: unknown): RegistryError =>
    new RegistryError({
      host,
      operation: `run ${program} get`,
      message: `${program} ${what}. ${fix}`,
      cause,
    });
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw fail(
      'is not a name of a credential helper',
      'Correct credsStore and credHelpers in the Docker config.',
    );
  }
  const fix = 'Repair it, or log in with docker/login-action.';
  const limit = AbortSignal.timeout(HELPER_LIMIT_MS);
  const result = await run(program, ['get'], {
    stdin: server,
    env,
    signal: AbortSignal.any([signal, limit]),
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (limit.aborted) throw fail(`gave no login for ${host} within ${HELPER_LIMIT_MS / 1000} s`, fix, error);
    if (!(error instanceof Error)) throw error;
    throw fail(
      `can't be started for ${host}: ${toOneLine(error.message, 60)}`,
      'Install it, or take it out of the Docker config.',
      error,
    );
  });
  if (result.exitCode !== 0) {
    // Helpers print their errors to stdout.
    const words = result.stdout.trim() === '' ? result.stderr : result.stdout;
    if (words.includes(NOT_FOUND)) return undefined;
    const detail = withoutSecrets(toOneLine(words, 80), []);
    throw fail(
      `failed for ${host} with exit code ${result.exitCode}${detail === '' ? '' : `: ${detail}`}`,
      fix,
    );
  }
  const answer = Answer.safeParse(
    parseJson(new TextEncoder().encode(result.stdout.slice(0, MAX_HELPER_CHARACTERS))),
  );
  if (!answer.success)
    throw fail(`answered for ${host} with something other than {"Username":…,"Secret":…}`, fix);
  return { username: answer.data.Username, secret: answer.data.Secret };
}

/** Starts a program with Node: the `RunProgram` of real use. */
export async function runProgram(...[file, args, options]: Parameters<RunProgram>): Promise<ProgramResult> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'pipe', env: { ...options.env }, signal: options.signal });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, MAX_HELPER_CHARACTERS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, MAX_HELPER_CHARACTERS);
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? 1, stdout, stderr }));
    // A helper may end without reading its input; its exit code then says more than EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin);
  });
}

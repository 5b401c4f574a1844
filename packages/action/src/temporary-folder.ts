import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from './errors.ts';

/** A private folder that goes with the value: `using` removes it with all it holds. */
export type TemporaryFolder = Disposable & { readonly path: string };

/**
 * Makes a folder only this user can read, and first removes those that runs ended by SIGKILL left behind,
 * ending any process that still has such a folder's path among its arguments.
 *
 * The name holds the process, its start and its PID namespace, so that a run in another container on the same
 * temporary folder is never taken for a dead one, nor a later process of the same ID for a living one.
 *
 * @param parent The runner's temporary folder.
 * @param prefix Starts the folder's name, `sophia-build`.
 * @throws {InputError} The parent can't be written.
 */
export function openTemporaryFolder(parent: string, prefix: string): TemporaryFolder {
  const owner = `${prefix}-${readPidNamespace()}-`;
  removeAbandoned(parent, owner);
  const path = join(
    parent,
    `${owner}${process.pid}-${readStart(process.pid)}-${randomBytes(4).toString('hex')}`,
  );
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new InputError(
      `Temporary folder "${parent}" can't be written: ${error.code}. Point RUNNER_TEMP to a folder this user may write.`,
      { cause: error },
    );
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function removeAbandoned(parent: string, owner: string): void {
  const abandoned = list(parent)
    .filter((name) => name.startsWith(owner) && !isOwnerAlive(name.slice(owner.length)))
    .map((name) => join(parent, name));
  for (const folder of abandoned) {
    endProcessesNaming(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Linux only; elsewhere an abandoned build runs to its end, which harms nobody. */
function endProcessesNaming(folder: string): void {
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    if (read(`/proc/${pid}/cmdline`).includes(folder)) sendSignal(Number(pid), 'SIGTERM');
  }
}

/** @param rest A folder's name behind its namespace: `<pid>-<start>-<random>`. */
function isOwnerAlive(rest: string): boolean {
  const [pid = '', start] = rest.split('-');
  return /^[1-9]\d*$/.test(pid) && sendSignal(Number(pid), 0) && readStart(Number(pid)) === start;
}

/** When a process started, in clock ticks since boot: field 22 of proc_pid_stat(5). "0" where there is no /proc. */
function readStart(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  // The command's name, in parentheses, may itself hold blanks and parentheses.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
}

/** Returns whether the process exists. */
function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === 'EPERM';
  }
}

function readPidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return '0';
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return '';
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

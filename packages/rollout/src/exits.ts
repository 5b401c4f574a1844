import type { ContainerSighting } from './cause.ts';
import { countExits } from './memory.ts';
import type { Proof } from './sign.ts';

/**
 * Exits of a container that has failed and isn't running: how often it must have, to be certain. Twice the same may
 * still be a wait for another service; the third time comes after a back-off of ten seconds.
 */
export function proveExits({ container, seen }: ContainerSighting): Proof {
  const end = container.terminated ?? container.lastTerminated;
  const isSame = new Set([...seen.exitCodes, end?.exitCode ?? 0]).size === 1;
  const ranMs = Date.parse(end?.finishedAt ?? '') - Date.parse(end?.startedAt ?? '');
  const isQuick = !(ranMs > 30_000);
  const exits = countExits(container);
  // Restarts that progress has made up for don't count, unless there are so many that it makes none.
  const times =
    isSame && isQuick ? Math.max(exits - seen.forgivenRestarts, exits > 3 ? exits : 0) : exits - 1;
  return { kind: 'repeated', times, needed: 3 };
}

/** `1` ▶ what such an exit code says. */
export function sayExitCode(code: number): string {
  const signals: Readonly<Record<number, string>> = {
    4: 'SIGILL',
    6: 'SIGABRT',
    7: 'SIGBUS',
    8: 'SIGFPE',
    9: 'SIGKILL',
    11: 'SIGSEGV',
    15: 'SIGTERM',
  };
  const codes: Readonly<Record<number, string>> = {
    126: 'not executable',
    127: 'command not found',
    128: 'could not be started',
    137: 'SIGKILL: a failed liveness probe, or its grace period',
  };
  const meaning = codes[code] ?? signals[code - 128];
  return meaning === undefined ? String(code) : `${code} (${meaning})`;
}

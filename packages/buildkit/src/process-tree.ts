import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process as it was seen; `startedAt` tells it from a later one with the same id. */
export type SeenProcess = { readonly pid: number; readonly startedAt: string };

/** The process and everything below it, children before grandchildren. Empty when it is gone. */
export function listProcessTree(rootPid: number): SeenProcess[] {
  const all = process.platform === 'linux' ? readProc() : readPs();
  const tree = all.filter(({ pid }) => pid === rootPid);
  for (const parent of tree)
    tree.push(...all.filter(({ parentPid, pid }) => parentPid === parent.pid && pid !== parent.pid));
  return tree.map(({ pid, startedAt }) => ({ pid, startedAt }));
}

/** Those of `processes` that still run; a zombie, which only waits for its parent, doesn't. */
export function keepRunning(processes: readonly SeenProcess[]): SeenProcess[] {
  const all = process.platform === 'linux' ? readProc() : readPs();
  return processes.filter((seen) =>
    all.some(({ pid, startedAt }) => pid === seen.pid && startedAt === seen.startedAt),
  );
}

/** Sends SIGKILL to those that still run. */
export function killProcesses(processes: readonly SeenProcess[]): void {
  for (const { pid } of keepRunning(processes)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

type ProcessEntry = SeenProcess & { readonly parentPid: number };

/** @see proc_pid_stat(5): pid (comm) state ppid …, the start time is field 22. */
function readProc(): ProcessEntry[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = readStat(name);
    // The command's name may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parentPid] = fields;
    if (state === undefined || state === '' || state === 'Z' || state === 'X') return [];
    return [{ pid: Number(name), parentPid: Number(parentPid), startedAt: fields[19] ?? '' }];
  });
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    // It ended in between.
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

function readPs(): ProcessEntry[] {
  const listing = execFileSync('ps', ['-axo', 'pid=,ppid=,state=,lstart='], { encoding: 'utf8' });
  return listing.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[3]?.startsWith('Z') === true) return [];
    return [{ pid: Number(match[1]), parentPid: Number(match[2]), startedAt: match[4] ?? '' }];
  });
}

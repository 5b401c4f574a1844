import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that a job started and that outlived it. */
export interface LeftProcess {
  readonly pid: number;
  readonly command: string;
}

async function readProcess(pid: number, marker: string): Promise<LeftProcess | undefined> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    if (!environment.includes(marker)) return undefined;
    const [command, stat] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    const isZombie = stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
    return isZombie ? undefined : { pid, command: command.replaceAll('\0', ' ').trim() };
  } catch (error) {
    // The process has ended in the meantime, or belongs to another user.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

async function list(marker: string): Promise<LeftProcess[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(pids.map((pid) => readProcess(pid, marker)));
  return found.filter((one) => one !== undefined);
}

/**
 * Finds the processes that carry a job's `RUNNER_TRACKING_ID` in their environment, which is how the runner
 * finds orphans. One that is about to end gets 100 ms for it.
 */
export async function findLeftProcesses(trackingId: string): Promise<readonly LeftProcess[]> {
  const marker = `RUNNER_TRACKING_ID=${trackingId}`;
  const first = await list(marker);
  if (first.length === 0) return first;
  await sleep(100);
  return list(marker);
}

/** Ends what a job left behind, as the runner's "Terminate orphan process" does. */
export async function endLeftProcesses(trackingId: string): Promise<void> {
  for (const { pid } of await list(`RUNNER_TRACKING_ID=${trackingId}`)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

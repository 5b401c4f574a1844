import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const TOOLS = fileURLToPath(new URL('../../script/tools', import.meta.url));

/** A registry of its own that keeps the list of referrers, as OCI 1.1 has it; empty at first, in memory. */
export interface ReferrersRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

/** Compiles it where that wasn't done yet: seconds, or minutes where Go is fetched first on a busy machine. */
export async function compileReferrersRegistry(): Promise<string> {
  const { stdout } = await promisify(execFile)(TOOLS, ['referrers-registry']);
  return stdout.trim();
}

/** Starts one, compiled before. `await using` ends it. */
export async function startReferrersRegistry(): Promise<ReferrersRegistry> {
  const child = spawn(await compileReferrersRegistry(), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const [host] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    host,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

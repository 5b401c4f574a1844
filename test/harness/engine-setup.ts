import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { docker, engine } from './engine.ts';

const SCRIPT = fileURLToPath(new URL('../../script/engine', import.meta.url));
const run = promisify(execFile);

/** Runs `script/engine` with its progress on this terminal. */
async function runScript(args: readonly string[]): Promise<void> {
  const child = spawn(SCRIPT, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) {
    throw new Error(
      `script/engine ${args[0]} failed (status ${status}): its line is above. The integration tests need an engine.`,
    );
  }
}

/** Takes over the variables of `script/engine env`; the workers that run the tests inherit them. */
async function takeEnvironment(): Promise<void> {
  const { stdout } = await run(SCRIPT, ['env', '--null']);
  for (const line of stdout.split('\0')) {
    const at = line.indexOf('=');
    if (at > 0) process.env[line.slice(0, at)] = line.slice(at + 1);
  }
}

/** Fails the run, and skips nothing, where the engine or the registry doesn't answer. */
async function proveEngine(): Promise<void> {
  const { registry } = engine();
  await docker(['version', '--format', '{{.Server.Version}}']);
  await docker(['buildx', 'version']);
  const answer = await fetch(`http://${registry}/v2/`);
  if (!answer.ok)
    throw new Error(
      `The test registry ${registry} answers ${answer.status}, expected 200. Run script/engine down, then up.`,
    );
}

/**
 * Set-up of the integration project: an engine and a registry are there, or the run fails. `script/test` has
 * brought them up; a bare `vitest run` does so here, and takes down afterwards what nobody else uses.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env['SOPHIA_TEST_REGISTRY'] !== undefined) {
    await proveEngine();
    return async () => undefined;
  }
  const user = String(process.pid);
  const letGo = () => runScript(['down', '--for', user]);
  await runScript(['up', '--for', user]);
  try {
    await takeEnvironment();
    await proveEngine();
  } catch (error) {
    await letGo();
    throw error;
  }
  return letGo;
}

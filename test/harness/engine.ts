import { spawn } from 'node:child_process';

/** The engine and the registry that the tests of this run have, as `script/engine` brought them up. */
export interface Engine {
  /** `localhost:PORT` of a registry that tests may push to and delete from; it also answers for Docker Hub. */
  readonly registry: string;
  /** `system` is the machine's own engine, `private` one that runs for the tests only. */
  readonly kind: 'private' | 'system';
  /** What a build or run needs on its command line to reach the internet; empty where the default network does. */
  readonly networkArgs: readonly string[];
  /** The variables by which docker and buildx find the engine, over nothing else of this process's environment. */
  readonly dockerEnv: Readonly<Record<string, string>>;
}

const DOCKER_VARIABLES = [
  'DOCKER_HOST',
  'DOCKER_CONFIG',
  'DOCKER_CONTEXT',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS_VERIFY',
  'PATH',
  'HOME',
];

/**
 * The engine of this run.
 *
 * @throws where none is up, which a test of the integration project never sees: its set-up has failed before
 */
export function engine(): Engine {
  const registry = process.env['SOPHIA_TEST_REGISTRY'];
  if (registry === undefined)
    throw new Error('No engine is up. Run the tests by script/test, or run script/engine up.');
  const dockerEnv: Record<string, string> = {};
  for (const name of DOCKER_VARIABLES) {
    const value = process.env[name];
    if (value !== undefined) dockerEnv[name] = value;
  }
  return {
    registry,
    kind: process.env['SOPHIA_ENGINE_KIND'] === 'private' ? 'private' : 'system',
    networkArgs: process.env['SOPHIA_ENGINE_NETWORK'] === 'host' ? ['--network=host'] : [],
    dockerEnv,
  };
}

/** What came of a program: its whole output as text, and its exit status (or 128 and up, where a signal ended it). */
export interface DockerResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How `docker` runs the client. */
export interface DockerOptions {
  /** Given to the client's standard input, which is empty otherwise. */
  readonly input?: string | Uint8Array;
  readonly workingFolder?: string;
  /** Variables beside those by which the engine is found. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where true, a status other than 0 is returned and not thrown. */
  readonly mayFail?: boolean;
}

/**
 * Runs the docker client on the engine of this run: `await docker(['buildx', 'build', '.'])`.
 *
 * @throws where it ends with a status other than 0, with the end of what it said, unless it may fail
 */
export async function docker(args: readonly string[], options: DockerOptions = {}): Promise<DockerResult> {
  const child = spawn('docker', args, {
    cwd: options.workingFolder,
    env: { ...engine().dockerEnv, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
  // A client that ends without reading its input is judged by its status, not by the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
  const result = {
    status,
    stdout: Buffer.concat(chunks.stdout).toString('utf8'),
    stderr: Buffer.concat(chunks.stderr).toString('utf8'),
  };
  if (status !== 0 && options.mayFail !== true) {
    throw new Error(`docker ${args.join(' ')} ended with ${status}:\n${result.stderr.slice(-4000)}`);
  }
  return result;
}

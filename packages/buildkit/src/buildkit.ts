import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec as actionsExec } from '@actions/exec';
import { type BuildFailure, describeFailure } from './build-failure.ts';
import { createBuildLog } from './build-log.ts';
import { type BuildMetadata, parseBuildMetadata } from './build-metadata.ts';
import type { Progress } from './build-step.ts';
import { type Builder, parseBuilder } from './builder.ts';
import { BuildkitError } from './buildkit-error.ts';
import { findBuildxPlugin } from './buildx-plugin.ts';
import { type DockerResult, type Exec, findDocker, runDocker } from './docker-command.ts';
import { createSocketSource, findEngineSocket, readEngineVersion } from './engine-socket.ts';
import { type EnginePlatform, type ImageSource, type LocalImage, readLocalImage } from './local-image.ts';
import { createProgressParser } from './progress-parser.ts';

export type BuildRequest = {
  /** After `docker buildx`, `build` or `bake` first, without `--progress` and `--metadata-file`. */
  readonly args: readonly string[];
  /** Docker's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Aborted: the build is canceled in the engine, its processes end within 8 s. */
  readonly signal: AbortSignal;
  /** Takes each line of the log for the person who watches. */
  readonly onLine: (line: string) => void;
  /** Called once docker runs. */
  readonly onStarted?: () => void;
};

export type BuildOutcome = {
  readonly exitCode: number;
  /** Epoch ms around the docker process. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly progress: Progress;
  /** Undefined when buildx wrote none: the build failed, or its cache could not be exported. */
  readonly metadata: BuildMetadata | undefined;
  /** What `--iidfile` holds, when the arguments have one. */
  readonly imageId: string | undefined;
  /** What docker printed, for `--call` and `--print`; its first 16 MiB. */
  readonly stdout: string;
  /** Undefined exactly when the build succeeded. */
  readonly failure: BuildFailure | undefined;
};

/** The docker CLI and its engine. Every method throws `BuildkitError` when docker can't do its part. */
export type Buildkit = {
  /**
   * Reads a builder, the current one by default, in one process. A builder that doesn't run yet has no versions.
   *
   * @param onStarted Called once that process runs.
   */
  inspectBuilder(name: string | undefined, signal: AbortSignal, onStarted?: () => void): Promise<Builder>;
  /** Runs one `docker buildx build` or `bake` in one process. A build that fails is an outcome, not an error. */
  build(request: BuildRequest): Promise<BuildOutcome>;
  /** The Docker engine's version where it can be asked without a process; undefined elsewhere, never an error. */
  findEngineVersion(signal: AbortSignal): Promise<string | undefined>;
  /** Reads sizes and layers of an image in the engine's own store; undefined when it isn't there. */
  inspectLocalImage(reference: string, signal: AbortSignal): Promise<LocalImage | undefined>;
};

export type BuildkitOptions = {
  /** Docker's environment: `PATH`, `HOME`, `DOCKER_HOST`, `DOCKER_CONFIG`, … */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Made when it isn't there; files in it are removed after use. */
  readonly tempFolder: string;
  /** `exec` of @actions/exec, by default. */
  readonly exec?: Exec;
};

const MAX_STDOUT_BYTES = 16 * 1024 * 1024;

export function createBuildkit(options: BuildkitOptions): Buildkit {
  const exec = options.exec ?? actionsExec;
  const env = definedOnly(options.env);
  const capture: Capture = (operation, args, signal, options) =>
    captureDocker(exec, { operation, args, env, signal, ...options, cwd: process.cwd() });
  return {
    inspectBuilder: async (name, signal, onStarted) =>
      inspectBuilder(capture, env, name, { signal, onStarted }),
    build: (request) => build(exec, options.tempFolder, request),
    async findEngineVersion(signal) {
      const socketPath = findEngineSocket(env);
      if (socketPath === undefined) return undefined;
      try {
        return await readEngineVersion(socketPath, signal);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        return undefined;
      }
    },
    inspectLocalImage: (reference, signal) => inspectLocalImage(capture, env, reference, signal),
  };
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

type Captured = DockerResult & { readonly stdout: string; readonly stderr: string };
type Capture = (
  operation: string,
  args: readonly string[],
  signal: AbortSignal,
  options?: { readonly program?: string | undefined; readonly onStarted?: (() => void) | undefined },
) => Promise<Captured>;

async function captureDocker(
  exec: Exec,
  command: Omit<Parameters<typeof runDocker>[1], 'onStdout' | 'onStderr'>,
): Promise<Captured> {
  const stdout = createOutputBuffer();
  const stderr = createOutputBuffer();
  const result = await runDocker(exec, { ...command, onStdout: stdout.push, onStderr: stderr.push });
  return { ...result, stdout: stdout.text(), stderr: stderr.text() };
}

function createOutputBuffer(): { push(chunk: Uint8Array): void; text(): string } {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  return {
    push(chunk) {
      const part = Uint8Array.from(chunk.subarray(0, MAX_STDOUT_BYTES - sizeBytes));
      sizeBytes += part.length;
      if (part.length > 0) parts.push(part);
    },
    text: () => Buffer.concat(parts).toString('utf8'),
  };
}

/**
 * `docker buildx …` starts three processes one after another: docker, the plugin asked what it is, and the plugin.
 * The plugin alone does the same without the 70 ms before.
 */
function toBuildxCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  operation: string,
): { readonly args: readonly string[]; readonly program: string | undefined } {
  const program = findBuildxPlugin(findDocker({ env, operation }), env);
  return { args: program === undefined ? ['buildx', ...args] : args, program };
}

async function inspectBuilder(
  capture: Capture,
  env: Readonly<Record<string, string>>,
  name: string | undefined,
  { signal, onStarted }: { readonly signal: AbortSignal; readonly onStarted: (() => void) | undefined },
): Promise<Builder> {
  const operation = 'inspect builder';
  const named = name === undefined || name === '' ? [] : [name];
  const { args, program } = toBuildxCommand(['inspect', ...named], env, operation);
  const result = await capture(operation, args, signal, { program, onStarted });
  if (result.wasAborted) throw new BuildkitError('Reading the builder was canceled.', { operation });
  if (result.exitCode === 0) return parseBuilder(result.stdout);
  const trailer = result.stderr.split('\n');
  const failure = describeFailure({ steps: [], warnings: [], trailer }, result.exitCode, []);
  throw new BuildkitError(failure.kind === 'failed' ? failure.message : 'Reading the builder was canceled.', {
    operation,
    isTemporary: failure.kind === 'failed' && failure.reason === 'engine-unreachable',
  });
}

async function build(exec: Exec, tempFolder: string, request: BuildRequest): Promise<BuildOutcome> {
  await mkdir(tempFolder, { recursive: true });
  const metadataPath = join(tempFolder, `metadata-${randomUUID()}.json`);
  const parser = createProgressParser();
  const log = createBuildLog(request.onLine, () => performance.now());
  const stdout = createOutputBuffer();
  const startedAtMs = Date.now();
  try {
    const result = await runDocker(exec, {
      operation: 'build',
      ...toBuildxCommand(addOwnArguments(request.args, metadataPath), request.env, 'build'),
      env: request.env,
      cwd: request.cwd,
      signal: request.signal,
      onStarted: request.onStarted,
      onStdout: stdout.push,
      onStderr: (chunk) => parser.push(chunk).forEach(log.event),
    });
    const endedAtMs = Date.now();
    const progress = parser.finish();
    log.end();
    const metadata = await readIfThere(metadataPath);
    return {
      exitCode: result.exitCode,
      startedAtMs,
      endedAtMs,
      progress,
      metadata: metadata === undefined ? undefined : parseBuildMetadata(metadata),
      imageId: await readImageId(request),
      stdout: stdout.text(),
      failure: findFailure(result, progress, request.args),
    };
  } finally {
    await rm(metadataPath, { force: true });
  }
}

function findFailure(
  result: DockerResult,
  progress: Progress,
  args: readonly string[],
): BuildFailure | undefined {
  if (result.exitCode === 0) return undefined;
  return result.wasAborted ? { kind: 'canceled' } : describeFailure(progress, result.exitCode, args);
}

/** Right after the command: everything behind a `--` is no flag. */
function addOwnArguments(args: readonly string[], metadataPath: string): string[] {
  const at = args.findIndex((arg) => arg === 'build' || arg === 'bake') + 1;
  return [...args.slice(0, at), '--progress=rawjson', `--metadata-file=${metadataPath}`, ...args.slice(at)];
}

async function readImageId(request: BuildRequest): Promise<string | undefined> {
  const at = request.args.findIndex((arg) => arg === '--iidfile' || arg.startsWith('--iidfile='));
  const path =
    request.args[at]?.startsWith('--iidfile=') === true
      ? request.args[at].slice('--iidfile='.length)
      : request.args[at + 1];
  if (at < 0 || path === undefined) return undefined;
  const id = (await readIfThere(join(path.startsWith('/') ? '' : request.cwd, path)))?.trim();
  return id === '' ? undefined : id;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR'))
      return undefined;
    throw error;
  }
}

async function inspectLocalImage(
  capture: Capture,
  env: Readonly<Record<string, string>>,
  reference: string,
  signal: AbortSignal,
): Promise<LocalImage | undefined> {
  const socketPath = findEngineSocket(env);
  if (socketPath !== undefined) {
    try {
      return await readLocalImage(createSocketSource(socketPath, signal), reference);
    } catch (error) {
      // No such socket, or one that may not be read: the CLI may know another way to its engine.
      if (!(error instanceof Error) || signal.aborted) throw error;
    }
  }
  return readLocalImage(createCommandSource(capture, signal), reference);
}

/** Asks the engine through the CLI, which knows every way to reach one. */
function createCommandSource(capture: Capture, signal: AbortSignal): ImageSource {
  const read = async (args: readonly string[]): Promise<string | undefined> => {
    const result = await capture('inspect image', args, signal);
    if (result.exitCode === 0) return result.stdout;
    if (result.wasAborted || /No such (image|object)/i.test(result.stderr)) return undefined;
    throw new BuildkitError(
      `The image cannot be read: ${result.stderr.trim().slice(0, 120)}. Check that the Docker engine runs.`,
      {
        operation: 'inspect image',
        isTemporary: true,
      },
    );
  };
  return {
    async inspect(reference) {
      const text = await read(['image', 'inspect', '--format', '{{json .}}', '--', reference]);
      return text === undefined ? undefined : JSON.parse(text);
    },
    async history(reference, platform: EnginePlatform | undefined) {
      const wanted =
        platform === undefined
          ? []
          : ['--platform', [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')];
      const text = await read([
        'history',
        '--no-trunc',
        '--human=false',
        '--format',
        'json',
        ...wanted,
        '--',
        reference,
      ]);
      return text
        ?.split('\n')
        .filter((line) => line !== '')
        .map((line): unknown => JSON.parse(line));
    },
  };
}

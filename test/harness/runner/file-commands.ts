import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The runner's limit for one step's summary: 1 MiB. */
const summaryLimitBytes = 1024 * 1024;

/** The five files of one step, by the name that follows `GITHUB_` in the environment. */
export interface CommandFiles {
  readonly OUTPUT: string;
  readonly STATE: string;
  readonly ENV: string;
  readonly PATH: string;
  readonly STEP_SUMMARY: string;
}

/** Creates the five empty files a step gets. */
export async function createCommandFiles(runnerTemp: string): Promise<CommandFiles> {
  const folder = path.join(runnerTemp, '_runner_file_commands');
  await mkdir(folder, { recursive: true });
  const suffix = randomUUID();
  const files: CommandFiles = {
    OUTPUT: path.join(folder, `set_output_${suffix}`),
    STATE: path.join(folder, `save_state_${suffix}`),
    ENV: path.join(folder, `set_env_${suffix}`),
    PATH: path.join(folder, `add_path_${suffix}`),
    STEP_SUMMARY: path.join(folder, `step_summary_${suffix}`),
  };
  await Promise.all(Object.values(files).map((file) => writeFile(file, '')));
  return files;
}

interface Line {
  readonly text: string;
  /** Where the next line begins. */
  readonly next: number;
}

// Only a line feed ends a line on Linux: a carriage return stays part of the value.
function lineAt(text: string, start: number): Line | undefined {
  if (start >= text.length) return undefined;
  const feed = text.indexOf('\n', start);
  return feed < 0
    ? { text: text.slice(start), next: text.length }
    : { text: text.slice(start, feed), next: feed + 1 };
}

function heredocValue(text: string, start: number, delimiter: string): { value: string; next: number } {
  let end = start;
  let position = start;
  for (;;) {
    const line = lineAt(text, position);
    if (line === undefined) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`);
    if (line.text === delimiter) return { value: text.slice(start, end), next: line.next };
    end = position + line.text.length;
    position = line.next;
  }
}

/** Reads the pair that begins at a line and returns where the next one may begin. */
function readPair(text: string, line: Line, pairs: Map<string, string>): number {
  const equals = line.text.indexOf('=');
  const heredoc = line.text.indexOf('<<');
  if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
    if (equals === 0) throw new Error(`Invalid format '${line.text}'. Name must not be empty`);
    pairs.set(line.text.slice(0, equals), line.text.slice(equals + 1));
    return line.next;
  }
  if (heredoc < 0) throw new Error(`Invalid format '${line.text}'`);
  const name = line.text.slice(0, heredoc);
  const delimiter = line.text.slice(heredoc + 2);
  if (name === '' || delimiter === '') {
    throw new Error(`Invalid format '${line.text}'. Name must not be empty and delimiter must not be empty`);
  }
  const { value, next } = heredocValue(text, line.next, delimiter);
  pairs.set(name, value);
  return next;
}

/**
 * Parses the key-value format of GITHUB_OUTPUT, GITHUB_STATE and GITHUB_ENV with the runner's own errors:
 * `name=value`, or `name<<DELIMITER`, lines, `DELIMITER`. A later pair of the same name wins.
 *
 * @throws {Error} A line is neither form, a name or delimiter is empty, or a delimiter is never closed.
 * @see FileCommandManager.cs of actions/runner, `EnvFileKeyValuePairs`
 */
function parseKeyValueFile(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (let line = lineAt(text, 0); line !== undefined; ) {
    const next = line.text === '' ? line.next : readPair(text, line, pairs);
    line = lineAt(text, next);
  }
  return pairs;
}

/** What a step left in its files. An error is what the runner shows; it fails the step where `fails` says so. */
export interface FileCommandResult {
  readonly outputs: ReadonlyMap<string, string>;
  readonly state: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
  readonly paths: readonly string[];
  readonly summary: string;
  readonly errors: readonly { readonly message: string; readonly fails: boolean }[];
}

function isReservedName(name: string): boolean {
  return /^(GITHUB|RUNNER)_/iu.test(name);
}

/** Reads the five files after the process has ended, whatever its exit code was. */
export async function readCommandFiles(files: CommandFiles): Promise<FileCommandResult> {
  const errors: { message: string; fails: boolean }[] = [];
  const keyValues = async (file: string, contextName: string): Promise<ReadonlyMap<string, string>> => {
    try {
      return parseKeyValueFile(await readFile(file, 'utf8'));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // A step may have deleted its file: the runner then takes it as empty.
      if ('code' in error && error.code === 'ENOENT') return new Map();
      errors.push({ message: `Unable to process file command '${contextName}' successfully.`, fails: true });
      errors.push({ message: error.message, fails: true });
      return new Map();
    }
  };
  const [outputs, state, rawEnv, pathText, summaryBytes] = await Promise.all([
    keyValues(files.OUTPUT, 'output'),
    keyValues(files.STATE, 'state'),
    keyValues(files.ENV, 'env'),
    readFile(files.PATH, 'utf8').catch(() => ''),
    readFile(files.STEP_SUMMARY).catch(() => Buffer.alloc(0)),
  ]);
  const env = new Map<string, string>();
  for (const [name, value] of rawEnv) {
    if (name.toUpperCase() === 'NODE_OPTIONS' || isReservedName(name)) {
      errors.push({
        message: `Can't store ${name} output parameter using '$GITHUB_ENV' command.`,
        fails: false,
      });
    } else {
      env.set(name, value);
    }
  }
  const tooLong = summaryBytes.length > summaryLimitBytes;
  if (tooLong) {
    errors.push({
      message: `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of ${summaryLimitBytes / 1024}k, got ${Math.floor(summaryBytes.length / 1024)}k.`,
      fails: false,
    });
  }
  return {
    outputs,
    state,
    env,
    paths: pathText.split('\n').filter((line) => line !== ''),
    summary: tooLong ? '' : summaryBytes.toString('utf8'),
    errors,
  };
}

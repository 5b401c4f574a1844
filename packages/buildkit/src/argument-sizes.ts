import { readFileSync } from 'node:fs';
import { BuildkitError } from './buildkit-error.ts';

/** Linux: `MAX_ARG_STRLEN`, 32 pages of 4 KiB, the terminating NUL included. */
const MAX_STRING_BYTES = 131_072;
/** Linux takes at most 3/4 of its default stack limit, 6 MiB, however large the stack may be. */
const MAX_TOTAL_BYTES = 6 * 1024 * 1024;
const MIN_TOTAL_BYTES = 128 * 1024;
/** The docker CLI starts buildx anew with the plugin's path and some variables of its own. */
const RESERVED_BYTES = 8192;
const POINTER_BYTES = 8;

/**
 * Refuses what the system can't pass to a program, before it is tried: one argument or variable of
 * 128 KiB or more (Linux), all of them together over the system's limit, a NUL byte anywhere.
 *
 * The messages name an argument by its flag and key, never by its value.
 *
 * @throws {BuildkitError} `<which> is <n> bytes …`
 * @see linux `fs/exec.c` (`bprm_stack_limits`), `include/uapi/linux/binfmts.h`
 */
export function checkArgumentSizes(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): void {
  const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  let totalBytes = 0;
  args.forEach((arg, at) => {
    totalBytes += checkOne(arg, () => `Argument ${nameArgument(args, at)}`, platform);
  });
  for (const [name, value] of variables) {
    totalBytes += checkOne(
      `${name}=${value}`,
      () => `Environment variable "${name.slice(0, 100)}"`,
      platform,
    );
  }
  totalBytes += (args.length + variables.length) * POINTER_BYTES;
  const limitBytes = readTotalLimit(platform) - RESERVED_BYTES;
  if (totalBytes > limitBytes) {
    throw new BuildkitError(
      `Arguments and environment are ${totalBytes} bytes together: expected at most ${limitBytes}, the system's limit for one program. Move long values into files.`,
      { operation: 'start docker' },
    );
  }
}

function checkOne(value: string, name: () => string, platform: NodeJS.Platform): number {
  const sizeBytes = Buffer.byteLength(value) + 1;
  if (value.includes('\0')) {
    throw new BuildkitError(`${name()} has a NUL byte: expected text without one. Remove it.`, {
      operation: 'start docker',
    });
  }
  if (platform === 'linux' && sizeBytes > MAX_STRING_BYTES) {
    throw new BuildkitError(
      `${name()} is ${sizeBytes - 1} bytes: expected fewer than ${MAX_STRING_BYTES}, the system's limit for one argument. Pass it as a file or a secret.`,
      { operation: 'start docker' },
    );
  }
  return sizeBytes;
}

/** `"--build-arg NOTES=…"`, `"--label=…"` or `5 of 9`: enough to find it, without its value. */
function nameArgument(args: readonly string[], at: number): string {
  const arg = args[at] ?? '';
  const flag = args[at - 1];
  const key = /^[A-Za-z0-9_.-]{1,100}=/.exec(arg)?.[0] ?? '';
  if (flag !== undefined && /^--?[a-z][a-z-]{0,60}$/.test(flag)) return `"${flag} ${key}…"`;
  const own = /^--[a-z][a-z-]{0,60}=/.exec(arg)?.[0];
  return own === undefined ? `${at + 1} of ${args.length}` : `"${own}…"`;
}

function readTotalLimit(platform: NodeJS.Platform): number {
  if (platform === 'darwin') return 1024 * 1024;
  if (platform !== 'linux') return MAX_TOTAL_BYTES;
  const stack = readStackLimit();
  if (stack === undefined) return MAX_TOTAL_BYTES;
  return Math.max(MIN_TOTAL_BYTES, Math.min(MAX_TOTAL_BYTES, Math.floor(stack / 4)));
}

/** Bytes; undefined when unlimited or unknown. */
function readStackLimit(): number | undefined {
  try {
    const soft = /^Max stack size\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    const bytes = Number(soft);
    return Number.isFinite(bytes) && bytes > 0 ? bytes : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

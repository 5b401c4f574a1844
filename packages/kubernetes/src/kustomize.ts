import { MAX_MESSAGE_CHARACTERS, toOneLine, withoutSecrets } from './plain-text.ts';
import { ProgramLimitError, type ProgramResult, runProgram } from './run-program.ts';

/** File names that make a folder a kustomization (kustomize `konfig.RecognizedKustomizationFileNames`). */
export const KUSTOMIZATION_NAMES: readonly string[] = [
  'kustomization.yaml',
  'kustomization.yml',
  'Kustomization',
];

/** A kustomization can't be built; the message goes on from its folder's name. */
export class KustomizeError extends Error {
  override readonly name = 'KustomizeError';
}

const PROGRAMS: readonly (readonly [program: string, ...args: readonly string[]])[] = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
];

/** Remote bases are cloned, which takes its time. */
const LIMIT_MS = 120_000;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;

/**
 * Builds a kustomization with `kustomize`, or with `kubectl` where that isn't on the PATH.
 *
 * @returns Its YAML.
 * @throws {KustomizeError} where neither is there, or it fails.
 */
export async function buildKustomization(
  folder: string,
  options: {
    readonly workspace: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal;
    readonly log: (line: string) => void;
  },
): Promise<string> {
  for (const [program, ...args] of PROGRAMS) {
    const result = await run(program, [...args, folder], options);
    if (result === undefined) continue;
    const words = toOneLine(withoutSecrets(result.stderr, []), 1_000);
    if (words !== '') options.log(`${program}: ${words}`);
    if (result.exitCode === 0) return result.stdout;
    const reason = withoutPreamble(words).replace(/\.?$/, '');
    throw new KustomizeError(
      `is a kustomization that ${program} can't build: ${toOneLine(reason, MAX_MESSAGE_CHARACTERS)}.`,
    );
  }
  throw new KustomizeError(
    'is a kustomization, but neither kustomize nor kubectl is on the PATH. Install one of them.',
  );
}

/** What went wrong, without what kubectl's log puts around it. */
function withoutPreamble(words: string): string {
  const logged = /^E\d{4} [\d:.]+ +\d+ \S+\] "command failed" err="(.*)"$/.exec(words)?.[1];
  return (logged ?? words).replace(/^error: /i, '').replaceAll('\\"', '"');
}

async function run(
  program: string,
  args: readonly string[],
  options: Parameters<typeof buildKustomization>[1],
): Promise<ProgramResult | undefined> {
  try {
    return await runProgram(program, {
      args,
      env: options.env,
      folder: options.workspace,
      limitMs: LIMIT_MS,
      maxStdoutBytes: MAX_OUTPUT_BYTES,
      signal: options.signal,
    });
  } catch (error) {
    if (error instanceof ProgramLimitError)
      throw new KustomizeError(`is a kustomization whose ${program} ${error.message}.`);
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

import type { ManifestSource } from './manifest.ts';
import { MAX_MESSAGE_CHARACTERS, toOneLine } from './plain-text.ts';

/** One thing that is wrong with a manifest. */
export type ManifestProblem = {
  /** Its `line` is that of the problem where it is known. */
  readonly source: ManifestSource;
  /** `metadata.name`, where it is about one field. */
  readonly field?: string;
  /** What is wrong and what to do, a sentence or two: `metadata.name is missing. Add it.` */
  readonly message: string;
};

const MAX_SHOWN = 10;

/**
 * Manifests can't be read, or are none: everything that is wrong at once. The message's first line is fit for an
 * annotation; more than one problem follows line by line, at most ten.
 */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  /** In the order of the files; none where no file is to blame. */
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[], message?: string) {
    super(message ?? toMessage(problems));
    this.problems = problems;
  }
}

function toMessage(problems: readonly ManifestProblem[]): string {
  const lines = problems
    .slice(0, MAX_SHOWN)
    .map((problem) => toOneLine(`${placeOf(problem.source)}: ${problem.message}`, MAX_MESSAGE_CHARACTERS));
  const [first = ''] = lines;
  if (problems.length <= 1) return first;
  const more = ` (${problems.length - 1} more)`;
  const start = `${toOneLine(first, MAX_MESSAGE_CHARACTERS - more.length)}${more}`;
  const rest = problems.length - lines.length;
  return [start, ...lines.slice(1), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
}

/** `k8s/app.yaml:12`, or `k8s (object 3)` where nobody has seen the lines. */
export function placeOf({ file, document, line }: ManifestSource): string {
  if (line !== undefined) return `${file}:${line}`;
  return document > 1 ? `${file} (document ${document})` : file;
}

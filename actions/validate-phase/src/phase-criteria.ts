import { InputError, isProgrammingError, messageOf, type RunContext, type Runner } from '@sophia/action';
import type { GitHub } from '@sophia/github';
import { type Phase, type PhaseFileProblem, parsePhaseFile } from '@sophia/phases';
import type { PhaseEvidence } from '@sophia/records';
import { type FileText, type Places, readText, toRepositoryPath } from './workspace-files.ts';

/** The phase that a run is judged by, and the one that the change at hand would put in its place. */
export type Criteria = {
  /** Path from the workspace. */
  readonly file: string;
  readonly text: string;
  readonly phase: Phase;
  /** Absent where the run is of no change to a base. */
  readonly guard: PhaseEvidence['phase']['guard'];
  readonly proposal: { readonly text: string; readonly phase: Phase } | undefined;
  /** What the user is told of the choice. */
  readonly note: string | undefined;
};

const MAX_FILE_BYTES = 1_000_000;
/** The runner shows ten errors of a step. */
const ANNOTATED_PROBLEMS = 9;

/**
 * Reads the phase file of the workspace.
 *
 * @throws {InputError} It isn't there, or it is wrong: every problem is in the log and the first is the error.
 */
export async function readPhaseFile(
  file: string,
  places: Places,
  runner: Pick<Runner<never>, 'annotate' | 'info'>,
): Promise<{ readonly text: string; readonly phase: Phase }> {
  const read = await readText(file, places, MAX_FILE_BYTES);
  if (read.kind !== 'text') throw toUnreadable(file, read);
  const parsed = parsePhaseFile(read.text);
  if (parsed.kind === 'phase') return { text: read.text, phase: parsed.phase };
  throw toFileError(file, parsed.problems, runner);
}

function toUnreadable(file: string, { kind, message }: Exclude<FileText, { kind: 'text' }>): InputError {
  return new InputError(
    kind === 'missing'
      ? `Phase file "${file}" does not exist. Check "phase", and that actions/checkout ran before this step.`
      : `Phase file ${message} Correct "phase".`,
  );
}

function toFileError(
  file: string,
  problems: readonly PhaseFileProblem[],
  runner: Pick<Runner<never>, 'annotate' | 'info'>,
): InputError {
  const errors = problems.map(({ line, column, message }) => ({
    message: `${file}:${line}:${column}: ${message}`,
    location: { file, startLine: line, startColumn: column },
  }));
  const [first, ...others] = errors;
  for (const { message, location } of others.slice(0, ANNOTATED_PROBLEMS)) {
    runner.annotate({ level: 'error', message, location });
  }
  for (const { message } of others.slice(ANNOTATED_PROBLEMS)) runner.info(message);
  return new InputError(
    first?.message ?? `${file} is no phase file.`,
    first === undefined ? {} : { location: first.location },
  );
}

/**
 * Chooses the criteria: a change is judged by the phase file of its base, so that it can't loosen what it is judged
 * by. The file as changed is judged beside it. Where the base has no such file, or one that isn't valid, that of the
 * change holds; where it can't be asked for it, the change's is used and nothing passes.
 */
export async function chooseCriteria(
  file: string,
  proposed: { readonly text: string; readonly phase: Phase },
  context: RunContext,
  github: GitHub | undefined,
  signal: AbortSignal,
): Promise<Criteria> {
  const own: Criteria = { ...proposed, file, guard: undefined, proposal: undefined, note: undefined };
  const change = changeOf(context);
  if (change === undefined) return own;
  const { baseCommit, headCommit } = change;
  const unchecked = (why: string): Criteria => ({
    ...own,
    guard: { kind: 'unchecked', baseCommit },
    note: `Nothing passes: ${file} of the base could not be read (${why}), so it is not known whether this change altered it.`,
  });
  const path = toRepositoryPath(file, context.workspace);
  if (github === undefined) return unchecked('there is no token: set "github-token"');
  if (path === undefined || baseCommit === '')
    return unchecked('the file or the base is not in the repository');
  try {
    const base = await github.readFile(path, baseCommit, signal);
    if (base === proposed.text) return { ...own, guard: { kind: 'unchanged', baseCommit } };
    if (base !== undefined) return compareToBase(own, base, baseCommit);
    // A token without the right to read is answered as if nothing was there.
    const isReadable = (await github.readFile(path, headCommit, signal)) !== undefined;
    if (!isReadable)
      return unchecked('it is not in the change’s commit either: "contents: read" or a commit is missing');
    return {
      ...own,
      guard: { kind: 'new', baseCommit },
      note: `${file} is not on the base yet: judged by this change's own.`,
    };
  } catch (error) {
    if (signal.aborted || isProgrammingError(error)) throw error;
    return unchecked(messageOf(error));
  }
}

function compareToBase(own: Criteria, base: string, baseCommit: string): Criteria {
  const parsed = parsePhaseFile(base);
  if (parsed.kind === 'problems') {
    return {
      ...own,
      guard: { kind: 'new', baseCommit },
      note: `${own.file} of the base is not valid: judged by this change's own.`,
    };
  }
  return {
    ...own,
    text: base,
    phase: parsed.phase,
    guard: { kind: 'base', baseCommit },
    proposal: { text: own.text, phase: own.phase },
    note: `This change alters ${own.file}: judged by the base's, with the verdict by the altered one beside it.`,
  };
}

function changeOf(
  context: RunContext,
): { readonly baseCommit: string; readonly headCommit: string } | undefined {
  const { pullRequest, mergeGroup } = context.event;
  const change = pullRequest ?? mergeGroup;
  return change && { baseCommit: change.baseSha ?? '', headCommit: change.headSha || context.sha };
}

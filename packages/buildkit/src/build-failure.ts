import type { BuildStep, Progress } from './build-step.ts';
import { FAILURES, type FailureReason, RUN_ADVICE } from './failure-table.ts';

/** Why a build gave no result, for a person. */
export type BuildFailure =
  | { readonly kind: 'canceled' }
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      /** The cause, then one thing to do; on a second line where both are over 200 characters. */
      readonly message: string;
      /** As BuildKit names it: relative to the Dockerfile's folder, mostly its bare name. */
      readonly file?: string;
      readonly line?: number;
      readonly endLine?: number;
      readonly step?: BuildStep;
      /** The last lines of the failed step's command; empty when none ran. */
      readonly outputTail: readonly string[];
    };

type Location = {
  readonly file: string;
  readonly line: number;
  readonly endLine: number;
  /** The first line meant, as it stands in the file. */
  readonly text: string;
};

const MAX_CAUSE_CHARACTERS = 190;
const MAX_LINE_CHARACTERS = 200;

/**
 * Finds why a build failed from what it said.
 *
 * BuildKit gives the cause on the last `ERROR:` line, the place above it as `Dockerfile:7` and a listing
 * in which `>>>` marks the lines meant. The failed step's own error counts where there is no such line.
 *
 * @param args After `docker buildx`: tells a build from a run of its checks.
 */
export function describeFailure(progress: Progress, exitCode: number, args: readonly string[]): BuildFailure {
  const said = findCause(progress.trailer) ?? '';
  const step = findFailedStep(progress.steps, said);
  const cause = said === '' ? trimCause(step?.error ?? '') : said;
  if (/^(Canceled: )?context canceled$/.test(cause)) return { kind: 'canceled' };
  const location = findLocation(progress.trailer);
  return {
    kind: 'failed',
    ...(cause === ''
      ? describeSilence(exitCode, args)
      : (describeRun(cause, step, location) ?? describeCause(cause, step, location, args))),
    ...(location === undefined
      ? findSyntaxLocation(cause)
      : { file: location.file, line: location.line, endLine: location.endLine }),
    ...(step === undefined ? {} : { step }),
    outputTail: step?.outputTail ?? [],
  };
}

/** A cache that isn't there, or whose export may fail, leaves an error of its own behind: it isn't the cause. */
function findFailedStep(steps: readonly BuildStep[], said: string): BuildStep | undefined {
  const failed = steps.filter(({ error, isCanceled }) => error !== undefined && !isCanceled);
  return (
    failed.findLast(({ error }) => error !== undefined && said.includes(error)) ??
    failed.findLast(({ kind }) => kind !== 'cache-import' && kind !== 'cache-export')
  );
}

type Reason = { readonly reason: FailureReason; readonly message: string };

function describeSilence(exitCode: number, args: readonly string[]): Reason {
  const isCheck = args.some((arg) => /^(--check|(--call=)?(check|lint))(,|$)/.test(arg));
  return isCheck
    ? {
        reason: 'checks-failed',
        message: 'The Dockerfile checks found problems. Correct what the list in the log names.',
      }
    : {
        reason: 'unknown',
        message: `docker buildx ended with exit code ${exitCode} and gave no reason. Read the log of the Docker engine.`,
      };
}

function describeCause(
  cause: string,
  step: BuildStep | undefined,
  location: Location | undefined,
  args: readonly string[],
): Reason {
  // What can't be written has a registry's or a network's error: the step says what it was.
  const isNamed = step !== undefined && (step.kind === 'cache-export' || step.name.startsWith('pushing '));
  const text = isNamed ? `${step.name}: ${cause}` : cause;
  const at = { step, line: location?.text ?? '' };
  const entry = FAILURES.find(({ pattern, isCause }) => pattern.test(text) && (isCause?.(at) ?? true));
  if (entry !== undefined) {
    const said = entry.say?.(entry.pattern.exec(text), cause, args) ?? cause;
    return { reason: entry.reason, message: joinMessage(said, entry.advice) };
  }
  // What BuildKit shows a line of the Dockerfile for, it holds against that line.
  return location === undefined
    ? { reason: 'unknown', message: joinMessage(cause, 'Read the lines above it in the log.') }
    : { reason: 'dockerfile-syntax', message: joinMessage(cause, 'Correct that line.') };
}

const CLI_ERROR =
  /^(docker: |unknown |Cannot connect|permission denied|error during connect|invalid argument|flag needs)/;

/** The last `ERROR:` line, with those that continue it; else the CLI's own first line. */
function findCause(trailer: readonly string[]): string | undefined {
  const at = trailer.findLastIndex((line) => /^(ERROR|error): /.test(line));
  if (at < 0) {
    const own = trailer.find((line) => CLI_ERROR.test(line));
    return own === undefined ? undefined : trimCause(own);
  }
  const end = trailer.findIndex((line, index) => index > at && line.trim() === '');
  return trimCause(trailer.slice(at, Math.min(at + 5, end < 0 ? trailer.length : end)).join('\n'));
}

function trimCause(text: string): string {
  return text
    .trim()
    .replace(
      /^(?:(?:ERROR|error|docker): |failed to (?:build|solve|bake): |target \S{1,200}: (?=failed to solve)|rpc error: code = \w+ desc = )+/,
      '',
    )
    .trim();
}

const LOCATION = /^(.{1,500}):(\d{1,9})$/;

function findLocation(trailer: readonly string[]): Location | undefined {
  const at = trailer.findLastIndex(
    (line, index) => LOCATION.test(line) && /^-{10,}$/.test(trailer[index + 1] ?? ''),
  );
  const match = LOCATION.exec(trailer[at] ?? '');
  if (match === null) return undefined;
  const end = trailer.findIndex((line, index) => index > at + 1 && /^-{10,}$/.test(line));
  const marked = trailer.slice(at + 2, end < 0 ? undefined : end).flatMap((line) => {
    const [, number, text] = /^\s*(\d{1,9}) \| >>> ?(.*)$/.exec(line) ?? [];
    return number === undefined ? [] : [{ number: Number(number), text: text ?? '' }];
  });
  const line = Number(match[2]);
  return {
    file: match[1] ?? '',
    line,
    endLine: Math.max(line, ...marked.map(({ number }) => number)),
    text: marked[0]?.text ?? '',
  };
}

function findSyntaxLocation(cause: string): { line: number; endLine: number } | undefined {
  const line = Number(/^dockerfile parse error on line (\d{1,9})/.exec(cause)?.[1] ?? Number.NaN);
  return Number.isNaN(line) ? undefined : { line, endLine: line };
}

const PROCESS_ERROR = /^process ".*" did not complete successfully: (?:exit code: (\d+)|(.*))/s;

function describeRun(
  cause: string,
  step: BuildStep | undefined,
  location: Location | undefined,
): Reason | undefined {
  const match = PROCESS_ERROR.exec(cause);
  if (match === null) return undefined;
  const exitCode = match[1] === undefined ? undefined : Number(match[1]);
  const how = exitCode === undefined ? (match[2] ?? '').slice(0, 60) : `exit code ${exitCode}`;
  const where = [
    ...(step?.stage === undefined ? [] : [`in stage "${step.stage}"`]),
    ...(location === undefined ? [] : [`at ${location.file}:${location.line}`]),
  ].join(' ');
  const ending = `failed with ${how}${where === '' ? '' : ` ${where}`}`;
  const command = shorten(step?.instruction ?? 'A command', MAX_CAUSE_CHARACTERS - ending.length - 3);
  const advice = RUN_ADVICE.find(({ isCause }) => isCause(exitCode, step?.outputTail ?? []));
  return {
    reason: advice?.reason ?? 'run-failed',
    message: joinMessage(
      `${command} ${ending}${advice?.says ?? ''}`,
      advice?.advice ?? "Correct what the command's last output names.",
    ),
  };
}

function joinMessage(cause: string, advice: string): string {
  const sentence = `${shorten(cause, MAX_CAUSE_CHARACTERS).replace(/[.:\s]+$/, '')}.`;
  const line = `${sentence} ${advice}`;
  return line.length <= MAX_LINE_CHARACTERS ? line : `${sentence}\n${advice}`;
}

function shorten(text: string, maxCharacters: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const max = Math.max(20, maxCharacters);
  if (line.length <= max) return line;
  // Both ends say something: what was tried stands first, what went wrong last.
  const head = Math.ceil((max - 3) * 0.6);
  return `${line.slice(0, head).trimEnd()} … ${line.slice(line.length - (max - 3 - head)).trimStart()}`;
}

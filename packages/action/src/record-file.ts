import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunContext, runUrl } from './context.ts';
import { isProgrammingError, messageOf } from './errors.ts';
import type { Runner } from './runner.ts';

/** What every record says of the run that made it. */
export type RunDescription = {
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly id: string;
  readonly number: string;
  readonly attempt: string;
  readonly eventName: string;
  readonly pullRequest?: number;
  readonly url: string;
};

/** The run as records have it. */
export function describeRun(context: RunContext): RunDescription {
  const pullRequest = context.event.pullRequest?.number;
  return {
    repository: context.repository,
    workflow: context.workflow,
    job: context.job,
    id: context.runId,
    number: context.runNumber,
    attempt: context.runAttempt,
    eventName: context.eventName,
    ...(pullRequest === undefined ? {} : { pullRequest }),
    url: runUrl(context),
  };
}

/** Larger ones nobody reads without a program, and indented they are several times as large. */
const MAX_INDENTED_CHARACTERS = 1_000_000;

/**
 * Writes `sophia/<kind>-<n>.json` for the smallest n that is free, so that steps of one job keep all their records.
 *
 * @param kind `build`, `deploy` or `phase-evidence`.
 * @param temporaryFolder `$RUNNER_TEMP`.
 * @returns The file's path.
 */
export async function writeRecordFile(
  kind: string,
  record: unknown,
  temporaryFolder: string,
): Promise<string> {
  const folder = join(temporaryFolder, 'sophia');
  await mkdir(folder, { recursive: true });
  const compact = JSON.stringify(record);
  const text = compact.length > MAX_INDENTED_CHARACTERS ? compact : JSON.stringify(record, null, 2);
  for (let number = 1; ; number += 1) {
    const path = join(folder, `${kind}-${number}.json`);
    try {
      await writeFile(path, `${text}\n`, { flag: 'wx' });
      return path;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

/**
 * Does a lesser thing (a record, a summary, a check run) beside a useful result. Where it fails outside this code that
 * is a warning that names the loss, and undefined.
 *
 * @param loss The start of the warning: "The build stands, but its record was not written".
 */
export async function attempt<T>(
  runner: Pick<Runner<never>, 'annotate'>,
  loss: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isProgrammingError(error)) throw error;
    runner.annotate({ level: 'warning', message: `${loss}: ${messageOf(error)}` });
    return undefined;
  }
}

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import type { Environment } from './inputs.ts';

/** What the runner says of the run. Empty text where it says nothing, as in a plain shell. */
export type RunContext = {
  readonly serverUrl: string;
  readonly apiUrl: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly sha: string;
  readonly ref: string;
  readonly headRef: string;
  readonly baseRef: string;
  readonly isRefProtected: boolean;
  readonly eventName: string;
  readonly workflow: string;
  readonly job: string;
  readonly runId: string;
  readonly runNumber: string;
  readonly runAttempt: string;
  readonly runnerName: string;
  readonly runnerEnvironment: string;
  readonly workspace: string;
  readonly temporaryFolder: string;
  readonly event: EventPayload;
};

const pointer = z.object({ sha: z.optional(z.string()) });

const eventSchema = z.object({
  repository: z.optional(z.object({ private: z.optional(z.boolean()) })),
  pull_request: z.optional(
    z.object({ number: z.optional(z.number()), head: z.optional(pointer), base: z.optional(pointer) }),
  ),
  merge_group: z.optional(z.object({ head_sha: z.optional(z.string()), base_sha: z.optional(z.string()) })),
});

/** The few facts of the event payload that decide something here. */
export type EventPayload = {
  readonly isRepositoryPrivate: boolean;
  readonly pullRequest:
    | {
        readonly number: number | undefined;
        readonly headSha: string | undefined;
        readonly baseSha: string | undefined;
      }
    | undefined;
  /** The commit that a merge queue made of the changes in it, and the one it made it on. */
  readonly mergeGroup:
    | { readonly headSha: string | undefined; readonly baseSha: string | undefined }
    | undefined;
};

const NO_EVENT: EventPayload = { isRepositoryPrivate: false, pullRequest: undefined, mergeGroup: undefined };

/**
 * Reads the run's context from the runner's environment and event file.
 * A missing or unreadable event file counts as an event that says nothing: it must not stop a build.
 */
export function readContext(environment: Environment): RunContext {
  const text = (name: string) => environment[name] ?? '';
  return {
    serverUrl: text('GITHUB_SERVER_URL') || 'https://github.com',
    apiUrl: text('GITHUB_API_URL') || 'https://api.github.com',
    repository: text('GITHUB_REPOSITORY'),
    sha: text('GITHUB_SHA'),
    ref: text('GITHUB_REF'),
    headRef: text('GITHUB_HEAD_REF'),
    baseRef: text('GITHUB_BASE_REF'),
    isRefProtected: text('GITHUB_REF_PROTECTED') === 'true',
    eventName: text('GITHUB_EVENT_NAME'),
    workflow: text('GITHUB_WORKFLOW'),
    job: text('GITHUB_JOB'),
    runId: text('GITHUB_RUN_ID'),
    runNumber: text('GITHUB_RUN_NUMBER'),
    runAttempt: text('GITHUB_RUN_ATTEMPT') || '1',
    runnerName: text('RUNNER_NAME'),
    runnerEnvironment: text('RUNNER_ENVIRONMENT'),
    workspace: text('GITHUB_WORKSPACE') || process.cwd(),
    temporaryFolder: text('RUNNER_TEMP') || text('TMPDIR') || '/tmp',
    event: readEvent(text('GITHUB_EVENT_PATH')),
  };
}

function readEvent(path: string): EventPayload {
  if (path === '') return NO_EVENT;
  let payload: unknown;
  try {
    payload = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return NO_EVENT;
    throw error;
  }
  const parsed = z.safeParse(eventSchema, payload);
  if (!parsed.success) return NO_EVENT;
  const { repository, pull_request: pullRequest, merge_group: mergeGroup } = parsed.data;
  return {
    isRepositoryPrivate: repository?.private ?? false,
    pullRequest: pullRequest && {
      number: pullRequest.number,
      headSha: pullRequest.head?.sha,
      baseSha: pullRequest.base?.sha,
    },
    mergeGroup: mergeGroup && { headSha: mergeGroup.head_sha, baseSha: mergeGroup.base_sha },
  };
}

/**
 * The commit that a check has to stand on to count: the head of a pull request (`GITHUB_SHA` is a merge that branch
 * rules don't look at), a merge queue's own, else the one the run is of.
 *
 * @see https://docs.github.com/pull-requests/reference/status-checks
 */
export function checkedCommit({ event, eventName, sha }: RunContext): string {
  if (eventName.startsWith('pull_request')) return event.pullRequest?.headSha || sha;
  return event.mergeGroup?.headSha || sha;
}

/** The web page of this run's attempt; empty outside a run. */
export function runUrl(context: RunContext): string {
  if (context.repository === '' || context.runId === '') return '';
  return `${context.serverUrl}/${context.repository}/actions/runs/${context.runId}`;
}

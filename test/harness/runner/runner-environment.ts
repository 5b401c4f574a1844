import path from 'node:path';
import type { CommandFiles } from './file-commands.ts';

/** The event, repository and services of one job; every value has a default that a real run could have. */
export interface JobOptions {
  /** `owner/name`. */
  readonly repository?: string;
  readonly ref?: string;
  readonly sha?: string;
  /** Only on pull requests: the branches, without `refs/heads/`. */
  readonly baseRef?: string;
  readonly headRef?: string;
  readonly eventName?: string;
  /** The webhook payload, written to GITHUB_EVENT_PATH and readable as `github.event`. */
  readonly event?: unknown;
  readonly actor?: string;
  readonly workflow?: string;
  readonly job?: string;
  readonly runId?: number;
  readonly runNumber?: number;
  readonly runAttempt?: number;
  readonly refProtected?: boolean;
  /** `github.token`; masked from the start, as the runner does. */
  readonly token?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  /** Where `GITHUB_API_URL` points, such as a fake's address. */
  readonly apiUrl?: string;
  readonly graphqlUrl?: string;
  readonly serverUrl?: string;
  /** The services only an action sees, never a `run:` step. */
  readonly services?: ActionsServices;
  readonly environment?: 'github-hosted' | 'self-hosted';
  /** Debug logging on: `RUNNER_DEBUG=1`, and `::debug::` lines are shown. */
  readonly debug?: boolean;
  /** GITHUB_WORKSPACE; an empty folder of the job's own when left out. */
  readonly workspace?: string;
  /** The environment of the workflow's and job's `env:`, on top of PATH and HOME. May set both. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Addresses and tokens of the Actions services. */
export interface ActionsServices {
  readonly runtimeToken?: string;
  readonly runtimeUrl?: string;
  /** With a trailing slash. Also switches the cache service to version 2. */
  readonly resultsUrl?: string;
  readonly cacheUrl?: string;
  readonly idTokenRequestUrl?: string;
  readonly idTokenRequestToken?: string;
}

/** The folders of one job. */
export interface JobFolders {
  readonly root: string;
  readonly home: string;
  readonly workspace: string;
  readonly temp: string;
  readonly toolCache: string;
  readonly eventFile: string;
}

/** The `github` context, in the spelling of an expression. */
export type GithubContext = Readonly<Record<string, unknown>>;

function refName(ref: string): string {
  return ref.replace(/^refs\/(heads|tags|pull)\//u, '');
}

const defaultJob = {
  repository: 'octo-org/service',
  ref: 'refs/heads/main',
  sha: '0123456789abcdef0123456789abcdef01234567',
  baseRef: '',
  headRef: '',
  actor: 'octocat',
  workflow: 'ci',
  job: 'build',
  runId: 1234567890,
  runNumber: 7,
  runAttempt: 1,
  token: 'ghs_0123456789abcdefghijABCDEFGHIJ012345',
  apiUrl: 'https://api.github.com',
  serverUrl: 'https://github.com',
};

/** Fills the `github` context as a run of a workflow file would have it. */
export function createGithubContext(options: JobOptions, folders: JobFolders): GithubContext {
  const run = { ...defaultJob, ...options };
  const { repository, ref, sha, actor, apiUrl, workflow } = run;
  const defaultEvent = { repository: { full_name: repository, default_branch: 'main', private: false } };
  return {
    token: run.token,
    job: run.job,
    ref,
    sha,
    repository,
    repository_owner: repository.split('/')[0] ?? '',
    repository_id: '1000001',
    repository_owner_id: '2000001',
    repositoryUrl: `git://github.com/${repository}.git`,
    run_id: String(run.runId),
    run_number: String(run.runNumber),
    run_attempt: String(run.runAttempt),
    retention_days: '90',
    actor,
    actor_id: '3000001',
    triggering_actor: actor,
    workflow,
    workflow_ref: `${repository}/.github/workflows/${workflow}.yml@${ref}`,
    workflow_sha: sha,
    head_ref: run.headRef,
    base_ref: run.baseRef,
    event_name: run.eventName ?? (run.baseRef === '' ? 'push' : 'pull_request'),
    event: run.event ?? defaultEvent,
    server_url: run.serverUrl,
    api_url: apiUrl,
    graphql_url: run.graphqlUrl ?? `${apiUrl}/graphql`,
    ref_name: refName(ref),
    ref_type: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    ref_protected: run.refProtected ?? ref === 'refs/heads/main',
    workspace: folders.workspace,
    event_path: folders.eventFile,
  };
}

// The members of the github context the runner turns into GITHUB_* variables. `token` is not one of them.
const exposedNames = [
  'action',
  'action_path',
  'action_ref',
  'action_repository',
  'actor',
  'actor_id',
  'api_url',
  'base_ref',
  'event_name',
  'event_path',
  'graphql_url',
  'head_ref',
  'job',
  'ref',
  'ref_name',
  'ref_protected',
  'ref_type',
  'repository',
  'repository_id',
  'repository_owner',
  'repository_owner_id',
  'retention_days',
  'run_attempt',
  'run_id',
  'run_number',
  'server_url',
  'sha',
  'triggering_actor',
  'workflow',
  'workflow_ref',
  'workflow_sha',
  'workspace',
] as const;

/** The `GITHUB_*` variables of a context and a step's command files. */
export function githubVariables(github: GithubContext, files: CommandFiles): Record<string, string> {
  const variables: Record<string, string> = { GITHUB_ACTIONS: 'true' };
  for (const name of exposedNames) {
    if (github[name] !== undefined) variables[`GITHUB_${name.toUpperCase()}`] = String(github[name]);
  }
  for (const [name, file] of Object.entries(files)) variables[`GITHUB_${name}`] = file;
  return variables;
}

/** The `runner` context. */
export function createRunnerContext(options: JobOptions, folders: JobFolders): Record<string, string> {
  return {
    os: 'Linux',
    arch: process.arch === 'arm64' ? 'ARM64' : 'X64',
    name: 'GitHub Actions 1',
    environment: options.environment ?? 'github-hosted',
    tool_cache: folders.toolCache,
    temp: folders.temp,
    workspace: path.dirname(folders.workspace),
    ...(options.debug === true ? { debug: '1' } : {}),
  };
}

export function runnerVariables(runner: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(runner).map(([name, value]) => [`RUNNER_${name.toUpperCase()}`, value]),
  );
}

/** The variables by which an action, and no `run:` step, reaches the Actions services. */
export function serviceVariables(services: ActionsServices = {}): Record<string, string> {
  const variables = {
    ACTIONS_RUNTIME_TOKEN: services.runtimeToken,
    ACTIONS_RUNTIME_URL: services.runtimeUrl,
    ACTIONS_RESULTS_URL: services.resultsUrl,
    ACTIONS_CACHE_URL: services.cacheUrl,
    ACTIONS_CACHE_SERVICE_V2: services.resultsUrl === undefined ? undefined : 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: services.idTokenRequestUrl,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: services.idTokenRequestToken,
  };
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/**
 * Refuses an `env:` that the runner would silently override: a test that sets one would not test what it
 * says.
 *
 * @throws {Error} A name is one the runner sets itself.
 */
export function checkCallerEnvironment(env: Readonly<Record<string, string>>): void {
  const computed = new Set([
    ...exposedNames.map((name) => `GITHUB_${name.toUpperCase()}`),
    'GITHUB_ACTIONS',
    'GITHUB_OUTPUT',
    'GITHUB_STATE',
    'GITHUB_ENV',
    'GITHUB_PATH',
    'GITHUB_STEP_SUMMARY',
  ]);
  for (const name of Object.keys(env)) {
    if (computed.has(name) || name.startsWith('RUNNER_')) {
      throw new Error(`env sets ${name}, which the runner sets itself. Use the option of that meaning.`);
    }
  }
}

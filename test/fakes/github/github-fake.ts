import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadDescription } from './description.ts';
import { createGitStore } from './git-store.ts';
import type { Permissions } from './permissions.ts';
import { createSchemaValidator } from './schema-validator.ts';
import { type RecordedRequest, type Server, serve, type Trouble } from './serve.ts';
import {
  createExampleReader,
  createUser,
  type GithubState,
  type PullRequest,
  type RepositoryOptions,
  type TokenRights,
} from './state.ts';

export interface GithubFakeOptions {
  readonly repository?: Partial<RepositoryOptions>;
  /** Of the fake's own {@link GithubFake.token}. Everything when left out. */
  readonly permissions?: Permissions;
  /** Further tokens. */
  readonly tokens?: Readonly<Record<string, TokenRights>>;
  /** Requests left in this hour; 1000 is what a workflow's token has. */
  readonly requestsLeft?: number;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

export interface SeedCommit {
  /** Default: the default branch. It is made where it doesn't exist. */
  readonly branch?: string;
  /** Path ▶ content; null removes. */
  readonly files?: Readonly<Record<string, string | null>>;
  readonly message?: string;
  /** Default: the branch's head, if any. */
  readonly parents?: readonly string[];
}

export interface GithubFake extends AsyncDisposable {
  /** For GITHUB_API_URL: no slash at its end. */
  readonly url: string;
  readonly token: string;
  readonly state: GithubState;
  readonly requests: readonly RecordedRequest[];
  /** What the fake itself got wrong: an answer out of schema, an operation it can't do. Disposing throws them. */
  readonly problems: readonly string[];
  readonly meet: (trouble: Trouble) => void;
  readonly seedCommit: (commit: SeedCommit) => Promise<string>;
  readonly seedPull: (pull: Partial<PullRequest> & { readonly headSha: string }) => PullRequest;
}

const everything: Permissions = {
  actions: 'write',
  checks: 'write',
  contents: 'write',
  deployments: 'write',
  issues: 'write',
  packages: 'write',
  'pull-requests': 'write',
  statuses: 'write',
};

async function seedCommit(state: GithubState, seed: SeedCommit): Promise<string> {
  const branch = seed.branch ?? state.repository.defaultBranch;
  const head = await state.git.tryGit(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]);
  const parents = seed.parents ?? (head === undefined ? [] : [head]);
  const changes = await Promise.all(
    Object.entries(seed.files ?? {}).map(async ([path, content]) => ({
      path,
      mode: '100644',
      sha: content === null ? null : await state.git.writeBlob(content),
    })),
  );
  const tree = await state.git.writeTree(parents[0], changes);
  const author = { name: 'octocat', email: 'octocat@github.com', date: state.now() };
  const message = seed.message ?? `Change ${Object.keys(seed.files ?? {}).join(', ')}`;
  const sha = await state.git.writeCommit({ tree, parents, author, committer: author, message });
  await state.git.git(['update-ref', `refs/heads/${branch}`, sha]);
  return sha;
}

function seedPull(
  state: GithubState,
  pull: Partial<PullRequest> & { readonly headSha: string },
): PullRequest {
  const whole: PullRequest = {
    number: state.pulls.length + 1,
    title: 'A change',
    body: null,
    login: 'octocat',
    baseRef: state.repository.defaultBranch,
    headRef: 'feature',
    headRepository: `${state.repository.owner}/${state.repository.name}`,
    state: 'open',
    ...pull,
  };
  state.pulls.push(whole);
  return whole;
}

/**
 * Starts a fake of GitHub's REST API on loopback, for one repository backed by real git.
 *
 * Requests and answers are held against the published OpenAPI description: it refuses what the description
 * refuses, and an answer of its own that breaks it makes the dispose throw.
 */
export async function createGithubFake(options: GithubFakeOptions = {}): Promise<GithubFake> {
  const description = await loadDescription();
  const repository: RepositoryOptions = {
    owner: 'octo-org',
    name: 'service',
    isPrivate: false,
    defaultBranch: 'main',
    ...options.repository,
  };
  const git = await createGitStore(repository.defaultBranch);
  const now = options.now ?? Date.now;
  let baseUrl = '';
  let lastId = 1000;
  const state: GithubState = {
    repository,
    git,
    comments: [],
    checkRuns: [],
    statuses: [],
    pulls: [],
    artifacts: [],
    issues: new Set(),
    protectedBranches: new Set(),
    baseUrl: () => baseUrl,
    nextId: () => ++lastId,
    now: () => new Date(now()).toISOString().replace(/\.\d+Z$/u, 'Z'),
    example: createExampleReader(description, repository, () => baseUrl),
    user: (login) => createUser(login, baseUrl),
  };
  const token = 'ghs_fakeworkflowtoken0123456789abcdefghij';
  const ownRights = { permissions: options.permissions ?? everything, login: 'github-actions[bot]' };
  const requestLimit = 1000;
  const server: Server = {
    description,
    validator: createSchemaValidator(description),
    state,
    tokens: new Map([[token, ownRights], ...Object.entries(options.tokens ?? {})]),
    requests: [],
    problems: [],
    troubles: [],
    now,
    requestLimit,
    requestsLeft: options.requestsLeft ?? requestLimit,
  };
  const http = createServer((message, response) => {
    serve(server, message, response).catch((error: unknown) => {
      server.problems.push(String(error));
      response.destroy();
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    url: baseUrl,
    token,
    state,
    requests: server.requests,
    problems: server.problems,
    meet: (trouble) => server.troubles.push({ trouble, left: trouble.times ?? 1 }),
    seedCommit: (commit) => seedCommit(state, commit),
    seedPull: (pull) => seedPull(state, pull),
    async [Symbol.asyncDispose]() {
      http.close();
      http.closeAllConnections();
      await git[Symbol.asyncDispose]();
      if (server.problems.length > 0) throw new Error(server.problems.join('\n'));
    },
  };
}

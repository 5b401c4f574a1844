import { createHash } from 'node:crypto';
import type { Description, Operation } from './description.ts';
import type { GitStore } from './git-store.ts';
import type { Permissions } from './permissions.ts';

/** An object of an answer; the response's schema is what types it. */
export type Json = Record<string, unknown>;

export interface TokenRights {
  readonly permissions: Permissions;
  /** Whom comments and statuses come from. */
  readonly login: string;
}

export interface Comment {
  readonly id: number;
  readonly issueNumber: number;
  readonly login: string;
  readonly createdAt: string;
  body: string;
  updatedAt: string;
}

export interface CheckRun {
  readonly id: number;
  readonly headSha: string;
  /** What the last create or update said of it; annotations are kept apart, as they add up. */
  fields: Json;
  readonly annotations: Json[];
}

export interface CommitStatus {
  readonly id: number;
  readonly sha: string;
  readonly state: string;
  readonly context: string;
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly login: string;
  readonly createdAt: string;
}

/** A pull request of the repository; the head may lie in a fork. */
export interface PullRequest {
  readonly number: number;
  readonly title: string;
  readonly body: string | null;
  readonly login: string;
  readonly baseRef: string;
  readonly headRef: string;
  readonly headSha: string;
  /** `owner/name`; the repository itself when not from a fork. */
  readonly headRepository: string;
  readonly state: 'open' | 'closed';
}

export interface Artifact {
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly runId: number;
  readonly headSha: string;
  readonly isExpired: boolean;
}

export interface RepositoryOptions {
  readonly owner: string;
  readonly name: string;
  readonly isPrivate: boolean;
  readonly defaultBranch: string;
}

/** All that the fake knows; tests may read and fill it. */
export interface GithubState {
  readonly repository: RepositoryOptions;
  readonly git: GitStore;
  readonly comments: Comment[];
  readonly checkRuns: CheckRun[];
  readonly statuses: CommitStatus[];
  readonly pulls: PullRequest[];
  readonly artifacts: Artifact[];
  /** Numbers of issues that are no pull requests. */
  readonly issues: Set<number>;
  /** Branches that refuse a push that is not a fast-forward even with `force`. */
  readonly protectedBranches: Set<string>;
  readonly baseUrl: () => string;
  readonly nextId: () => number;
  /** ISO 8601 to the second, as GitHub gives times. */
  readonly now: () => string;
  readonly example: (name: string) => unknown;
  readonly user: (login: string) => Json;
}

/** What a handler gets: the request as validated by the description. */
export interface HandlerRequest {
  readonly operation: Operation;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Json;
  readonly token: TokenRights;
  /** The file itself is asked for: `Accept: application/vnd.github.raw+json`. */
  readonly isRaw: boolean;
}

export type HandlerAnswer =
  | { readonly kind: 'value'; readonly status: number; readonly body: unknown; readonly location?: string }
  /** Divided into pages by the server; `wrap` puts a page into its envelope. */
  | {
      readonly kind: 'list';
      readonly items: readonly unknown[];
      readonly wrap?: (page: readonly unknown[], total: number) => unknown;
    }
  | { readonly kind: 'raw'; readonly contentType: string; readonly body: Buffer }
  | { readonly kind: 'empty' };

export type Handler = (request: HandlerRequest, state: GithubState) => HandlerAnswer | Promise<HandlerAnswer>;

export function stableNumber(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 4);
}

export function nodeId(kind: string, id: number | string): string {
  return Buffer.from(`${kind}:${id}`).toString('base64');
}

/**
 * Makes the reader of published examples: a copy whose repository and addresses are the fake's, so that a
 * handler sets only what it knows and the rest has the published shape.
 */
export function createExampleReader(
  description: Description,
  repository: RepositoryOptions,
  baseUrl: () => string,
): (name: string) => unknown {
  const fullName = `${repository.owner}/${repository.name}`;
  const rewrite = (value: unknown): unknown => {
    if (typeof value === 'string') {
      return value
        .replaceAll('https://api.github.com', baseUrl())
        .replaceAll(/octocat\/Hello-World/giu, fullName);
    }
    if (Array.isArray(value)) return value.map(rewrite);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rewrite(member)]));
  };
  return (name) => rewrite(description.example(name));
}

/** A `simple-user`; a login that ends in `[bot]` is a bot's. */
export function createUser(login: string, baseUrl: string): Json {
  const id = login === 'github-actions[bot]' ? 41_898_282 : stableNumber(login);
  const url = `${baseUrl}/users/${encodeURIComponent(login)}`;
  const isBot = login.endsWith('[bot]');
  return {
    login,
    id,
    node_id: nodeId('User', id),
    avatar_url: `https://avatars.githubusercontent.com/u/${id}?v=4`,
    gravatar_id: '',
    url,
    html_url: `https://github.com/${isBot ? `apps/${login.replace('[bot]', '')}` : login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: isBot ? 'Bot' : 'User',
    site_admin: false,
  };
}

export function repositoryUrl(state: GithubState): string {
  return `${state.baseUrl()}/repos/${state.repository.owner}/${state.repository.name}`;
}

export function htmlUrl(state: GithubState): string {
  return `https://github.com/${state.repository.owner}/${state.repository.name}`;
}

export function value(body: unknown, status = 200): HandlerAnswer {
  return { kind: 'value', status, body };
}

/** A body's member the schema has shown to be a text, or undefined. */
export function text(body: Json, name: string): string | undefined {
  const member = body[name];
  return typeof member === 'string' ? member : undefined;
}

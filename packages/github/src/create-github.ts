import { randomUUID } from 'node:crypto';
import type { getOctokit } from '@actions/github';
import * as z from 'zod/mini';
import { type CallOptions, createCalls, type MakeCall } from './call.ts';
import type { CheckRun, CommitStatus, GitHub, Shown } from './github.ts';
import { GitHubError } from './github-error.ts';
import { cutMarkdown, toOneLine } from './plain-text.ts';

/** Which repository of which GitHub, and who asks. */
export type GitHubOptions = CallOptions & {
  /** `https://api.github.com`, or that of an own server, `https://github.example/api/v3`. */
  readonly apiUrl: string;
  /** `owner/name`. */
  readonly repository: string;
};

type Octokit = ReturnType<typeof getOctokit>;

type Connection = {
  readonly makeCall: MakeCall;
  readonly repo: { readonly owner: string; readonly repo: string };
  /** The client's 0.2 s of loading are spent by the first call, not by every start. */
  readonly load: () => Promise<Octokit>;
};

/** A check run's summary takes 65,535 characters. Counted in bytes, so that it fits however they are counted. */
const MAX_SUMMARY_BYTES = 65_535;
const MAX_TITLE_CHARACTERS = 255;
const MAX_DESCRIPTION_CHARACTERS = 140;
/** Above this GitHub leaves the content out. */
const MAX_FILE_BYTES = 1_048_576;
const PAGE_SIZE = 100;
const MAX_PAGES = 10;

const createdCheckRun = z.object({ html_url: z.nullable(z.string()) });
const createdStatus = z.object({ url: z.string() });
const listedCheckRun = z.object({
  id: z.number(),
  html_url: z.nullable(z.string()),
  external_id: z.nullable(z.string()),
  app: z.nullable(z.object({ slug: z.optional(z.string()) })),
});
const checkRunPage = z.object({ check_runs: z.array(listedCheckRun) });
const fileSchema = z.object({
  type: z.literal('file'),
  size: z.number(),
  encoding: z.string(),
  content: z.string(),
});

/**
 * Makes the way to a repository on GitHub. Nothing is loaded or asked before the first call.
 *
 * @throws {GitHubError} from each call, when GitHub doesn't do it; a read-only token is no error where something is to
 * be shown.
 */
export function createGitHub(options: GitHubOptions): GitHub {
  const [owner = '', repo = ''] = options.repository.split('/');
  let octokit: Promise<Octokit> | undefined;
  const connection: Connection = {
    makeCall: createCalls(options),
    repo: { owner, repo },
    load: () => {
      octokit ??= loadOctokit(options);
      return octokit;
    },
  };
  return {
    createCheckRun: (run, signal) => createCheckRun(connection, run, signal),
    createCommitStatus: (status, signal) => createCommitStatus(connection, status, signal),
    listCheckRuns: async (headSha, name, signal) => {
      const runs = await listCheckRuns(connection, headSha, name, signal);
      return runs.map(({ id, app }) => ({ id, app: app?.slug ?? 'unknown' }));
    },
    readFile: (path, ref, signal) => readFile(connection, path, ref, signal),
  };
}

async function loadOctokit({ apiUrl, token }: GitHubOptions): Promise<Octokit> {
  const client = await import('@actions/github');
  const silent = () => undefined;
  return client.getOctokit(token, {
    baseUrl: apiUrl.replace(/\/+$/, ''),
    userAgent: 'sophia-actions',
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
}

async function createCheckRun(
  { makeCall, repo, load }: Connection,
  run: CheckRun,
  signal: AbortSignal,
): Promise<Shown> {
  const octokit = await load();
  const name = toOneLine(run.name, 100);
  // Known to nobody else, so that a run whose answer was lost is found again and not made twice.
  const externalId = randomUUID();
  const operation = `write the check run "${name}"`;
  return show('check run', name, 'checks: write', async () => {
    const { html_url: url } = await makeCall(
      {
        operation,
        send: async (request) => {
          const { data } = await octokit.rest.checks.create({
            ...repo,
            name: run.name,
            head_sha: run.headSha,
            status: 'completed',
            conclusion: run.conclusion,
            external_id: externalId,
            ...(run.detailsUrl === '' ? {} : { details_url: run.detailsUrl }),
            output: {
              title: toOneLine(run.title, MAX_TITLE_CHARACTERS) || name,
              summary: cutMarkdown(run.summary, MAX_SUMMARY_BYTES),
            },
            request: { signal: request },
          });
          return take(createdCheckRun, data, operation);
        },
        findEffect: async (request) => {
          const runs = await fetchCheckRuns(octokit, repo, run.headSha, run.name, request);
          return runs.find((each) => each.external_id === externalId);
        },
      },
      signal,
    );
    return url ?? run.detailsUrl;
  });
}

async function createCommitStatus(
  { makeCall, repo, load }: Connection,
  { sha, context, state, description, targetUrl }: CommitStatus,
  signal: AbortSignal,
): Promise<Shown> {
  const octokit = await load();
  const name = toOneLine(context, 100);
  const operation = `write the commit status "${name}"`;
  return show('commit status', name, 'statuses: write', async () => {
    // Twice is no harm: the newest of a name is what counts.
    const send = async (request: AbortSignal) => {
      const { data } = await octokit.rest.repos.createCommitStatus({
        ...repo,
        sha,
        context,
        state,
        description: toOneLine(description, MAX_DESCRIPTION_CHARACTERS),
        ...(targetUrl === '' ? {} : { target_url: targetUrl }),
        request: { signal: request },
      });
      return take(createdStatus, data, operation);
    };
    const { url } = await makeCall({ operation, send }, signal);
    return targetUrl === '' ? url : targetUrl;
  });
}

/** What is missing where a token may not write: GitHub says 403, and 404 where it hides that there is anything. */
async function show(
  what: string,
  name: string,
  permission: string,
  write: () => Promise<string>,
): Promise<Shown> {
  try {
    return { kind: 'shown', url: await write() };
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    const isHidden = error.status === 404;
    const isForbidden = error.status === 403 && /not accessible by/i.test(error.message);
    if (!isHidden && !isForbidden) throw error;
    return {
      kind: 'not-allowed',
      message: `The ${what} "${name}" was not written: the token lacks "${permission}".`,
    };
  }
}

async function listCheckRuns(
  { makeCall, repo, load }: Connection,
  headSha: string,
  name: string,
  signal: AbortSignal,
) {
  const octokit = await load();
  const operation = `list the check runs "${toOneLine(name, 100)}"`;
  const send = (request: AbortSignal) => fetchCheckRuns(octokit, repo, headSha, name, request);
  return makeCall({ operation, send }, signal);
}

async function fetchCheckRuns(
  octokit: Octokit,
  repo: Connection['repo'],
  headSha: string,
  name: string,
  signal: AbortSignal,
) {
  const runs: z.infer<typeof listedCheckRun>[] = [];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { data } = await octokit.rest.checks.listForRef({
      ...repo,
      ref: headSha,
      check_name: name,
      // The newest of each suite alone would hide those of others.
      filter: 'all',
      per_page: PAGE_SIZE,
      page,
      request: { signal },
    });
    const { check_runs: found } = take(checkRunPage, data, 'list the check runs');
    runs.push(...found);
    if (found.length < PAGE_SIZE) break;
  }
  return runs;
}

async function readFile(
  { makeCall, repo, load }: Connection,
  path: string,
  ref: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const octokit = await load();
  const operation = `read ${toOneLine(path, 80)} at ${toOneLine(ref, 40)}`;
  const send = async (request: AbortSignal) => {
    const { data } = await octokit.rest.repos.getContent({
      ...repo,
      path,
      ref,
      request: { signal: request },
    });
    return data;
  };
  try {
    return decodeFile(await makeCall<unknown>({ operation, send }, signal), path, operation);
  } catch (error) {
    if (error instanceof GitHubError && error.status === 404) return undefined;
    throw error;
  }
}

function decodeFile(data: unknown, path: string, operation: string): string {
  const name = toOneLine(path, 80);
  const file = fileSchema.safeParse(data);
  if (!file.success) {
    throw new GitHubError({ operation, message: `${name} is no file: expected one. Check the path.` });
  }
  const { size, encoding, content } = file.data;
  if (size > MAX_FILE_BYTES || encoding !== 'base64') {
    const message = `${name} has ${size} bytes: expected at most ${MAX_FILE_BYTES}, which is what GitHub gives. Make it smaller.`;
    throw new GitHubError({ operation, message });
  }
  return Buffer.from(content, 'base64').toString('utf8');
}

function take<T>(schema: z.ZodMiniType<T>, data: unknown, operation: string): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const message = `GitHub's answer to ${operation} has another shape than its API's. Check "GITHUB_API_URL".`;
  throw new GitHubError({ operation, message, cause: parsed.error });
}

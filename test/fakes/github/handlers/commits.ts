import { notFound, validationFailed } from '../fault.ts';
import type { DiffEntry, StoredCommit } from '../git-store.ts';
import {
  type CommitStatus,
  type GithubState,
  type Handler,
  htmlUrl,
  type Json,
  nodeId,
  repositoryUrl,
  stableNumber,
  text,
  value,
} from '../state.ts';

const unsigned = { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null };

function renderFile(state: GithubState, entry: DiffEntry, sha: string): Json {
  const name = entry.filename.split('/').map(encodeURIComponent).join('/');
  return {
    sha: entry.sha,
    filename: entry.filename,
    status: entry.status,
    additions: entry.additions,
    deletions: entry.deletions,
    changes: entry.additions + entry.deletions,
    blob_url: `${htmlUrl(state)}/blob/${sha}/${name}`,
    raw_url: `${htmlUrl(state)}/raw/${sha}/${name}`,
    contents_url: `${repositoryUrl(state)}/contents/${name}?ref=${sha}`,
    ...(entry.previousFilename === undefined ? {} : { previous_filename: entry.previousFilename }),
  };
}

/** A commit as the `repos` operations show it. */
function renderCommit(state: GithubState, commit: StoredCommit): Json {
  const url = `${repositoryUrl(state)}/commits/${commit.sha}`;
  const parentUrl = (sha: string) => `${repositoryUrl(state)}/commits/${sha}`;
  return {
    sha: commit.sha,
    node_id: nodeId('Commit', commit.sha),
    url,
    html_url: `${htmlUrl(state)}/commit/${commit.sha}`,
    comments_url: `${url}/comments`,
    commit: {
      url: `${repositoryUrl(state)}/git/commits/${commit.sha}`,
      author: commit.author,
      committer: commit.committer,
      message: commit.message.replace(/\n$/u, ''),
      comment_count: 0,
      tree: { sha: commit.tree, url: `${repositoryUrl(state)}/git/trees/${commit.tree}` },
      verification: unsigned,
    },
    author: state.user(commit.author.name),
    committer: state.user(commit.committer.name),
    parents: commit.parents.map((sha) => ({
      sha,
      url: parentUrl(sha),
      html_url: `${htmlUrl(state)}/commit/${sha}`,
    })),
  };
}

const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

function renderStatus(state: GithubState, status: CommitStatus): Json {
  return {
    ...(state.example('status') as Json),
    id: status.id,
    node_id: nodeId('StatusContext', status.id),
    url: `${repositoryUrl(state)}/statuses/${status.sha}`,
    state: status.state,
    context: status.context,
    description: status.description,
    target_url: status.targetUrl,
    created_at: status.createdAt,
    updated_at: status.createdAt,
    creator: state.user(status.login),
  };
}

function newestStatuses(state: GithubState, sha: string): CommitStatus[] {
  return [
    ...new Map(state.statuses.filter((one) => one.sha === sha).map((one) => [one.context, one])).values(),
  ];
}

async function requireCommit(state: GithubState, name: string): Promise<string> {
  const sha = await state.git.resolveCommit(name);
  if (sha === undefined) throw notFound();
  return sha;
}

function comparisonStatus(ahead: number, behind: number): string {
  if (ahead === 0 && behind === 0) return 'identical';
  if (ahead > 0 && behind > 0) return 'diverged';
  return ahead > 0 ? 'ahead' : 'behind';
}

const compare: Handler = async (request, state) => {
  const [baseName = '', headName = ''] = (request.path['basehead'] ?? '').split('...');
  // `owner:branch` names a branch of a fork; what the fake knows of it lies in the same object store.
  const [base, head] = await Promise.all(
    [baseName, headName].map((name) => requireCommit(state, name.replace(/^[^:]+:/u, ''))),
  );
  if (base === undefined || head === undefined) throw notFound();
  const mergeBase = await state.git.tryGit(['merge-base', base, head]);
  if (mergeBase === undefined) throw notFound();
  const counts = await state.git.git(['rev-list', '--left-right', '--count', `${base}...${head}`]);
  const [behind = 0, ahead = 0] = counts.split('\t').map(Number);
  const ids = (await state.git.git(['rev-list', '--reverse', `${base}..${head}`]))
    .split('\n')
    .filter(Boolean);
  const [commits, files, baseCommit, mergeBaseCommit] = await Promise.all([
    Promise.all(ids.map((sha) => state.git.readCommit(sha))),
    state.git.diff(mergeBase, head),
    state.git.readCommit(base),
    state.git.readCommit(mergeBase),
  ]);
  const page = `${htmlUrl(state)}/compare/${baseName}...${headName}`;
  return value({
    url: `${repositoryUrl(state)}/compare/${baseName}...${headName}`,
    html_url: page,
    permalink_url: `${htmlUrl(state)}/compare/${base}...${head}`,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    base_commit: renderCommit(state, baseCommit),
    merge_base_commit: renderCommit(state, mergeBaseCommit),
    status: comparisonStatus(ahead, behind),
    ahead_by: ahead,
    behind_by: behind,
    total_commits: commits.length,
    // One answer holds at most 250 commits and 300 files.
    commits: commits.slice(0, 250).map((one) => renderCommit(state, one)),
    files: files.slice(0, 300).map((one) => renderFile(state, one, head)),
  });
};

export const commitHandlers: Readonly<Record<string, Handler>> = {
  'repos/compare-commits-with-basehead': compare,
  'repos/get-commit': async (request, state) => {
    const name = request.path['ref'] ?? '';
    const sha = await state.git.resolveCommit(name);
    if (sha === undefined) {
      throw validationFailed({
        resource: 'Commit',
        code: 'invalid',
        field: 'sha',
        message: `No commit found for SHA: ${name}`,
      });
    }
    const commit = await state.git.readCommit(sha);
    const files = await state.git.diff(commit.parents[0] ?? emptyTree, sha);
    const sum = (key: 'additions' | 'deletions') => files.reduce((total, file) => total + file[key], 0);
    const stats = { additions: sum('additions'), deletions: sum('deletions') };
    return value({
      ...renderCommit(state, commit),
      stats: { ...stats, total: stats.additions + stats.deletions },
      files: files.map((file) => renderFile(state, file, sha)),
    });
  },
  'repos/list-commits': async (request, state) => {
    const start = await requireCommit(state, text(request.query, 'sha') ?? state.repository.defaultBranch);
    const path = text(request.query, 'path');
    const ids = await state.git.git(['rev-list', start, ...(path === undefined ? [] : ['--', path])]);
    const commits = await Promise.all(
      ids
        .split('\n')
        .filter(Boolean)
        .map((sha) => state.git.readCommit(sha)),
    );
    return { kind: 'list', items: commits.map((commit) => renderCommit(state, commit)) };
  },
  'repos/create-commit-status': async (request, state) => {
    const sha = request.path['sha'] ?? '';
    if ((await state.git.resolveCommit(sha)) !== sha) {
      throw validationFailed({
        resource: 'Status',
        code: 'custom',
        field: 'sha',
        message: `No commit found for SHA: ${sha}`,
      });
    }
    const description = text(request.body, 'description') ?? null;
    if (description !== null && [...description].length > 140) {
      const message = 'description is too long (maximum is 140 characters)';
      throw validationFailed({ resource: 'Status', code: 'custom', field: 'description', message });
    }
    const status: CommitStatus = {
      id: state.nextId(),
      sha,
      state: text(request.body, 'state') ?? '',
      context: text(request.body, 'context') ?? 'default',
      description,
      targetUrl: text(request.body, 'target_url') ?? null,
      login: request.token.login,
      createdAt: state.now(),
    };
    state.statuses.push(status);
    return value(renderStatus(state, status), 201);
  },
  'repos/list-commit-statuses-for-ref': async (request, state) => {
    const sha = await requireCommit(state, request.path['ref'] ?? '');
    const ofCommit = state.statuses.filter((one) => one.sha === sha).reverse();
    return { kind: 'list', items: ofCommit.map((one) => renderStatus(state, one)) };
  },
  'repos/get-combined-status-for-ref': async (request, state) => {
    const sha = await requireCommit(state, request.path['ref'] ?? '');
    const newest = newestStatuses(state, sha);
    const states = newest.map((one) => one.state);
    const isFailed = states.some((one) => one === 'failure' || one === 'error');
    const isPending = states.length === 0 || states.includes('pending');
    const example = state.example('combined-commit-status') as Json;
    return value({
      ...example,
      state: isFailed ? 'failure' : isPending ? 'pending' : 'success',
      statuses: newest.map((one) => renderStatus(state, one)),
      sha,
      total_count: newest.length,
      repository: { ...(example['repository'] as Json), id: stableNumber(htmlUrl(state)) },
      commit_url: `${repositoryUrl(state)}/commits/${sha}`,
      url: `${repositoryUrl(state)}/commits/${sha}/status`,
    });
  },
};

import { notFound } from '../fault.ts';
import {
  type Artifact,
  type GithubState,
  type Handler,
  type HandlerRequest,
  htmlUrl,
  type Json,
  nodeId,
  type PullRequest,
  repositoryUrl,
  stableNumber,
  value,
} from '../state.ts';

function renderRepository(state: GithubState): Json {
  const { owner, name, isPrivate, defaultBranch } = state.repository;
  const example = state.example('full-repository-default-response') as Json;
  const {
    organization: _organization,
    parent: _parent,
    source: _source,
    template_repository: _template,
    ...plain
  } = example;
  return {
    ...plain,
    id: stableNumber(htmlUrl(state)),
    name,
    full_name: `${owner}/${name}`,
    owner: state.user(owner),
    private: isPrivate,
    visibility: isPrivate ? 'private' : 'public',
    default_branch: defaultBranch,
    fork: false,
    // The published example lacks what its schema requires.
    language: null,
    html_url: htmlUrl(state),
    url: repositoryUrl(state),
  };
}

function renderSide(state: GithubState, ref: string, sha: string, repository: string): Json {
  const [owner = ''] = repository.split('/');
  const isFork = repository !== `${state.repository.owner}/${state.repository.name}`;
  const example = state.example('pull-request') as { base: { repo: Json } };
  const repo = {
    ...example.base.repo,
    id: stableNumber(`https://github.com/${repository}`),
    name: repository.split('/')[1] ?? '',
    full_name: repository,
    owner: state.user(owner),
    private: state.repository.isPrivate,
    fork: isFork,
    default_branch: state.repository.defaultBranch,
  };
  return { label: `${owner}:${ref}`, ref, sha, user: state.user(owner), repo };
}

async function renderPull(state: GithubState, pull: PullRequest, kind: 'full' | 'simple'): Promise<Json> {
  const examples = state.example('pull-request-simple-items') as Json[];
  const example = kind === 'full' ? (state.example('pull-request') as Json) : (examples[0] ?? {});
  const baseSha = (await state.git.resolveCommit(pull.baseRef)) ?? '0'.repeat(40);
  const url = `${repositoryUrl(state)}/pulls/${pull.number}`;
  return {
    ...example,
    id: stableNumber(url),
    node_id: nodeId('PullRequest', pull.number),
    number: pull.number,
    url,
    html_url: `${htmlUrl(state)}/pull/${pull.number}`,
    issue_url: `${repositoryUrl(state)}/issues/${pull.number}`,
    comments_url: `${repositoryUrl(state)}/issues/${pull.number}/comments`,
    state: pull.state,
    title: pull.title,
    assignee: null,
    assignees: [],
    labels: [],
    milestone: null,
    requested_reviewers: [],
    requested_teams: [],
    merge_commit_sha: null,
    merged_at: null,
    closed_at: pull.state === 'closed' ? state.now() : null,
    body: pull.body,
    user: state.user(pull.login),
    base: renderSide(state, pull.baseRef, baseSha, `${state.repository.owner}/${state.repository.name}`),
    head: renderSide(state, pull.headRef, pull.headSha, pull.headRepository),
    ...(kind === 'full'
      ? {
          merged: false,
          merged_by: null,
          comments: state.comments.filter((one) => one.issueNumber === pull.number).length,
        }
      : {}),
  };
}

function findPull(request: HandlerRequest, state: GithubState): PullRequest {
  const pull = state.pulls.find((one) => one.number === Number(request.path['pull_number']));
  if (pull === undefined) throw notFound();
  return pull;
}

function renderArtifact(state: GithubState, artifact: Artifact): Json {
  const example = state.example('artifact-paginated') as { artifacts: Json[] };
  const url = `${repositoryUrl(state)}/actions/artifacts/${artifact.id}`;
  return {
    ...example.artifacts[0],
    id: artifact.id,
    node_id: nodeId('Artifact', artifact.id),
    name: artifact.name,
    size_in_bytes: artifact.sizeBytes,
    url,
    archive_download_url: `${url}/zip`,
    expired: artifact.isExpired,
    workflow_run: {
      id: artifact.runId,
      repository_id: stableNumber(htmlUrl(state)),
      head_repository_id: stableNumber(htmlUrl(state)),
      head_branch: state.repository.defaultBranch,
      head_sha: artifact.headSha,
    },
  };
}

function listArtifacts(state: GithubState, isWanted: (artifact: Artifact) => boolean): ReturnType<Handler> {
  const found = state.artifacts.filter(isWanted).sort((a, b) => b.id - a.id);
  return {
    kind: 'list',
    items: found.map((one) => renderArtifact(state, one)),
    wrap: (page, total) => ({ total_count: total, artifacts: page }),
  };
}

export const repositoryHandlers: Readonly<Record<string, Handler>> = {
  'repos/get': (_, state) => value(renderRepository(state)),
  'pulls/get': async (request, state) => value(await renderPull(state, findPull(request, state), 'full')),
  'pulls/list': async (request, state) => {
    const { query } = request;
    const wantedState = query['state'] ?? 'open';
    const found = state.pulls.filter(
      (pull) =>
        (wantedState === 'all' || pull.state === wantedState) &&
        (query['base'] === undefined || pull.baseRef === query['base']) &&
        (query['head'] === undefined ||
          `${pull.headRepository.split('/')[0]}:${pull.headRef}` === query['head']),
    );
    const newestFirst = found.sort((a, b) => b.number - a.number);
    return {
      kind: 'list',
      items: await Promise.all(newestFirst.map((one) => renderPull(state, one, 'simple'))),
    };
  },
  'repos/list-pull-requests-associated-with-commit': async (request, state) => {
    const found = state.pulls.filter((pull) => pull.headSha === request.path['commit_sha']);
    return { kind: 'list', items: await Promise.all(found.map((one) => renderPull(state, one, 'simple'))) };
  },
  'actions/list-artifacts-for-repo': (request, state) =>
    listArtifacts(state, (one) => request.query['name'] === undefined || one.name === request.query['name']),
  'actions/list-workflow-run-artifacts': (request, state) =>
    listArtifacts(
      state,
      (one) =>
        one.runId === Number(request.path['run_id']) &&
        (request.query['name'] === undefined || one.name === request.query['name']),
    ),
  'actions/get-artifact': (request, state) => {
    const artifact = state.artifacts.find((one) => one.id === Number(request.path['artifact_id']));
    if (artifact === undefined) throw notFound();
    return value(renderArtifact(state, artifact));
  },
};

import { GithubFault, notFound } from '../fault.ts';
import type { TreeEntry } from '../git-store.ts';
import {
  type GithubState,
  type Handler,
  type HandlerRequest,
  htmlUrl,
  type Json,
  repositoryUrl,
  text,
  value,
} from '../state.ts';
import { renderGitCommit, tokenSignature } from './git-data.ts';

// Above 1 MB the content is left out, above 100 MB the file can't be had at all.
const inlineLimitBytes = 1_048_576;

function renderItem(state: GithubState, entry: TreeEntry, fullPath: string, ref: string): Json {
  const encoded = fullPath.split('/').map(encodeURIComponent).join('/');
  const url = `${repositoryUrl(state)}/contents/${encoded}?ref=${encodeURIComponent(ref)}`;
  const gitUrl = `${repositoryUrl(state)}/git/${entry.type === 'tree' ? 'trees' : 'blobs'}/${entry.sha}`;
  const html = `${htmlUrl(state)}/${entry.type === 'tree' ? 'tree' : 'blob'}/${ref}/${encoded}`;
  return {
    type: entry.type === 'tree' ? 'dir' : 'file',
    size: entry.sizeBytes ?? 0,
    name: fullPath.split('/').at(-1) ?? '',
    path: fullPath,
    sha: entry.sha,
    url,
    git_url: gitUrl,
    html_url: html,
    download_url:
      entry.type === 'tree'
        ? null
        : `https://raw.githubusercontent.com/${state.repository.owner}/${state.repository.name}/${ref}/${encoded}`,
    _links: { self: url, git: gitUrl, html },
  };
}

async function findEntry(state: GithubState, commit: string, path: string): Promise<TreeEntry | undefined> {
  if (path === '') return undefined;
  const text = await state.git.git(['ls-tree', '-z', '-l', '--full-tree', commit, '--', path]);
  if (text === '') return undefined;
  const [mode = '', type = '', sha = '', size = ''] = (text.split('\t')[0] ?? '').split(/ +/u);
  return {
    mode,
    type: type as TreeEntry['type'],
    sha,
    path,
    sizeBytes: size === '-' ? undefined : Number(size),
  };
}

const getContent: Handler = async (request, state) => {
  const ref = text(request.query, 'ref') ?? state.repository.defaultBranch;
  const commit = await state.git.resolveCommit(ref.replace(/^refs\/(heads|tags)\//u, ''));
  if (commit === undefined) throw new GithubFault(404, `No commit found for the ref ${ref}`);
  const path = (request.path['path'] ?? '').replace(/\/$/u, '');
  const entry = await findEntry(state, commit, path);
  if (entry === undefined) throw notFound();
  if (entry.type === 'tree') {
    const entries = await state.git.readTree(entry.sha, false);
    return value(entries.map((one) => renderItem(state, one, `${path}/${one.path}`, ref)));
  }
  const content = await state.git.readBlob(entry.sha);
  if (request.isRaw)
    return { kind: 'raw', contentType: 'application/vnd.github.raw+json; charset=utf-8', body: content };
  const isInline = content.length <= inlineLimitBytes;
  return value({
    ...renderItem(state, entry, path, ref),
    content: isInline ? content.toString('base64').replaceAll(/(.{60})/gu, '$1\n') : '',
    encoding: isInline ? 'base64' : 'none',
  });
};

async function commitChange(
  request: HandlerRequest,
  state: GithubState,
  change: { readonly path: string; readonly mode: string; readonly sha: string | null },
): Promise<{ commit: Json; commitSha: string; branch: string }> {
  const branch = text(request.body, 'branch') ?? state.repository.defaultBranch;
  const ref = `refs/heads/${branch}`;
  const parent = await state.git.tryGit(['rev-parse', '--verify', '--quiet', ref]);
  if (parent === undefined) throw new GithubFault(404, `Branch ${branch} not found`);
  const tree = await state.git.writeTree(parent, [change]);
  const author = tokenSignature(request, state);
  const message = text(request.body, 'message') ?? '';
  const commitSha = await state.git.writeCommit({
    tree,
    parents: [parent],
    author,
    committer: author,
    message,
  });
  if ((await state.git.tryGit(['update-ref', ref, commitSha, parent])) === undefined) {
    throw new GithubFault(409, `is at ${parent} but expected ${commitSha}`);
  }
  const { node_id, ...rest } = renderGitCommit(state, await state.git.readCommit(commitSha));
  return { commit: { node_id, ...rest }, commitSha, branch };
}

/** The blob id a change must name is the one that is there now: GitHub's optimistic lock. */
async function checkLock(request: HandlerRequest, state: GithubState, path: string): Promise<boolean> {
  const branch = text(request.body, 'branch') ?? state.repository.defaultBranch;
  const commit = await state.git.resolveCommit(branch);
  if (commit === undefined) throw new GithubFault(404, `Branch ${branch} not found`);
  const existing = await findEntry(state, commit, path);
  const given = text(request.body, 'sha');
  if (existing === undefined) return false;
  if (given === undefined) throw new GithubFault(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  if (given !== existing.sha) throw new GithubFault(409, `${path} does not match ${given}`);
  return true;
}

export const contentHandlers: Readonly<Record<string, Handler>> = {
  'repos/get-content': getContent,
  'repos/create-or-update-file-contents': async (request, state) => {
    const path = request.path['path'] ?? '';
    const content = text(request.body, 'content') ?? '';
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/u.test(content))
      throw new GithubFault(422, 'content is not valid Base64');
    const isUpdate = await checkLock(request, state, path);
    const sha = await state.git.writeBlob(Buffer.from(content, 'base64'));
    const { commit, commitSha, branch } = await commitChange(request, state, { path, mode: '100644', sha });
    const entry = await findEntry(state, commitSha, path);
    if (entry === undefined) throw notFound();
    return value({ content: renderItem(state, entry, path, branch), commit }, isUpdate ? 200 : 201);
  },
  'repos/delete-file': async (request, state) => {
    const path = request.path['path'] ?? '';
    if (!(await checkLock(request, state, path))) throw notFound();
    const { commit } = await commitChange(request, state, { path, mode: '100644', sha: null });
    return value({ content: null, commit });
  },
};

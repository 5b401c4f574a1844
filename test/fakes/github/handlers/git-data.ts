import { GithubFault, notFound, validationFailed } from '../fault.ts';
import type { Signature, StoredCommit, TreeChange, TreeEntry } from '../git-store.ts';
import {
  type GithubState,
  type Handler,
  type HandlerRequest,
  htmlUrl,
  type Json,
  nodeId,
  repositoryUrl,
  text,
  value,
} from '../state.ts';

async function renderRef(state: GithubState, ref: string): Promise<Json> {
  const [sha = '', type = ''] = (
    await state.git.git(['for-each-ref', '--format=%(objectname) %(objecttype)', ref])
  ).split(' ');
  return {
    ref,
    node_id: nodeId('Ref', ref),
    url: `${repositoryUrl(state)}/git/${ref}`,
    object: { type, sha, url: `${repositoryUrl(state)}/git/${type}s/${sha}` },
  };
}

async function hasRef(state: GithubState, ref: string): Promise<boolean> {
  return (await state.git.tryGit(['show-ref', '--verify', '--quiet', ref])) !== undefined;
}

async function requireRef(request: HandlerRequest, state: GithubState): Promise<string> {
  const ref = `refs/${request.path['ref'] ?? ''}`;
  if (!(await hasRef(state, ref))) throw new GithubFault(422, 'Reference does not exist');
  return ref;
}

async function requireObject(state: GithubState, sha: string, types: readonly string[]): Promise<void> {
  const isId = /^[0-9a-f]{40}$/u.test(sha);
  const type = isId ? await state.git.tryGit(['cat-file', '-t', sha]) : undefined;
  if (type === undefined || !types.includes(type)) throw new GithubFault(422, 'Object does not exist');
}

function renderGitCommit(state: GithubState, commit: StoredCommit): Json {
  const parent = (sha: string) => ({
    sha,
    url: `${repositoryUrl(state)}/git/commits/${sha}`,
    html_url: `${htmlUrl(state)}/commit/${sha}`,
  });
  return {
    sha: commit.sha,
    node_id: nodeId('Commit', commit.sha),
    url: `${repositoryUrl(state)}/git/commits/${commit.sha}`,
    html_url: `${htmlUrl(state)}/commit/${commit.sha}`,
    author: commit.author,
    committer: commit.committer,
    tree: { sha: commit.tree, url: `${repositoryUrl(state)}/git/trees/${commit.tree}` },
    message: commit.message.replace(/\n$/u, ''),
    parents: commit.parents.map(parent),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
  };
}

function renderEntry(state: GithubState, entry: TreeEntry): Json {
  return {
    path: entry.path,
    mode: entry.mode,
    type: entry.type,
    sha: entry.sha,
    ...(entry.sizeBytes === undefined ? {} : { size: entry.sizeBytes }),
    url: `${repositoryUrl(state)}/git/${entry.type}s/${entry.sha}`,
  };
}

async function renderTree(state: GithubState, sha: string, isRecursive: boolean): Promise<Json> {
  const entries = await state.git.readTree(sha, isRecursive);
  return {
    sha,
    url: `${repositoryUrl(state)}/git/trees/${sha}`,
    tree: entries.map((entry) => renderEntry(state, entry)),
    truncated: false,
  };
}

/** Who commits with a token and names nobody. */
export function tokenSignature(request: HandlerRequest, state: GithubState): Signature {
  const { login } = request.token;
  const id = String(state.user(login)['id']);
  return { name: login, email: `${id}+${login}@users.noreply.github.com`, date: state.now() };
}

function signature(given: unknown, fallback: Signature): Signature {
  if (typeof given !== 'object' || given === null) return fallback;
  const { name, email, date } = given as Partial<Signature>;
  return { name: name ?? fallback.name, email: email ?? fallback.email, date: date ?? fallback.date };
}

async function toTreeChange(state: GithubState, entry: Json): Promise<TreeChange> {
  const path = text(entry, 'path') ?? '';
  const mode = text(entry, 'mode') ?? '100644';
  const content = text(entry, 'content');
  if (content !== undefined) return { path, mode, sha: await state.git.writeBlob(content) };
  if (entry['sha'] === null) return { path, mode, sha: null };
  const sha = text(entry, 'sha') ?? '';
  if ((await state.git.tryGit(['cat-file', '-e', sha])) === undefined) {
    throw new GithubFault(422, `tree.sha ${sha} is not a valid blob`);
  }
  return { path, mode, sha };
}

const updateRef: Handler = async (request, state) => {
  const ref = await requireRef(request, state);
  const sha = text(request.body, 'sha') ?? '';
  await requireObject(state, sha, ['commit', 'tag']);
  const old = await state.git.git(['rev-parse', ref]);
  const isFastForward = (await state.git.tryGit(['merge-base', '--is-ancestor', old, sha])) !== undefined;
  const isForced =
    request.body['force'] === true && !state.protectedBranches.has(ref.replace('refs/heads/', ''));
  if (!isFastForward && !isForced) throw new GithubFault(422, 'Update is not a fast forward');
  if ((await state.git.tryGit(['update-ref', ref, sha, old])) === undefined) {
    throw new GithubFault(409, `Reference cannot be updated: ${ref}`);
  }
  return value(await renderRef(state, ref));
};

const createRef: Handler = async (request, state) => {
  const ref = text(request.body, 'ref') ?? '';
  if (!/^refs\/.+\/?.+/u.test(ref) || ref.split('/').length < 3) {
    throw new GithubFault(422, "Reference name must start with 'refs/' and contain at least two slashes.");
  }
  if ((await state.git.tryGit(['check-ref-format', ref])) === undefined) {
    throw new GithubFault(422, `${ref} is not a valid ref name.`);
  }
  const sha = text(request.body, 'sha') ?? '';
  await requireObject(state, sha, ['commit', 'tag']);
  // The zero id makes git refuse a ref that exists, in one step.
  if ((await state.git.tryGit(['update-ref', ref, sha, '0'.repeat(40)])) === undefined) {
    throw new GithubFault(422, 'Reference already exists');
  }
  return value(await renderRef(state, ref), 201);
};

export const gitDataHandlers: Readonly<Record<string, Handler>> = {
  'git/get-ref': async (request, state) => {
    const ref = `refs/${request.path['ref'] ?? ''}`;
    if (!(await hasRef(state, ref))) throw notFound();
    return value(await renderRef(state, ref));
  },
  'git/list-matching-refs': async (request, state) => {
    const prefix = `refs/${request.path['ref'] ?? ''}`;
    const names = (await state.git.git(['for-each-ref', '--format=%(refname)'])).split('\n');
    const found = names.filter((name) => name !== '' && name.startsWith(prefix));
    return { kind: 'list', items: await Promise.all(found.map((name) => renderRef(state, name))) };
  },
  'git/create-ref': createRef,
  'git/update-ref': updateRef,
  'git/delete-ref': async (request, state) => {
    await state.git.git(['update-ref', '-d', await requireRef(request, state)]);
    return { kind: 'empty' };
  },
  'git/create-blob': async (request, state) => {
    const encoding = text(request.body, 'encoding') ?? 'utf-8';
    const content = text(request.body, 'content') ?? '';
    const sha = await state.git.writeBlob(Buffer.from(content, encoding === 'base64' ? 'base64' : 'utf8'));
    return value({ sha, url: `${repositoryUrl(state)}/git/blobs/${sha}` }, 201);
  },
  'git/get-blob': async (request, state) => {
    const sha = request.path['file_sha'] ?? '';
    if ((await state.git.tryGit(['cat-file', '-t', sha])) !== 'blob') throw notFound();
    const content = await state.git.readBlob(sha);
    return value({
      sha,
      node_id: nodeId('Blob', sha),
      size: content.length,
      url: `${repositoryUrl(state)}/git/blobs/${sha}`,
      content: content.toString('base64').replaceAll(/(.{60})/gu, '$1\n'),
      encoding: 'base64',
    });
  },
  'git/create-tree': async (request, state) => {
    const base = text(request.body, 'base_tree');
    if (
      base !== undefined &&
      (await state.git.tryGit(['rev-parse', '--verify', '--quiet', `${base}^{tree}`])) === undefined
    ) {
      throw new GithubFault(422, 'base_tree is not a valid tree oid');
    }
    const changes = await Promise.all(
      (request.body['tree'] as Json[]).map((entry) => toTreeChange(state, entry)),
    );
    const sha = await state.git.writeTree(base, changes);
    return value(await renderTree(state, sha, false), 201);
  },
  'git/get-tree': async (request, state) => {
    const name = request.path['tree_sha'] ?? '';
    const tree = await state.git.tryGit(['rev-parse', '--verify', '--quiet', `${name}^{tree}`]);
    if (tree === undefined) throw notFound();
    return value(await renderTree(state, tree, request.query['recursive'] !== undefined));
  },
  'git/create-commit': async (request, state) => {
    const tree = text(request.body, 'tree') ?? '';
    const parents = (request.body['parents'] ?? []) as string[];
    for (const parent of parents) {
      if ((await state.git.tryGit(['cat-file', '-t', parent])) !== 'commit') {
        throw new GithubFault(422, 'Parent SHA does not exist or is not a commit object');
      }
    }
    if ((await state.git.tryGit(['cat-file', '-t', tree])) !== 'tree') {
      throw validationFailed({
        resource: 'Commit',
        code: 'invalid',
        field: 'tree',
        message: 'Tree SHA does not exist',
      });
    }
    const author = signature(request.body['author'], tokenSignature(request, state));
    const committer = signature(request.body['committer'], author);
    const sha = await state.git.writeCommit({
      tree,
      parents,
      author,
      committer,
      message: text(request.body, 'message') ?? '',
    });
    return value(renderGitCommit(state, await state.git.readCommit(sha)), 201);
  },
  'git/get-commit': async (request, state) => {
    const sha = request.path['commit_sha'] ?? '';
    if ((await state.git.tryGit(['cat-file', '-t', sha])) !== 'commit') throw notFound();
    return value(renderGitCommit(state, await state.git.readCommit(sha)));
  },
};
export { renderGitCommit };

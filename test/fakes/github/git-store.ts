import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A person in a commit. */
export interface Signature {
  readonly name: string;
  readonly email: string;
  /** ISO 8601. */
  readonly date: string;
}

export interface StoredCommit {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: Signature;
  readonly committer: Signature;
  readonly message: string;
}

export interface TreeEntry {
  readonly mode: string;
  readonly type: 'blob' | 'tree' | 'commit';
  readonly sha: string;
  readonly path: string;
  readonly sizeBytes: number | undefined;
}

export interface DiffEntry {
  readonly filename: string;
  readonly status: 'added' | 'removed' | 'modified' | 'renamed';
  readonly previousFilename?: string;
  readonly additions: number;
  readonly deletions: number;
  readonly sha: string | null;
}

export interface TreeChange {
  readonly path: string;
  readonly mode: string;
  readonly sha: string | null;
}

/** A bare repository of real git, so that ids, merge bases and diffs are git's own. */
export interface GitStore extends AsyncDisposable {
  /** The bare repository: tests may push to it and fetch from it. */
  readonly folder: string;
  /** Runs git there and gives its output without the last line end. */
  readonly git: (args: readonly string[], options?: GitOptions) => Promise<string>;
  /** As {@link git}, but undefined where git exits with an error. */
  readonly tryGit: (args: readonly string[], options?: GitOptions) => Promise<string | undefined>;
  readonly readBlob: (sha: string) => Promise<Buffer>;
  readonly readCommit: (sha: string) => Promise<StoredCommit>;
  readonly readTree: (sha: string, isRecursive: boolean) => Promise<readonly TreeEntry[]>;
  /** Writes a tree out of another one and changes to it; a null id removes a path. */
  readonly writeTree: (base: string | undefined, changes: readonly TreeChange[]) => Promise<string>;
  readonly writeBlob: (content: string | Buffer) => Promise<string>;
  readonly writeCommit: (commit: Omit<StoredCommit, 'sha'>) => Promise<string>;
  readonly diff: (from: string, to: string) => Promise<readonly DiffEntry[]>;
  /** The commit a name means: a branch, tag, full ref or id. */
  readonly resolveCommit: (name: string) => Promise<string | undefined>;
}

export interface GitOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

function isolatedEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    LC_ALL: 'C',
    ...extra,
  };
}

function execGit(folder: string, args: readonly string[], options: GitOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'git',
      ['-C', folder, ...args],
      { encoding: 'buffer', maxBuffer: 512 * 1024 * 1024, env: isolatedEnvironment(options.env) },
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    );
    // git may end before it has read all of its input: then its exit status tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

function parseSignature(line: string): Signature {
  const found = /^\w+ (.*) <(.*)> (\d+) [+-]\d{4}$/u.exec(line);
  const date = new Date(Number(found?.[3] ?? 0) * 1000).toISOString().replace('.000Z', 'Z');
  return { name: found?.[1] ?? '', email: found?.[2] ?? '', date };
}

function parseCommit(sha: string, text: string): StoredCommit {
  const end = text.indexOf('\n\n');
  const headers = text.slice(0, end).split('\n');
  const all = (name: string) => headers.filter((line) => line.startsWith(`${name} `));
  return {
    sha,
    tree: all('tree')[0]?.slice(5) ?? '',
    parents: all('parent').map((line) => line.slice(7)),
    author: parseSignature(all('author')[0] ?? ''),
    committer: parseSignature(all('committer')[0] ?? ''),
    message: text.slice(end + 2),
  };
}

function parseTree(text: string): TreeEntry[] {
  return text
    .split('\0')
    .filter((record) => record !== '')
    .map((record) => {
      const [head = '', name = ''] = record.split('\t');
      const [mode = '', type = '', sha = '', size = ''] = head.split(/ +/u);
      const sizeBytes = size === '-' ? undefined : Number(size);
      return { mode, type: type as TreeEntry['type'], sha, path: name, sizeBytes };
    });
}

const statusNames: Readonly<Record<string, DiffEntry['status']>> = {
  A: 'added',
  D: 'removed',
  M: 'modified',
  T: 'modified',
  R: 'renamed',
};

// `--raw --numstat -z -M`: all raw records come first, then all counts, in the same order.
function parseDiff(text: string): DiffEntry[] {
  const fields = text.split('\0');
  const raw: Omit<DiffEntry, 'additions' | 'deletions'>[] = [];
  let position = 0;
  for (; fields[position]?.startsWith(':'); ) {
    const [, , , sha = '', letter = ''] = fields[position]?.split(' ') ?? [];
    const status = statusNames[letter.charAt(0)] ?? 'modified';
    const first = fields[position + 1] ?? '';
    const isRename = status === 'renamed';
    const filename = isRename ? (fields[position + 2] ?? '') : first;
    raw.push({
      filename,
      status,
      sha: /^0+$/u.test(sha) ? null : sha,
      ...(isRename ? { previousFilename: first } : {}),
    });
    position += isRename ? 3 : 2;
  }
  return raw.map((entry) => {
    const [additions = '0', deletions = '0', name = ''] = fields[position]?.split('\t') ?? [];
    position += name === '' ? 3 : 1;
    return { ...entry, additions: Number(additions) || 0, deletions: Number(deletions) || 0 };
  });
}

/** Creates an empty bare repository in a temporary folder. */
export async function createGitStore(defaultBranch: string): Promise<GitStore> {
  const folder = await mkdtemp(path.join(tmpdir(), 'github-'));
  const raw = (args: readonly string[], options?: GitOptions) => execGit(folder, args, options);
  const git = async (args: readonly string[], options?: GitOptions) =>
    (await raw(args, options)).toString('utf8').replace(/\n$/u, '');
  const tryGit = async (args: readonly string[], options?: GitOptions) => {
    try {
      return await git(args, options);
    } catch (error) {
      if (error instanceof Error && 'code' in error && typeof error.code === 'number') return undefined;
      throw error;
    }
  };
  await git(['init', '--quiet', '--bare', `--initial-branch=${defaultBranch}`, '.']);
  return {
    folder,
    git,
    tryGit,
    readBlob: (sha) => raw(['cat-file', 'blob', sha]),
    async readCommit(sha) {
      return parseCommit(sha, (await raw(['cat-file', 'commit', sha])).toString('utf8'));
    },
    async readTree(sha, isRecursive) {
      const flags = isRecursive ? ['-r', '-t'] : [];
      return parseTree(await git(['ls-tree', '-z', '-l', '--full-tree', ...flags, sha]));
    },
    writeBlob: (content) => git(['hash-object', '-w', '--stdin'], { input: content }),
    async writeTree(base, changes) {
      const env = { GIT_INDEX_FILE: path.join(folder, `index-${randomUUID()}`) };
      await git(base === undefined ? ['read-tree', '--empty'] : ['read-tree', base], { env });
      const lines = changes.map(
        (one) => `${one.sha === null ? '0' : one.mode} ${one.sha ?? '0'.repeat(40)}\t${one.path}\0`,
      );
      await git(['update-index', '-z', '--index-info'], { env, input: lines.join('') });
      const tree = await git(['write-tree'], { env });
      await rm(env.GIT_INDEX_FILE, { force: true });
      return tree;
    },
    writeCommit(commit) {
      const parents = commit.parents.flatMap((parent) => ['-p', parent]);
      return git(['commit-tree', commit.tree, ...parents, '-F', '-'], {
        input: commit.message,
        env: {
          GIT_AUTHOR_NAME: commit.author.name,
          GIT_AUTHOR_EMAIL: commit.author.email,
          GIT_AUTHOR_DATE: commit.author.date,
          GIT_COMMITTER_NAME: commit.committer.name,
          GIT_COMMITTER_EMAIL: commit.committer.email,
          GIT_COMMITTER_DATE: commit.committer.date,
        },
      });
    },
    async diff(from, to) {
      return parseDiff(
        await git(['diff-tree', '-r', '-z', '-M', '--raw', '--numstat', '--no-abbrev', from, to]),
      );
    },
    async resolveCommit(name) {
      for (const candidate of [`refs/heads/${name}`, `refs/tags/${name}`, name]) {
        const sha = await tryGit([
          'rev-parse',
          '--verify',
          '--quiet',
          '--end-of-options',
          `${candidate}^{commit}`,
        ]);
        if (sha !== undefined) return sha;
      }
      return undefined;
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Writes the tree of a release: what users download with every job. `script/release --help` says how to call it.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';

const repositoryName = 'sophia/actions';
const sourceUrl = `https://github.com/${repositoryName}/blob`;

/** A release that can't be made as things are; its message says what to do. */
export class ReleaseError extends Error {}

export interface ReleaseOrder {
  /** The checkout, with its actions built. */
  readonly from: string;
  /** Where the tree is written: a folder that doesn't exist or is empty. */
  readonly to: string;
  /** `vX.Y.Z`: the ref by which the release's parts name each other. */
  readonly tag: string;
  /** The ref of the source that READMEs link to for what a release doesn't hold; `main` when left out. */
  readonly sourceRef?: string;
}

interface ActionFile {
  readonly runs: {
    readonly using: string;
    readonly main?: string;
    readonly pre?: string;
    readonly post?: string;
  };
}

function readYaml(file: string): unknown {
  return parse(readFileSync(file, 'utf8'));
}

/** The actions that exist: those with an action.yml and a source to bundle. */
function listActions(from: string): string[] {
  return globSync('actions/*/action.yml', { cwd: from })
    .map((file) => path.basename(path.dirname(file)))
    .sort();
}

/**
 * Makes a YAML file's references to this repository name the release: `sophia/actions…@anything`, and the
 * paths `./`, which would mean the caller's repository in a workflow that is called from another one.
 */
export function rewriteReferences(text: string, tag: string): string {
  return text
    .replaceAll(
      /^(\s*(?:-\s+)?uses:\s*)(['"]?)\.\/(actions\/)?([^\s'"#]*)\2/gmu,
      (_, head: string, quote: string, _folder, rest: string) => {
        const target = rest === '' ? repositoryName : `${repositoryName}/${rest}`;
        return `${head}${quote}${target}@${tag}${quote}`;
      },
    )
    .replaceAll(/^(\s*(?:-\s+)?uses:\s*['"]?)(sophia\/actions(?:\/[^@\s]+)?)@[^\s'"#]+/gmu, `$1$2@${tag}`);
}

/**
 * Makes a README's relative links work in a release: to the file where the release holds it, else to the
 * source. An action lies one folder higher there than in the source.
 *
 * @param source Path of the README in the checkout.
 * @param target Its path in the release.
 * @param sourceRef Where the source lies that the release lacks, such as `main`.
 * @param released Paths the release holds, by their path in the checkout.
 */
export function rewriteLinks(
  text: string,
  source: string,
  target: string,
  sourceRef: string,
  released: ReadonlyMap<string, string>,
): string {
  return text.replaceAll(
    /(\]\()(?![a-z]+:|#|\/)([^)\s#]+)(#[^)\s]*)?/giu,
    (_, head: string, link: string, fragment = '') => {
      const meant = path.posix.join(path.posix.dirname(source), link).replace(/\/$/u, '');
      const found = released.get(meant);
      if (found === undefined) return `${head}${sourceUrl}/${sourceRef}/${meant}${fragment}`;
      return `${head}${path.posix.relative(path.posix.dirname(target), found) || '.'}${fragment}`;
    },
  );
}

function requireBundle(from: string, action: string): void {
  const { runs } = readYaml(path.join(from, 'actions', action, 'action.yml')) as ActionFile;
  for (const script of [runs.main, runs.pre, runs.post].filter((one) => one !== undefined)) {
    const file = path.join('actions', action, script);
    if (!existsSync(path.join(from, file))) {
      throw new ReleaseError(`Action ${action} is not built: ${file} is missing. Run script/build.`);
    }
    if (readFileSync(path.join(from, file), 'utf8').includes(`${path.resolve(from)}/`)) {
      throw new ReleaseError(
        `${file} names a path of this machine: ${path.resolve(from)}. Build with script/build.`,
      );
    }
  }
}

/** Source path ▶ release path of every file but the bundles. */
function planFiles(from: string): Map<string, string> {
  const files = new Map<string, string>();
  const keep = (source: string, target: string) => {
    if (existsSync(path.join(from, source))) files.set(source, target);
  };
  for (const action of listActions(from)) {
    keep(`actions/${action}/action.yml`, `${action}/action.yml`);
    keep(`actions/${action}/README.md`, `${action}/README.md`);
  }
  for (const name of ['action.yml', 'README.md', 'LICENSE']) keep(name, name);
  for (const schema of globSync('schemas/*.json', { cwd: from })) keep(schema, schema);
  for (const workflow of globSync('.github/workflows/*.{yml,yaml}', { cwd: from })) {
    const { on } = readYaml(path.join(from, workflow)) as { on?: unknown };
    const isReusable = typeof on === 'object' && on !== null && 'workflow_call' in on;
    if (isReusable || on === 'workflow_call') keep(workflow, workflow);
  }
  return files;
}

/** What a file of the checkout becomes in the release. */
function toReleased(
  text: string,
  source: string,
  order: ReleaseOrder,
  released: ReadonlyMap<string, string>,
): string {
  if (/\.ya?ml$/u.test(source)) return rewriteReferences(text, order.tag);
  if (!source.endsWith('.md')) return text;
  return rewriteLinks(text, source, released.get(source) ?? source, order.sourceRef ?? 'main', released);
}

/** Fails where a part of the release names one that it doesn't hold. */
function checkReferences(to: string): void {
  for (const file of globSync(['**/action.yml', '.github/workflows/*.{yml,yaml}'], { cwd: to })) {
    const text = readFileSync(path.join(to, file), 'utf8');
    for (const [, rest = ''] of text.matchAll(/uses:\s*['"]?sophia\/actions\/?([^@\s]*)@/gu)) {
      const target = /\.ya?ml$/u.test(rest) ? rest : path.posix.join(rest, 'action.yml');
      if (!existsSync(path.join(to, target))) {
        throw new ReleaseError(
          `${file} uses ${repositoryName}/${rest}, which the release doesn't hold. Correct the reference.`,
        );
      }
    }
  }
}

/**
 * Writes the tree of a release from a built checkout.
 *
 * @returns The paths it holds, sorted.
 * @throws {ReleaseError} The target is not empty, an action is not built, or a reference leads nowhere.
 */
export function writeReleaseTree(order: ReleaseOrder): readonly string[] {
  const { from, to, tag } = order;
  if (!/^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/u.test(tag)) {
    throw new ReleaseError(`The tag is "${tag}", expected one such as v1.2.3. Correct --tag.`);
  }
  if (existsSync(to) && (!statSync(to).isDirectory() || readdirSync(to).length > 0)) {
    throw new ReleaseError(`${to} is not an empty folder. Name a new one with --to.`);
  }
  const actions = listActions(from);
  if (actions.length === 0)
    throw new ReleaseError(`${from} has no actions. Run this in a checkout of ${repositoryName}.`);
  for (const action of actions) requireBundle(from, action);
  mkdirSync(to, { recursive: true });
  const files = planFiles(from);
  for (const [source, target] of files) {
    mkdirSync(path.dirname(path.join(to, target)), { recursive: true });
    const text = readFileSync(path.join(from, source), 'utf8');
    writeFileSync(path.join(to, target), toReleased(text, source, order, files));
  }
  for (const action of actions) {
    cpSync(path.join(from, 'actions', action, 'dist'), path.join(to, action, 'dist'), { recursive: true });
    if (files.has('LICENSE')) cpSync(path.join(from, 'LICENSE'), path.join(to, action, 'LICENSE'));
  }
  checkReferences(to);
  return readdirSync(to, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(to, path.join(entry.parentPath, entry.name)))
    .sort();
}

/**
 * Makes a commit of a release tree on top of the checkout's current one. Author and time come from that commit,
 * so the same source gives the same id. Nothing points at it yet: a tag has to be set.
 *
 * @returns The commit's id.
 * @throws {ReleaseError} The checkout has changes that no commit holds.
 */
export function commitReleaseTree({ from, to, tag }: ReleaseOrder): string {
  const work = mkdtempSync(path.join(tmpdir(), 'release-'));
  const git = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    execFileSync('git', args, { cwd: from, env: { ...process.env, ...env }, encoding: 'utf8' }).trim();
  try {
    const changes = git(['status', '--porcelain']);
    if (changes !== '') {
      throw new ReleaseError(
        `The checkout has changes that are in no commit: ${changes.split('\n')[0]}. Commit them first.`,
      );
    }
    const [head = '', date = ''] = git(['log', '-1', '--format=%H %cI']).split(' ');
    const index = {
      GIT_INDEX_FILE: path.join(work, 'index'),
      GIT_WORK_TREE: path.resolve(to),
      GIT_DIR: git(['rev-parse', '--absolute-git-dir']),
    };
    git(
      [
        '-c',
        'core.autocrlf=false',
        '-c',
        'core.excludesFile=/dev/null',
        'add',
        '--all',
        '--force',
        '--',
        path.resolve(to),
      ],
      index,
    );
    const tree = git(['write-tree'], index);
    const person = {
      NAME: 'github-actions[bot]',
      EMAIL: '41898282+github-actions[bot]@users.noreply.github.com',
      DATE: date,
    };
    const identity = Object.fromEntries(
      ['AUTHOR', 'COMMITTER'].flatMap((role) =>
        Object.entries(person).map(([key, value]) => [`GIT_${role}_${key}`, value]),
      ),
    );
    return git(
      ['commit-tree', tree, '-p', head, '-m', `release: ${tag}`, '-m', `Built from ${head}.`],
      identity,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function main(): void {
  const from = path.join(import.meta.dirname, '..');
  const { values } = parseArgs({
    options: { to: { type: 'string' }, tag: { type: 'string' }, commit: { type: 'boolean', default: false } },
  });
  if (values.to === undefined)
    throw new ReleaseError('--to is missing. Name the folder to write, or run script/release --help.');
  const { version } = JSON.parse(readFileSync(path.join(from, 'package.json'), 'utf8')) as {
    version: string;
  };
  const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: from, encoding: 'utf8' }).trim();
  const order: ReleaseOrder = {
    from,
    to: path.resolve(values.to),
    tag: values.tag ?? `v${version}`,
    ...(values.commit ? { sourceRef: head } : {}),
  };
  const files = writeReleaseTree(order);
  const bytes = files.reduce((sum, file) => sum + statSync(path.join(order.to, file)).size, 0);
  process.stderr.write(
    `${order.tag}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB in ${order.to}\n`,
  );
  if (values.commit) process.stdout.write(`${commitReleaseTree(order)}\n`);
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    const isUsage =
      error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!(error instanceof ReleaseError) && !isUsage) throw error;
    process.stderr.write(`script/release: ${error.message}\n`);
    process.exitCode = 1;
  }
}

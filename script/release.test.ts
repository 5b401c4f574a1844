import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitReleaseTree, rewriteLinks, rewriteReferences, writeReleaseTree } from './release.ts';

let root: string;
const from = () => path.join(root, 'source');
const order = (name = 'release', tag = 'v1.2.3') => ({ from: from(), to: path.join(root, name), tag });

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(from(), name)), { recursive: true });
    writeFileSync(path.join(from(), name), text);
  }
}

function git(...args: string[]): string {
  return execFileSync('git', ['-C', from(), '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
    encoding: 'utf8',
  }).trim();
}

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'release-test-'));
  write({
    'actions/build/action.yml': 'name: b\nruns:\n  using: node24\n  main: dist/index.js\n',
    'actions/build/README.md':
      'See [docs](../../docs/a.md#x), [start](../../README.md) and [schema](../../schemas/r.json).\n',
    'actions/build/dist/index.js': 'console.log(1);\n',
    'actions/build/dist/licenses.txt': 'MIT\n',
    'actions/build/src/main.ts': '1;\n',
    'action.yml': 'runs:\n  using: composite\n  steps:\n    - uses: ./actions/build # here\n',
    'README.md': '[build](actions/build/README.md), [web](https://example.org/a), [guide](docs/guide.md)\n',
    LICENSE: 'MIT\n',
    'schemas/r.json': '{}\n',
    'schemas/notes.txt': 'no\n',
    '.github/workflows/ci.yml': 'on: push\njobs: {}\n',
    '.github/workflows/image.yml':
      "on:\n  workflow_call:\njobs:\n  a:\n    steps:\n      - uses: 'sophia/actions/build@v1'\n      - uses: actions/checkout@v4\n",
    'docs/a.md': 'no\n',
    '.gitignore': 'dist/\n',
    'test/a.ts': '1;\n',
  });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('writeReleaseTree', () => {
  it('holds the actions, the reusable workflows, schemas, README and licences, and nothing else', () => {
    expect(writeReleaseTree(order())).toEqual([
      '.github/workflows/image.yml',
      'LICENSE',
      'README.md',
      'action.yml',
      'build/LICENSE',
      'build/README.md',
      'build/action.yml',
      'build/dist/index.js',
      'build/dist/licenses.txt',
      'schemas/r.json',
    ]);
  });

  it('names its own tag, and its own files where it has them', () => {
    writeReleaseTree(order());
    const read = (name: string) => readFileSync(path.join(root, 'release', name), 'utf8');

    expect(read('action.yml')).toContain('- uses: sophia/actions/build@v1.2.3 # here\n');
    expect(read('.github/workflows/image.yml')).toContain(
      "- uses: 'sophia/actions/build@v1.2.3'\n      - uses: actions/checkout@v4\n",
    );
    expect(read('README.md')).toBe(
      '[build](build/README.md), [web](https://example.org/a), [guide](https://github.com/sophia/actions/blob/main/docs/guide.md)\n',
    );
    expect(read('build/README.md')).toBe(
      'See [docs](https://github.com/sophia/actions/blob/main/docs/a.md#x), [start](../README.md) and [schema](../schemas/r.json).\n',
    );
  });

  it.each([
    {
      what: 'a tag that is none',
      tag: 'v1',
      message: 'The tag is "v1", expected one such as v1.2.3. Correct --tag.',
    },
    {
      what: 'a folder that holds something',
      name: 'source',
      message: 'source is not an empty folder. Name a new one with --to.',
    },
  ])('refuses $what', ({ tag, name, message }) => {
    expect(() => writeReleaseTree(order(name, tag))).toThrow(message);
  });

  it('refuses what is not built, or holds a path of this machine', () => {
    writeFileSync(path.join(from(), 'actions/build/dist/index.js'), `const a = '${from()}/x';`);
    expect(() => writeReleaseTree(order())).toThrow(
      'actions/build/dist/index.js names a path of this machine',
    );
    rmSync(path.join(from(), 'actions/build/dist'), { recursive: true });
    expect(() => writeReleaseTree(order())).toThrow(
      'Action build is not built: actions/build/dist/index.js is missing. Run script/build.',
    );
  });

  it('refuses a reference to what it does not hold', () => {
    write({ 'action.yml': 'runs:\n  using: composite\n  steps:\n    - uses: ./actions/other\n' });
    expect(() => writeReleaseTree(order())).toThrow(
      "action.yml uses sophia/actions/other, which the release doesn't hold. Correct the reference.",
    );
  });
});

describe('commitReleaseTree', () => {
  const commit = (name: string) => {
    writeReleaseTree(order(name));
    return commitReleaseTree(order(name));
  };

  it('makes the same commit of the same source, and changes neither branch, tag, index nor file', () => {
    git('init', '-q', '-b', 'main');
    git('add', '-A');
    git('commit', '-qm', 'source');
    const before = [git('for-each-ref'), git('status', '--porcelain'), git('rev-parse', 'HEAD')];
    const id = commit('one');

    expect(commit('two')).toBe(id);
    expect([git('for-each-ref'), git('status', '--porcelain'), git('rev-parse', 'HEAD')]).toEqual(before);
    expect(git('rev-parse', `${id}^`)).toBe(before[2]);
    expect(git('ls-tree', '-r', '--name-only', id).split('\n')).toContain('build/dist/index.js');
    expect(git('ls-tree', '--name-only', id).split('\n')).toEqual([
      '.github',
      'LICENSE',
      'README.md',
      'action.yml',
      'build',
      'schemas',
    ]);
  });

  it('refuses a checkout with changes', () => {
    git('init', '-q', '-b', 'main');
    expect(() => commit('one')).toThrow('The checkout has changes that are in no commit: ');
  });
});

it.each([
  ['uses: ./', 'uses: sophia/actions@v2.0.0'],
  ['uses: ./.github/workflows/image.yml', 'uses: sophia/actions/.github/workflows/image.yml@v2.0.0'],
  ['  - uses: sophia/actions@v1', '  - uses: sophia/actions@v2.0.0'],
  ['uses: sophia/actions-extra/x@v1', 'uses: sophia/actions-extra/x@v1'],
  ['run: echo "uses: ./actions/x"', 'run: echo "uses: ./actions/x"'],
])('rewrites %s', (line, expected) => {
  expect(rewriteReferences(line, 'v2.0.0')).toBe(expected);
});

it('leaves anchors, addresses and absolute paths alone', () => {
  const text = '[a](#part) [b](mailto:a@b.c) [c](/x) ![d](https://x.org/i.png)';
  expect(rewriteLinks(text, 'README.md', 'README.md', 'v1.0.0', new Map())).toBe(text);
});

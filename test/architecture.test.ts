import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  findDependencyBreaches,
  findDrawers,
  findForbiddenText,
  findImportBreaches,
  findListBreaches,
  findLongMains,
  type ImportTable,
  type SourceTree,
} from './harness/import-rules.ts';

/**
 * The house, as docs/architecture.md draws it. A package gets its line with its first file. A new pair of pure
 * packages needs a reason in the commit that adds it; a package beyond those of docs/architecture.md a decision record.
 */
const table: ImportTable = {
  pure: {
    dockerfile: [],
    phases: ['records', 'statistics'],
    records: [],
    report: ['records'],
    rollout: ['scheduling'],
    scheduling: [],
    statistics: [],
  },
  edges: ['action', 'buildkit', 'github', 'kubernetes', 'metrics', 'registry'],
  actions: ['build-optimized', 'gpu-deploy', 'validate-phase'],
  reserved: { '@actions/core': 'action' },
};

/**
 * Paths of one developer's machine. In brackets, so that this file isn't its own breach; `/root/.cache` by itself is
 * what many a Dockerfile mounts.
 */
const machinePaths = [
  /(?<![\w.-])\/[w]ork\/(?:main|shared|[.])/,
  /\/[r]oot\/[.]cache\/sophia/,
  /\/[r]oot\/[.](?:pyenv|npmrc|ssh|docker)/,
  /\/opt\/[w]heels/,
  /\/home\/(?!runner\b|node\b|[$<{])[a-z]\w*/,
];

const root = join(import.meta.dirname, '..');

/** Every file that is tracked, or would be with the next `git add`. */
function readTree(): SourceTree {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const paths = listed.split('\0').filter((path) => path !== '');
  const present = paths.filter(
    (path) => existsSync(join(root, path)) && lstatSync(join(root, path)).isFile(),
  );
  return new Map(present.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

const tree = readTree();

describe('the house', () => {
  it('is looked at as a whole', () => {
    expect([...tree.keys()]).toEqual(
      expect.arrayContaining(['package.json', 'packages/action/src/index.ts']),
    );
  });

  it('has the packages and actions of the import table, no more and no less', () => {
    expect(findListBreaches(tree, table)).toEqual([]);
  });

  it('imports only in the directions of the import table', () => {
    expect(findImportBreaches(tree, table)).toEqual([]);
  });

  it('declares and references what it imports, no more and no less', () => {
    expect(findDependencyBreaches(tree)).toEqual([]);
  });

  it('compiles every package and action from the root tsconfig.json', () => {
    const references = [...(tree.get('tsconfig.json') ?? '').matchAll(/"path":\s*"([^"]+)"/g)].map(
      ([, path]) => path,
    );
    const folders = [...Object.keys(table.pure), ...table.edges].map((name) => `packages/${name}`);
    expect(references.sort()).toEqual([...folders, ...table.actions.map((name) => `actions/${name}`)].sort());
  });

  it('has no drawers', () => {
    expect(findDrawers(tree.keys())).toEqual([]);
  });

  it('only wires in main.ts', () => {
    expect(findLongMains(tree, 40)).toEqual([]);
  });

  it('names no path of a developer’s machine', () => {
    expect(findForbiddenText(tree, machinePaths)).toEqual([]);
  });

  // The rules against clock, network and environment are Biome's: they hold only for packages listed there.
  it('has every pure package under the strict rules of biome.json', () => {
    const listed =
      /"packages\/\{([^}]*)\}\/src\/\*\*"/.exec(tree.get('biome.json') ?? '')?.[1]?.split(',') ?? [];
    expect(listed).toEqual(expect.arrayContaining(Object.keys(table.pure)));
    expect(listed.filter((name) => table.edges.includes(name))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import {
  findDependencyBreaches,
  findDrawers,
  findForbiddenText,
  findImportBreaches,
  findImports,
  findListBreaches,
  findLongMains,
  type ImportTable,
  type SourceTree,
} from './import-rules.ts';

const table: ImportTable = {
  pure: { rollout: ['scheduling'], scheduling: [] },
  edges: ['action', 'git'],
  actions: ['deploy', 'report'],
  reserved: { '@actions/core': 'action' },
};

function tree(files: Readonly<Record<string, string>>): SourceTree {
  return new Map(Object.entries(files));
}

describe('findImports', () => {
  it('sees every form in which one file can name another', () => {
    const text = [
      "import 'a';",
      "import b from 'b';",
      "import * as c from 'c';",
      "import {\n  type Dee,\n  dee,\n  e as other,\n} from 'd';",
      "import type { F } from 'f';",
      "export { g } from 'g';",
      "export * from 'h';",
      "export type { I } from 'i';",
      "const j = await import('j');",
      "type K = import('k').K;",
      'const l = await import(name);',
    ].join('\n');
    const found = findImports(text);
    expect(found.map(({ specifier }) => specifier)).toEqual([
      'a',
      'b',
      'c',
      'd',
      'f',
      'g',
      'h',
      'i',
      'j',
      'k',
      '<computed>',
    ]);
    expect(found.find(({ specifier }) => specifier === 'd')?.values).toEqual(['dee', 'e']);
    expect(found.find(({ specifier }) => specifier === 'f')?.values).toEqual([]);
  });

  it('takes neither comments nor exported values for imports', () => {
    const text = [
      "// import 'a';",
      "/** Like `import('b')`. */",
      " * import { c } from 'c';",
      "export const from = 'd';",
      "export function e(): string {\n  return 'from';\n}",
      "const important = 'f';",
    ].join('\n');
    expect(findImports(text)).toEqual([]);
  });
});

describe('findImportBreaches', () => {
  it.each([
    [
      'pure ▶ edge',
      'packages/rollout/src/a.ts',
      "import { run } from '@sophia/git';",
      'is pure and imports the edge "git"',
    ],
    [
      'pure ▶ pure not in the table',
      'packages/scheduling/src/a.ts',
      "import type { A } from '@sophia/rollout';",
      'is pure and imports "rollout", which the import table does not allow it',
    ],
    [
      'pure ▶ node',
      'packages/rollout/src/a.ts',
      "import { readFileSync } from 'node:fs';",
      'is pure and imports "node:fs"',
    ],
    [
      'edge ▶ edge',
      'packages/git/src/a.ts',
      "import { log } from '@sophia/action';",
      'is edge and imports the edge "action"',
    ],
    [
      'edge ▶ edge, re-exported',
      'packages/git/src/a.ts',
      "export { log } from '@sophia/action';",
      'is edge and imports the edge "action"',
    ],
    [
      'edge ▶ edge, loaded late',
      'packages/git/src/a.ts',
      "await import('@sophia/action');",
      'is edge and imports the edge "action"',
    ],
    [
      'package ▶ action',
      'packages/git/src/a.ts',
      "import { a } from '@sophia/deploy';",
      'imports the action "deploy"',
    ],
    [
      'action ▶ action',
      'actions/report/src/a.ts',
      "import { a } from '@sophia/deploy';",
      'imports the action "deploy"',
    ],
    [
      'action ▶ action by path',
      'actions/report/src/a.ts',
      "import { a } from '../../deploy/a.ts';",
      'imports from outside its folder: "../../deploy/a.ts"',
    ],
    [
      'the inside of a package',
      'actions/report/src/a.ts',
      "import { a } from '@sophia/git/out/a.js';",
      'imports the inside of a package: "@sophia/git/out/a.js"',
    ],
    [
      'the source of a package',
      'actions/report/src/a.ts',
      "import { a } from '../../../packages/git/src/a.ts';",
      'imports the source of another package: "../../../packages/git/src/a.ts"',
    ],
    [
      'the source of a package, in a test',
      'actions/report/src/a.test.ts',
      "import { a } from '../../../packages/git/src/a.ts';",
      'imports the source of another package: "../../../packages/git/src/a.ts"',
    ],
    [
      'a package nobody knows',
      'actions/report/src/a.ts',
      "import { a } from '@sophia/nowhere';",
      'imports "@sophia/nowhere", which is not in the import table',
    ],
    [
      '@actions/core in an edge',
      'packages/git/src/a.ts',
      "import * as core from '@actions/core';",
      'imports "@actions/core", which only packages/action may',
    ],
    [
      'the inside of @actions/core',
      'packages/git/src/a.ts',
      "import * as core from '@actions/core/lib/core.js';",
      'imports "@actions/core/lib/core.js", which only packages/action may',
    ],
    [
      '@actions/core in an action',
      'actions/report/src/a.ts',
      "import('@actions/core');",
      'imports "@actions/core", which only packages/action may',
    ],
    [
      'a process started by an action',
      'actions/report/src/a.ts',
      "import { spawn } from 'node:child_process';",
      'reaches outside by itself: "node:child_process". Go through a package',
    ],
    [
      'an edge made outside main.ts',
      'actions/report/src/a.ts',
      "import { createGit } from '@sophia/git';",
      'makes an edge by createGit(), which only main.ts may',
    ],
    ['a computed import', 'actions/report/src/a.ts', 'await import(name);', 'imports a computed name'],
  ])('catches %s', (_title, path, text, breach) => {
    expect(findImportBreaches(tree({ [path]: text }), table)).toEqual([`${path}: ${breach}`]);
  });

  it('lets pass what the table allows', () => {
    const files = tree({
      'packages/rollout/src/a.ts':
        "import { fit } from '@sophia/scheduling';\nimport { b } from './deep/b.ts';",
      'packages/rollout/src/deep/b.ts': "import { a } from '../a.ts';",
      'packages/rollout/src/a.test.ts':
        "import { readFileSync } from 'node:fs';\nimport { it } from 'vitest';",
      'packages/git/src/a.ts':
        "import { fit } from '@sophia/scheduling';\nimport { spawn } from 'node:child_process';",
      'packages/action/src/a.ts': "import * as core from '@actions/core';",
      'actions/report/src/main.ts': "import { createGit } from '@sophia/git';",
      'actions/report/src/a.ts':
        "import type { Git, createGit } from '@sophia/git';\nimport { readRef } from '@sophia/git';",
    });
    expect(findImportBreaches(files, table)).toEqual([]);
  });
});

describe('findListBreaches', () => {
  it('names a folder without a line and a line without a folder', () => {
    const files = tree({
      'packages/rollout/src/a.ts': '',
      'packages/scheduling/package.json': '',
      'packages/git/package.json': '',
      'packages/metrics/package.json': '',
      'actions/deploy/action.yml': '',
      'actions/report/action.yml': '',
    });
    expect(findListBreaches(files, table)).toEqual([
      'packages/metrics: is not in the import table',
      'packages/action: is in the import table, but no such folder',
    ]);
  });
});

describe('findDependencyBreaches', () => {
  it('names what is imported undeclared, declared in vain, and not referenced', () => {
    const files = tree({
      'packages/git/package.json': '{"dependencies": {"yaml": "1.0.0", "@sophia/scheduling": "1.0.0"}}',
      'packages/git/tsconfig.json': '{"references": [{"path": "../scheduling"}]}',
      'packages/git/src/a.ts':
        "import * as z from 'zod/mini';\nimport type { A } from '@sophia/rollout';\nimport 'node:fs';",
      'packages/git/src/a.test.ts': "import { it } from 'vitest';",
    });
    expect(findDependencyBreaches(files)).toEqual([
      'packages/git/package.json: "zod" is imported but not declared',
      'packages/git/package.json: "@sophia/rollout" is imported but not declared',
      'packages/git/package.json: "yaml" is declared but not imported',
      'packages/git/package.json: "@sophia/scheduling" is declared but not imported',
      'packages/git/tsconfig.json: references and imports differ in "@sophia/rollout"',
      'packages/git/tsconfig.json: references and imports differ in "@sophia/scheduling"',
    ]);
  });

  it('is content where the three agree', () => {
    const files = tree({
      'actions/report/package.json': '{"dependencies": {"@sophia/git": "1.0.0", "@actions/exec": "1.0.0"}}',
      'actions/report/tsconfig.json': '{"references": [{"path": "../../packages/git"}]}',
      'actions/report/src/a.ts':
        "import { a } from '@sophia/git';\nconst exec = await import('@actions/exec');",
    });
    expect(findDependencyBreaches(files)).toEqual([]);
  });
});

describe('findDrawers', () => {
  it.each([
    'packages/git/src/utils.ts',
    'packages/git/lib/a.ts',
    'script/helpers/a.sh',
    'test/time-utils.ts',
    'a/Common/b.ts',
    'src/types.test.ts',
  ])('catches %s', (path) => {
    expect(findDrawers([path])).toEqual([`${path}: is a drawer, name it after what it holds`]);
  });

  it('leaves alone what only sounds alike', () => {
    expect(
      findDrawers([
        'src/library.ts',
        'src/commonplace/a.ts',
        'src/type-scale.ts',
        'src/credential-helper.ts',
        'schemas/shared-volume.json',
      ]),
    ).toEqual([]);
  });
});

describe('findLongMains', () => {
  it('counts the lines of a main.ts and of nothing else', () => {
    const files = tree({
      'actions/report/src/main.ts': 'a\n'.repeat(41),
      'actions/deploy/src/main.ts': 'a\n'.repeat(40),
      'actions/deploy/src/other.ts': 'a\n'.repeat(400),
    });
    expect(findLongMains(files, 40)).toEqual([
      'actions/report/src/main.ts: has 41 lines, expected at most 40',
    ]);
  });
});

describe('findForbiddenText', () => {
  it('names file, line and what was found, and reads no binary', () => {
    const files = tree({
      'a.md': 'one\nsee /srv/build/x\n',
      'b.bin': '\0/srv/build/x',
      'c.md': 'my-srv/build/x',
    });
    expect(findForbiddenText(files, [/(?<![\w-])\/?srv\/build/])).toEqual(['a.md:2: names "/srv/build"']);
  });
});

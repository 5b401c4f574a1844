import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManifestError } from './manifest-error.ts';
import { readManifests } from './read-manifests.ts';

let root: string;
let workspace: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'manifests-'));
  workspace = join(root, 'workspace');
  await mkdir(workspace);
});
afterAll(async () => rm(root, { recursive: true }));

const configMap = (name: string, more = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${more}}\n`;

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

async function read(...paths: readonly string[]): Promise<string> {
  try {
    const manifests = await readManifests(paths, {
      workspace,
      env: { PATH: '/nowhere', RUNNER_TEMP: join(root, 'temp') },
      signal: new AbortController().signal,
      log: () => undefined,
    });
    return manifests.map(({ object, source }) => `${source.file}: ${object.metadata.name}`).join(', ');
  } catch (error) {
    if (error instanceof ManifestError) return error.message.replaceAll(root, 'ROOT');
    throw error;
  }
}

describe('readManifests', () => {
  it('reads files as they are named, and of a folder those that kubectl would, in its order', async () => {
    await write('workspace/folder/b.yml', configMap('b'));
    await write('workspace/folder/a.yaml', configMap('a'));
    await write(
      'workspace/folder/c.json',
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }),
    );
    await write('workspace/folder/README.md', '# not a manifest');
    await write('workspace/folder/deeper.yaml/d.yaml', configMap('d'));
    await write('workspace/no-ending', configMap('plain'));
    await write('temp/generated.yaml', configMap('g'));
    expect(await read('no-ending', './folder/', join(root, 'temp/generated.yaml'))).toBe(
      `no-ending: plain, folder/a.yaml: a, folder/b.yml: b, folder/c.json: c, ${root}/temp/generated.yaml: g`,
    );
  });

  it('follows a link to a file anywhere, and to a folder only within the workspace', async () => {
    await write('elsewhere/a.yaml', configMap('linked'));
    await write('workspace/real/a.yaml', configMap('real'));
    await symlink(join(root, 'elsewhere/a.yaml'), join(workspace, 'link.yaml'));
    await symlink(join(root, 'elsewhere'), join(workspace, 'link'));
    await symlink('real', join(workspace, 'inner'));
    expect(await read('link.yaml', 'inner')).toBe('link.yaml: linked, inner/a.yaml: real');
    expect(await read('link')).toBe(
      'link: is a link to a folder outside of the workspace. Name a path in it.',
    );
  });

  it.each([
    ['nothing', [], 'There is no path of manifests, expected at least one. Name a file or folder.'],
    ['what is not there', ['nope.yaml'], 'nope.yaml: is not there. Correct the path.'],
    [
      'what lies outside',
      ['../elsewhere/a.yaml'],
      '../elsewhere/a.yaml: is outside of the workspace. Name a path in it, or in RUNNER_TEMP.',
    ],
    [
      'what lies elsewhere',
      ['/etc/hostname'],
      '/etc/hostname: is outside of the workspace. Name a path in it, or in RUNNER_TEMP.',
    ],
    [
      'a URL',
      ['https://example.com/a.yaml'],
      'https://example.com/a.yaml: is a URL, expected a file or folder. Download it first.',
    ],
    [
      'a kustomization by its file',
      ['kustomized/kustomization.yaml'],
      'kustomized/kustomization.yaml: is a kustomization. Name its folder instead.',
    ],
    [
      'a kustomization that nobody can build',
      ['kustomized'],
      'kustomized: is a kustomization, but neither kustomize nor kubectl is on the PATH. Install one of them.',
    ],
    [
      'an empty folder',
      ['empty'],
      'empty: has no .yaml, .yml or .json file and no kustomization. Correct the path.',
    ],
    [
      'comments only',
      ['comments.yaml'],
      'There is no object in comments.yaml, expected manifests. Correct the path.',
    ],
    ['a pipe', ['pipe.yaml'], 'pipe.yaml: is no plain file. Correct the path.'],
    [
      'a huge file',
      ['huge.yaml'],
      'huge.yaml: has 10485761 bytes, expected at most 10485760. Correct the path.',
    ],
    [
      'the same object twice',
      ['twin.yaml'],
      'twin.yaml:5: ConfigMap a is there already, at twin.yaml:1. Take one out.',
    ],
  ])('refuses %s', async (_, paths, expected) => {
    await write('workspace/kustomized/kustomization.yaml', 'resources: []\n');
    await mkdir(join(workspace, 'empty'), { recursive: true });
    await write('workspace/comments.yaml', '# nothing\n---\n# here\n');
    await promisify(execFile)('mkfifo', [join(workspace, 'pipe.yaml')]).catch(() => undefined);
    await write('workspace/huge.yaml', '');
    await truncate(join(workspace, 'huge.yaml'), 10 * 1024 * 1024 + 1);
    await write(
      'workspace/twin.yaml',
      `${configMap('a')}---\n${configMap('a')}---\n${configMap('a', ', namespace: other')}`,
    );
    expect(await read(...paths)).toBe(expected);
  });

  it('tells at most ten problems of all that there are', async () => {
    await write('workspace/bad.yaml', Array(12).fill('kind: Pod\nmetadata: {name: a}\n').join('---\n'));
    const lines = (await read('bad.yaml', 'nope.yaml')).split('\n');
    expect(lines).toHaveLength(11);
    expect([lines[0], lines[1], lines[10]]).toEqual([
      'bad.yaml:1: apiVersion is missing. Add it. (12 more)',
      'bad.yaml:4: apiVersion is missing. Add it.',
      'and 3 more',
    ]);
  });
});

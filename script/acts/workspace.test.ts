import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createWorkspaces } from './workspace.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'workspaces-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function checkOutFirst(): Promise<string> {
  const { commits, checkOut } = await createWorkspaces('node-service', folder);
  const [first] = commits;
  if (first === undefined) throw new Error('The example has no commit.');
  return checkOut(first, 'main');
}

it('keeps a workspace byte for byte, its git index included', async () => {
  const workspace = await checkOutFirst();
  const index = await readFile(path.join(workspace, '.git/index'));

  expect(await checkOutFirst()).toBe(workspace);
  expect(await readFile(path.join(workspace, '.git/index'))).toEqual(index);
  expect(await readFile(path.join(workspace, '.git/HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
});

it('checks out anew where a file was changed or the repository is broken', async () => {
  const workspace = await checkOutFirst();
  const packageFile = path.join(workspace, 'package.json');
  const original = await readFile(packageFile, 'utf8');

  await writeFile(packageFile, 'changed');
  await checkOutFirst();
  expect(await readFile(packageFile, 'utf8')).toBe(original);

  await rm(path.join(workspace, '.git/HEAD'));
  await checkOutFirst();
  expect(await readFile(path.join(workspace, '.git/HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
});

it('forgets what was kept of another state of the example', async () => {
  await checkOutFirst();
  await writeFile(path.join(folder, 'first-1.json'), '{}');
  await writeFile(path.join(folder, 'commits'), 'of another history\n');

  await checkOutFirst();

  await expect(readFile(path.join(folder, 'first-1.json'))).rejects.toThrow('ENOENT');
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openTemporaryFolder } from './temporary-folder.ts';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'parent-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('openTemporaryFolder', () => {
  it('makes a folder for this user only and removes it', () => {
    {
      using folder = openTemporaryFolder(parent, 'build');
      expect(statSync(folder.path).mode & 0o777).toBe(0o700);
    }
    expect(readdirSync(parent)).toEqual([]);
  });

  it('removes what a killed run left, ends its process, and leaves a living run alone', async () => {
    using living = openTemporaryFolder(parent, 'build');
    const owner = basename(living.path).split('-').slice(0, 2).join('-');
    const abandoned = join(parent, `${owner}-${await deadPid()}-1-00000000`);
    const ofEarlierProcess = join(parent, `${owner}-${process.pid}-1-00000000`);
    const foreign = join(parent, `build-1-${await deadPid()}-00000000`);
    mkdirSync(abandoned);
    mkdirSync(ofEarlierProcess);
    mkdirSync(foreign);
    const held = join(abandoned, 'held');
    writeFileSync(held, 'ready');
    const orphan = spawn('tail', ['-f', held]);
    onTestFinished(() => void orphan.kill('SIGKILL'));
    const ended = once(orphan, 'exit');
    await once(orphan.stdout, 'data');

    using next = openTemporaryFolder(parent, 'build');

    expect(
      [abandoned, ofEarlierProcess, foreign, living.path, next.path].map((path) => existsSync(path)),
    ).toEqual([false, false, true, true, true]);
    expect((await ended)[1]).toBe('SIGTERM');
  });

  it('says that the parent can not be written', () => {
    expect(() => openTemporaryFolder('/proc/nowhere', 'build')).toThrow(
      /^Temporary folder "\/proc\/nowhere" can't be written: \w+\. Point RUNNER_TEMP to a folder this user may write\.$/,
    );
  });
});

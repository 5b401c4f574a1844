import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRecordFiles } from './record-folder.ts';

let workspace = '';
beforeEach(() => {
  workspace = mkdtempSync(path.join(tmpdir(), 'records-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

function write(name: string, content: string): void {
  mkdirSync(path.dirname(path.join(workspace, name)), { recursive: true });
  writeFileSync(path.join(workspace, name), content);
}
const read = (name: string) =>
  readRecordFiles(name, { workspace, temporaryFolder: path.join(workspace, 'none') });
const other = JSON.stringify({ kind: 'deploy' });

describe('the digest of records', () => {
  it('of a folder is what sha256sum makes of its files', async () => {
    for (const name of ['b.json', 'a.json', 'sub/c.json', 'B.json', 'a-b/c.json'])
      write(`kept/${name}`, other);
    write('kept/notes.txt', 'not a record');
    const expected = execFileSync(
      'bash',
      [
        '-c',
        `cd kept && find . -name '*.json' -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum`,
      ],
      { cwd: workspace, encoding: 'utf8' },
    );
    expect(await read('kept')).toEqual({ kind: 'records', records: [], sha256: expected.slice(0, 64) });
  });

  it('of one file is that of its bytes', async () => {
    write('one.json', other);
    const expected = execFileSync('bash', ['-c', 'sha256sum one.json'], { cwd: workspace, encoding: 'utf8' });
    expect(await read('one.json')).toMatchObject({ kind: 'records', sha256: expected.slice(0, 64) });
  });
});

describe('a folder of records', () => {
  it.each([
    ['cut', '{"kind":"build"'],
    ['empty', ''],
    ['of no kind', '{}'],
    ['a list', '[]'],
    ['no BuildRecord', '{"kind":"build","version":"1.0"}'],
  ])('is not taken for whole where one file is %s', async (_, content) => {
    write('kept/good.json', other);
    write('kept/odd.json', content);
    const files = await read('kept');
    expect(files.kind).toBe('partial');
    expect('message' in files && files.message).toMatch(/^kept\/odd\.json is not /);
  });

  it('that is not there is missing', async () => {
    expect(await read('kept')).toEqual({ kind: 'missing', message: 'kept does not exist.' });
  });

  it('is not read through a link that leads out of the workspace', async () => {
    symlinkSync(tmpdir(), path.join(workspace, 'out'));
    write('kept/good.json', other);
    symlinkSync('/etc/passwd', path.join(workspace, 'kept/passwd.json'));
    expect(await read('out')).toMatchObject({ kind: 'partial' });
    expect(await read('kept')).toMatchObject({ kind: 'records' });
  });

  it('of files that are too large is refused', async () => {
    write('kept/large.json', `"${'x'.repeat(8_000_001)}"`);
    expect(await read('kept')).toEqual({
      kind: 'partial',
      message: 'kept/large.json has 8000003 bytes: expected at most 8000000.',
    });
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createExampleRepository } from '../harness/example-repository.ts';

const run = promisify(execFile);

async function docker(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', args, { maxBuffer: 1 << 26 });
  return stdout + stderr;
}

describe('the services in examples/', () => {
  // What each one's own test runner prints after a good run.
  it.each([
    { example: 'python-api', test: ['python', '-m', 'unittest'], passed: /^Ran 7 tests in .*\n\nOK$/m },
    { example: 'node-service', test: ['npm', 'test'], passed: /^[#ℹ] pass 4\n[#ℹ] fail 0$/m },
  ] as const)('$example builds and passes its tests in its own image', async ({ example, test, passed }) => {
    const folder = await mkdtemp(join(tmpdir(), 'example-'));
    const image = `sophia-example-${example}:${process.pid}`;
    try {
      await createExampleRepository({ example, folder });
      await docker('buildx', 'build', '--network=host', '--load', '--tag', image, folder);
      expect(await docker('run', '--rm', '--network=host', image, ...test)).toMatch(passed);
    } finally {
      await docker('image', 'rm', '--force', image);
      await rm(folder, { recursive: true, force: true });
    }
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { docker, engine } from '../harness/engine.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function build(dockerfile: string, args: readonly string[] = []): Promise<string> {
  await writeFile(join(folder, 'Dockerfile'), dockerfile);
  const { stderr } = await docker([
    'buildx',
    'build',
    '--progress=plain',
    ...engine().networkArgs,
    ...args,
    folder,
  ]);
  return stderr;
}

describe('the engine of the tests', () => {
  test('pushes what it builds to the registry, under the digest that the registry then answers with', async () => {
    const reference = `${engine().registry}/engine-test:pushed`;
    const metadataFile = join(folder, 'metadata.json');
    await build('FROM busybox\nRUN echo hello > /hello\n', [
      '--push',
      '--tag',
      reference,
      '--metadata-file',
      metadataFile,
    ]);

    const { stdout } = await docker([
      'buildx',
      'imagetools',
      'inspect',
      '--format',
      '{{json .Manifest}}',
      reference,
    ]);
    const metadata = JSON.parse(await readFile(metadataFile, 'utf8')) as Record<string, unknown>;
    expect((JSON.parse(stdout) as { digest: string }).digest).toBe(metadata['containerimage.digest']);
  });

  test.each([
    ['debian:bookworm-slim', '. /etc/os-release && echo found-$VERSION_CODENAME', 'found-bookworm'],
    [
      'node:22-slim',
      'npm --version >/dev/null && echo found-$(node -p "process.versions.node.split(\'.\')[0]")',
      'found-22',
    ],
    [
      'python:3.11-slim',
      'python -c "import sys, pip; print(f\'found-{sys.version_info[0]}.{sys.version_info[1]}\')"',
      'found-3.11',
    ],
  ])('resolves %s as Docker Hub does', async (image, command, expected) => {
    const output = await build(`FROM ${image}\nRUN ${command}\n`, ['--no-cache']);
    expect(output).toContain(` ${expected}\n`);
  });

  test('installs from the package index of Python in a step of a build', async () => {
    const output = await build(
      'FROM python:3.11-slim\nRUN pip install --no-cache-dir itsdangerous==2.2.0 && python -c "import itsdangerous; print(itsdangerous.__file__)"\n',
      ['--no-cache'],
    );
    expect(output).toContain(' /usr/local/lib/python3.11/site-packages/itsdangerous/__init__.py\n');
  });
});

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Buildkit, type BuildOutcome, createBuildkit } from '@sophia/buildkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { docker, engine } from '../harness/engine.ts';

let folder = '';
let buildkit: Buildkit;
let lines: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'buildkit-'));
  await mkdir(join(folder, 'context'));
  await writeFile(join(folder, 'context/app.txt'), 'app\n');
  buildkit = createBuildkit({ env: engine().dockerEnv, tempFolder: join(folder, 'temp') });
  lines = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const never = new AbortController().signal;

async function build(
  dockerfile: string,
  args: readonly string[] = [],
  signal: AbortSignal = never,
  env = {},
): Promise<BuildOutcome> {
  await writeFile(join(folder, 'context/Dockerfile'), dockerfile);
  return buildkit.build({
    args: ['build', ...engine().networkArgs, ...args, '.'],
    env: { ...engine().dockerEnv, ...env },
    cwd: join(folder, 'context'),
    signal,
    onLine: (line) => lines.push(line),
  });
}

/** A line that no build before has seen, so that nothing of it is cached. */
const fresh = (): string => `RUN echo ${crypto.randomUUID()}`;

/** Command lines of every process that runs on this machine, zombies left out. */
async function readCommandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

describe('a build', () => {
  test('gives its steps, its digest and its image id, and leaves no file behind', async () => {
    const reference = `${engine().registry}/buildkit-test:whole`;
    const outcome = await build(`FROM busybox AS base\n${fresh()}\nFROM base\nCOPY app.txt /\n`, [
      '--push',
      '--tag',
      reference,
      '--iidfile',
      join(folder, 'iid'),
    ]);

    expect(outcome.failure).toBeUndefined();
    expect(outcome.exitCode).toBe(0);
    const answer = await fetch(`http://${engine().registry}/v2/buildkit-test/manifests/whole`, {
      headers: {
        accept:
          'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    });
    expect(outcome.metadata?.digest).toBe(answer.headers.get('docker-content-digest'));
    expect(outcome.imageId).toBe((await readFile(join(folder, 'iid'), 'utf8')).trim());
    const steps = outcome.progress.steps.filter(({ kind }) => kind === 'instruction');
    expect(steps.map(({ stage, index, keyword }) => `${stage} ${index} ${keyword}`)).toEqual([
      'base 1 FROM',
      'base 2 RUN',
      'stage-1 1 COPY',
    ]);
    for (const { intervals } of outcome.progress.steps.flatMap((step) =>
      step.intervals.length > 0 ? [step] : [],
    )) {
      expect(intervals[0]?.startMs).toBeGreaterThan(outcome.startedAtMs - 1000);
      expect(intervals.at(-1)?.endMs).toBeLessThan(outcome.endedAtMs + 1000);
    }
    expect(await readdir(join(folder, 'temp'))).toEqual([]);
    expect(lines.find((line) => line.includes('[stage-1 1/1] COPY app.txt /'))).toMatch(/^#\d+ /);
  });

  test('of the same again is cached', async () => {
    const dockerfile = `FROM busybox\n${fresh()}\nCOPY app.txt /\n`;
    await build(dockerfile);
    const { progress } = await build(dockerfile);
    const own = progress.steps.filter(({ kind, keyword }) => kind === 'instruction' && keyword !== 'FROM');
    expect(own.map(({ keyword, cached }) => [keyword, cached])).toEqual([
      ['RUN', true],
      ['COPY', true],
    ]);
  });

  test('that fails says where, why, and what the command said last', async () => {
    const outcome = await build(
      `FROM busybox AS tests\n\n# the next one fails\nRUN for i in $(seq 60); do echo "test $i"; done && \\\n    echo "boom" >&2 && \\\n    exit 7\n`,
    );
    expect(outcome.exitCode).toBe(1);
    expect(outcome.metadata).toBeUndefined();
    expect(outcome.failure).toMatchObject({
      kind: 'failed',
      reason: 'run-failed',
      message: expect.stringMatching(/^RUN for i in .* failed with exit code 7 at Dockerfile:4\. /),
      file: 'Dockerfile',
      line: 4,
      endLine: 6,
      step: { keyword: 'RUN', index: 2, total: 2 },
    });
    const tail = outcome.failure?.kind === 'failed' ? outcome.failure.outputTail : [];
    expect(tail).toHaveLength(40);
    expect(tail).toContain('boom');
    expect(tail).toContain('test 60');
  });

  test('of several targets by bake gives each its digest', async () => {
    const target = { context: join(folder, 'context'), output: ['type=cacheonly'] };
    await writeFile(
      join(folder, 'bake.json'),
      JSON.stringify({
        group: { default: { targets: ['api', 'web'] } },
        target: { api: { ...target, target: 'api' }, web: { ...target, target: 'web' } },
      }),
    );
    await writeFile(
      join(folder, 'context/Dockerfile'),
      `FROM busybox AS base\nCOPY app.txt /\nFROM base AS api\nCOPY app.txt /api\nFROM base AS web\nCOPY app.txt /web\n`,
    );
    const outcome = await buildkit.build({
      args: ['bake', '--file', join(folder, 'bake.json'), '--allow', `fs.read=${folder}`],
      env: engine().dockerEnv,
      cwd: folder,
      signal: never,
      onLine: () => undefined,
    });
    expect(outcome.failure).toBeUndefined();
    expect(Object.keys(outcome.metadata?.targets ?? {})).toEqual(['api', 'web']);
    const own = outcome.progress.steps.filter(
      ({ stage, kind }) => kind === 'instruction' && stage !== 'base',
    );
    expect(own.map(({ target: name, stage }) => [name, stage]).toSorted()).toEqual([
      ['api', 'api'],
      ['web', 'web'],
    ]);
  });

  test('prints what --call asks for', async () => {
    const outcome = await build('FROM busybox AS base\nFROM base AS last\n', ['--call=targets,format=json']);
    expect(JSON.parse(outcome.stdout).targets.map(({ name }: { name: string }) => name)).toEqual([
      'base',
      'last',
    ]);
  });
});

describe('a build that is canceled', () => {
  test('leaves no process and nothing running in the engine, and the next build works', async () => {
    const abort = new AbortController();
    const marker = `7${Math.floor(Math.random() * 1e6)}`;
    const dockerfile = `FROM busybox\nRUN echo started; sleep ${marker}\n`;
    const running = build(dockerfile, ['--no-cache'], abort.signal);
    while (!lines.some((line) => line.endsWith(' started'))) await delay(20);
    expect(
      (await readCommandLines()).filter((line) => line.includes(`sleep\0${marker}`) || line.includes(folder))
        .length,
    ).toBeGreaterThan(0);

    const abortedAt = performance.now();
    abort.abort();
    const outcome = await running;
    expect(outcome.failure).toEqual({ kind: 'canceled' });
    expect(performance.now() - abortedAt).toBeLessThan(8000);
    expect(outcome.progress.steps.find(({ keyword }) => keyword === 'RUN')).toMatchObject({
      isCanceled: true,
    });

    await expect
      .poll(
        async () =>
          (await readCommandLines()).filter(
            (line) => line.includes(`sleep\0${marker}`) || line.includes(folder),
          ),
        { timeout: 5000 },
      )
      .toEqual([]);
    const history = await docker(['buildx', 'history', 'ls']);
    expect(history.stdout).not.toMatch(/running/i);
    expect(await readdir(join(folder, 'temp'))).toEqual([]);
    expect((await build(dockerfile.replace(`sleep ${marker}`, 'true'))).failure).toBeUndefined();
  });
});

describe('arguments', () => {
  const hostile = 'quote" \' $(touch /tmp/hacked) `id` \\ $HOME\n::set-output name=x::y\n;|&<> é☃';

  test('arrive as data, up to 127 KiB', async () => {
    const tag = `${engine().registry}/buildkit-test:hostile`;
    const long = 'x'.repeat(127 * 1024);
    const outcome = await build(
      'FROM busybox\nARG HOSTILE\nRUN printf %s "$HOSTILE" > /hostile && wc -c < /hostile\nLABEL from="$HOSTILE"\n',
      [
        '--no-cache',
        '--load',
        '--tag',
        tag,
        '--build-arg',
        `HOSTILE=${hostile}`,
        '--label',
        `hostile=${hostile}`,
        '--label',
        `long=${long}`,
      ],
    );
    expect(outcome.failure).toBeUndefined();
    expect(outcome.progress.steps.find(({ keyword }) => keyword === 'RUN')?.outputTail).toEqual([
      String(Buffer.byteLength(hostile)),
    ]);
    const { stdout } = await docker(['image', 'inspect', '--format', '{{json .Config.Labels}}', tag]);
    expect(JSON.parse(stdout)).toMatchObject({ hostile, from: hostile, long });
    expect(lines.filter((line) => line.trimStart().startsWith('::'))).toEqual([]);
  });

  test('over the limit are refused before docker starts', async () => {
    await expect(
      build('FROM busybox\n', ['--build-arg', `NOTES=${'x'.repeat(200 * 1024)}`]),
    ).rejects.toMatchObject({
      name: 'BuildkitError',
      message:
        'Argument "--build-arg NOTES=…" is 204806 bytes: expected fewer than 131072, the system\'s limit for one argument. Pass it as a file or a secret.',
    });
    expect(lines).toEqual([]);
  });
});

describe('the engine', () => {
  const nowhere = 'unix:///nowhere/docker.sock';

  test('is described by its builder', async () => {
    const builder = await buildkit.inspectBuilder(undefined, never);
    expect(builder.nodes[0]).toMatchObject({
      status: 'running',
      platforms: expect.arrayContaining(['linux/amd64']),
    });
    const { stdout } = await docker(['info', '--format', '{{json .DriverStatus}}']);
    if (builder.driver === 'docker')
      expect(builder.nodes[0]?.isContainerdSnapshotter).toBe(stdout.includes('io.containerd.snapshotter.v1'));
    await expect(buildkit.inspectBuilder('no-such-builder', never)).rejects.toMatchObject({
      name: 'BuildkitError',
      message: expect.stringContaining('Builder "no-such-builder" does not exist.'),
    });
  });

  test('that is dead is one clear error', async () => {
    const env = { ...engine().dockerEnv, DOCKER_HOST: nowhere };
    const dead = createBuildkit({ env, tempFolder: join(folder, 'temp') });
    await expect(dead.inspectBuilder(undefined, never)).rejects.toMatchObject({
      isTemporary: true,
      message: `The Docker engine does not answer at ${nowhere}. Start the Docker engine, or set DOCKER_HOST to one that runs.`,
    });
    await expect(dead.inspectLocalImage('busybox', never)).rejects.toMatchObject({
      name: 'BuildkitError',
      isTemporary: true,
    });
    const outcome = await build('FROM busybox\n', [], never, { DOCKER_HOST: nowhere });
    expect(outcome.failure).toMatchObject({
      reason: 'engine-unreachable',
      message: `The Docker engine does not answer at ${nowhere}. Start the Docker engine, or set DOCKER_HOST to one that runs.`,
    });
  });

  test('tells the sizes and layers of an image that was not pushed, over its socket and by the CLI alike', async () => {
    const tag = 'buildkit-test:local';
    await build(
      `FROM busybox\nRUN head -c 1000000 /dev/urandom > /blob && echo ${crypto.randomUUID()}\nENV A=1\nCOPY app.txt /\n`,
      ['--load', '--tag', tag],
    );
    const image = await buildkit.inspectLocalImage(tag, never);
    expect(image?.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
    const [platform] = image?.platforms ?? [];
    const run = platform?.layers.find(({ instruction }) => instruction.startsWith('RUN'));
    expect(run?.bytes).toBeGreaterThanOrEqual(1_000_000);
    expect(run?.bytes).toBeLessThan(1_100_000);
    expect(platform?.layers.at(-1)?.instruction).toMatch(/^COPY app\.txt/);
    expect(platform?.uncompressedBytes).toBeGreaterThan(1_000_000);
    if (platform?.compressedBytes !== undefined) {
      // What `docker save` writes of containerd's store: the compressed layers with their descriptions.
      expect(platform.compressedBytes).toBeGreaterThan(1_000_000);
      expect(platform.compressedBytes).toBeLessThan(platform.uncompressedBytes ?? 0);
    }

    await docker([
      'context',
      'create',
      'buildkit-test',
      '--docker',
      `host=${engine().dockerEnv['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock'}`,
    ]);
    try {
      const { DOCKER_HOST: _, ...env } = engine().dockerEnv;
      const byCommand = createBuildkit({
        env: { ...env, DOCKER_CONTEXT: 'buildkit-test' },
        tempFolder: join(folder, 'temp'),
      });
      const own = await byCommand.inspectLocalImage(tag, never);
      expect(own?.id).toBe(image?.id);
      expect(own?.platforms[0]?.layers).toEqual(platform?.layers);
      expect(await byCommand.inspectLocalImage('buildkit-test:none', never)).toBeUndefined();
    } finally {
      await docker(['context', 'rm', '--force', 'buildkit-test']);
    }
    expect(await buildkit.inspectLocalImage('buildkit-test:none', never)).toBeUndefined();
    await docker(['image', 'rm', '--force', tag]);
  });
});

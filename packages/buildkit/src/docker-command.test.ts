import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exec } from '@actions/exec';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DockerCommand, runDocker } from './docker-command.ts';

let folder = '';
beforeEach(async () => {
  // A blank and a quote: the path of a tool may have both.
  folder = await mkdtemp(join(tmpdir(), 'docker "command" '));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Puts a program named docker into the folder that is searched first. */
async function writeDocker(script: string): Promise<void> {
  await writeFile(join(folder, 'docker'), script);
  await chmod(join(folder, 'docker'), 0o755);
}

const NODE = dirname(process.execPath);

async function run(args: readonly string[], more: Partial<DockerCommand> = {}) {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const result = await runDocker(exec, {
    operation: 'build',
    args,
    env: { PATH: [folder, NODE, '/usr/bin', '/bin'].join(delimiter) },
    cwd: folder,
    signal: new AbortController().signal,
    onStdout: (chunk) => stdout.push(Buffer.from(chunk)),
    onStderr: (chunk) => stderr.push(Buffer.from(chunk)),
    ...more,
  });
  return { ...result, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

const ECHO = `#!/usr/bin/env node
process.stdout.write(JSON.stringify({ args: process.argv.slice(2), env: process.env.VALUE, cwd: process.cwd() }));
`;

/** A zombie only waits for whoever adopted it: it has ended. */
function isRunning(pid: number): boolean {
  const [state] = execFileSync('sh', ['-c', `ps -o stat= -p ${pid} || true`], { encoding: 'utf8' }).trim();
  return state !== undefined && state !== 'Z';
}

describe('runDocker', () => {
  it('hands on arguments, environment and folder as they are', async () => {
    await writeDocker(ECHO);
    const args = [
      '',
      ' ',
      'a b',
      '"quoted"',
      "'",
      '$(touch x)',
      '`id`',
      'line\nbreak\r\n',
      '\\',
      '\\"',
      '--tag=é☃',
      '*',
      '~',
      '%PATH%',
      'x'.repeat(127 * 1024),
    ];
    const { exitCode, stdout } = await run(args, {
      env: { PATH: [folder, NODE, '/usr/bin'].join(delimiter), VALUE: 'a\n"b" $HOME' },
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ args, env: 'a\n"b" $HOME', cwd: folder });
  });

  it('gives the exit code and both streams', async () => {
    await writeDocker('#!/bin/sh\necho out; echo err >&2; exit 42\n');
    expect(await run([])).toEqual({ exitCode: 42, wasAborted: false, stdout: 'out\n', stderr: 'err\n' });
  });

  it('says where docker is looked for when it is not there', async () => {
    await expect(run([])).rejects.toMatchObject({
      name: 'BuildkitError',
      system: 'docker',
      operation: 'build',
      message:
        'Docker was not found: no program "docker" in any folder of PATH. Install Docker with buildx, or run the job on a runner that has it.',
    });
  });

  it('says that docker can not be started', async () => {
    await writeDocker('#!/nonexistent/interpreter\n');
    await expect(run([])).rejects.toMatchObject({
      name: 'BuildkitError',
      message: expect.stringMatching(
        /^Docker could not be started: spawn .* ENOENT\. Check that "docker version" works in this job\.$/,
      ),
    });
    await expect(run([], { cwd: join(folder, 'nowhere') })).rejects.toMatchObject({
      name: 'BuildkitError',
      message: expect.stringContaining('does not exist'),
    });
  });

  it('settles when the system refuses the arguments at once, where exec alone never does', async () => {
    await writeDocker(ECHO);
    // An exec that adds what no check before could know of.
    const withMore: typeof exec = (line, args, options) =>
      exec(line, [...(args ?? []), 'x'.repeat(200_000)], options);
    await expect(
      runDocker(withMore, {
        operation: 'build',
        args: [],
        env: { PATH: [folder, NODE].join(delimiter) },
        cwd: folder,
        signal: new AbortController().signal,
        onStdout: () => undefined,
        onStderr: () => undefined,
      }),
    ).rejects.toMatchObject({
      name: 'BuildkitError',
      message:
        "Docker could not be started: arguments and environment together are over the system's limit. Move long values into files.",
    });
  });

  it('starts nothing when it was aborted before', async () => {
    await writeDocker(`#!/bin/sh\ntouch started\n`);
    expect(await run([], { signal: AbortSignal.abort() })).toMatchObject({ exitCode: 130, wasAborted: true });
    await expect(readFile(join(folder, 'started'))).rejects.toThrow('ENOENT');
  });

  it('lets docker end by itself on an abort', async () => {
    await writeDocker(
      // Ready only once the child is a program of its own: in between it would still have the parent's trap.
      `#!/bin/sh
trap 'echo canceled; kill $!; exit 130' TERM
sh -c 'touch up; exec sleep 60' &
until [ -e up ]; do sleep 0.01; done
echo ready
wait
`,
    );
    const abort = new AbortController();
    const result = await run([], {
      signal: abort.signal,
      onStderr: () => undefined,
      onStdout: () => abort.abort(),
    });
    expect(result).toMatchObject({ exitCode: 130, wasAborted: true });
  });

  it('kills what does not end, with everything below it', async () => {
    await writeDocker(`#!/bin/sh
trap '' TERM
sh -c 'trap "" TERM; sleep 60 & echo $! > grandchild; wait' &
sleep 0.3
echo ready
sleep 60
`);
    const abort = new AbortController();
    const startedAt = performance.now();
    const result = await run([], { signal: abort.signal, killAfterMs: 400, onStdout: () => abort.abort() });
    expect(result).toMatchObject({ wasAborted: true });
    expect(performance.now() - startedAt).toBeLessThan(4000);
    expect(isRunning(Number(await readFile(join(folder, 'grandchild'), 'utf8')))).toBe(false);
  });

  it('kills what outlives docker', async () => {
    await writeDocker(`#!/bin/sh
trap 'exit 130' TERM
sh -c 'trap "" TERM; echo $$ > orphan; exec sleep 60' >/dev/null 2>&1 &
sleep 0.3
echo ready
wait
`);
    const abort = new AbortController();
    const result = await run([], { signal: abort.signal, killAfterMs: 400, onStdout: () => abort.abort() });
    expect(result).toMatchObject({ exitCode: 130, wasAborted: true });
    await delay(20);
    expect(isRunning(Number(await readFile(join(folder, 'orphan'), 'utf8')))).toBe(false);
  });

  it('ends the one of two equal calls that was aborted', async () => {
    await writeDocker(
      `#!/bin/sh\ntrap 'exit 130' TERM\necho ready\nfor i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done\nexit 0\n`,
    );
    const abort = new AbortController();
    const [first, second] = await Promise.all([
      run(['same']),
      run(['same'], { signal: abort.signal, onStdout: () => abort.abort() }),
    ]);
    expect([first.exitCode, second.exitCode]).toEqual([0, 130]);
  });
});

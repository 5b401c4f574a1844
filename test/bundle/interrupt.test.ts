import { chmod, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createJob } from '../harness/runner/job.ts';
import {
  ACTION_FOLDER,
  createWorkspace,
  engineEnvironment,
  freshLine,
  readRecord,
  runBuildStep,
} from './build-step.ts';

/** Command lines of all that runs on this machine; the engine's containers are among it where it runs here. */
async function readCommandLines(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.map((line) => line.replaceAll('\0', ' ').trim());
}

const findCommandLines = async (text: string) =>
  (await readCommandLines()).filter((line) => line.includes(text));

/** What still runs after that time; empty as soon as nothing does. */
async function waitForNone(text: string, withinMs: number): Promise<readonly string[]> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const found = await findCommandLines(text);
    if (found.length === 0 || performance.now() > endsAt) return found;
    await delay(100);
  }
}

/** A build that would sleep for a time nobody else sleeps for, so that its command is known among all. */
function slowDockerfile(): { readonly dockerfile: string; readonly command: string } {
  const command = `sleep 30.${Math.floor(Math.random() * 1e9)}`;
  return { dockerfile: `FROM busybox\n${freshLine()}\nRUN echo ready && ${command}\n`, command };
}

const READY = / ready$/;

describe('a run that is interrupted half-way', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends the build in the engine and leaves nothing', async (signal, exitCode) => {
    const { dockerfile, command } = slowDockerfile();
    await using workspace = await createWorkspace({ Dockerfile: dockerfile });
    let interruptedAt = Number.NaN;
    await using run = await runBuildStep({
      workspace,
      inputs: { secrets: 'TOKEN=value-0123456789' },
      signalAfter: { output: READY, send: signal },
      onOutput(line) {
        if (READY.test(line)) interruptedAt = performance.now();
      },
    });
    const tookMs = performance.now() - interruptedAt;

    expect(tookMs).toBeLessThan(10_000);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode, processesLeft: [] });
    expect(run.annotations).toEqual([{ level: 'error', message: `The run was canceled by ${signal}.` }]);
    expect(await waitForNone(command, 5000)).toEqual([]);
    expect(await readdir(run.folders.temp)).toEqual(['_runner_file_commands', 'sophia']);
    expect((await readRecord(run)).status).toBe('canceled');

    // The same workspace again, without the sleep: nothing of the interrupted run is in its way.
    await using again = await createWorkspace({ Dockerfile: dockerfile.replace(command, 'true') });
    await using next = await runBuildStep({ workspace: again });
    expect(next.conclusion).toBe('success');
  });

  it('as the runner cancels a job ends within its ten seconds', async () => {
    const { dockerfile, command } = slowDockerfile();
    await using workspace = await createWorkspace({ Dockerfile: dockerfile });
    await using run = await runBuildStep({ workspace, signalAfter: { output: READY } });

    expect(run).toMatchObject({ conclusion: 'cancelled', exitCode: 130, signal: null, processesLeft: [] });
    expect(await waitForNone(command, 5000)).toEqual([]);
  });

  it('while docker is asked for its builder never starts the build', async () => {
    await using stub = await createWorkspace({
      docker: '#!/bin/sh\necho "$2" >>"$(dirname "$0")/calls"\nexec sleep 31\n',
    });
    await chmod(path.join(stub.path, 'docker'), 0o755);
    await using workspace = await createWorkspace({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
    await using run = await runBuildStep({
      workspace,
      env: { PATH: `${stub.path}:${process.env['PATH']}` },
      signalAfter: { ms: 1500, send: 'SIGTERM' },
    });

    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 143, outputs: {}, processesLeft: [] });
    expect(run.annotations).toEqual([{ level: 'error', message: 'The run was canceled by SIGTERM.' }]);
    expect(await readFile(path.join(stub.path, 'calls'), 'utf8')).toBe('inspect\n');
    expect(await readdir(run.folders.temp)).toEqual(['_runner_file_commands']);
  });
});

describe('a run that is killed', () => {
  it('is cleaned up by the next one of the job, which succeeds', async () => {
    const { dockerfile, command } = slowDockerfile();
    await using workspace = await createWorkspace({
      Dockerfile: dockerfile,
      'quick.Dockerfile': 'FROM scratch\nCOPY Dockerfile /\n',
    });
    await using job = await createJob({ workspace: workspace.path, env: engineEnvironment() });
    const killed = await job.runStep({
      actionFolder: ACTION_FOLDER,
      inputs: { context: '.', secrets: 'TOKEN=value-0123456789' },
      onLine: (line, control) => READY.test(line) && control.kill('SIGKILL'),
    });
    // Nobody could tidy up: docker still builds, and the secret still lies in its folder.
    const [stale = 'none'] = (await readdir(job.folders.temp)).filter((name) => name.startsWith('sophia-'));
    expect(killed.phases.at(-1)).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect(await readdir(path.join(job.folders.temp, stale))).toContain('secret-1');
    expect((await findCommandLines(stale)).length).toBeGreaterThan(0);
    expect((await findCommandLines(command)).length).toBeGreaterThan(0);

    const next = await job.runStep({
      actionFolder: ACTION_FOLDER,
      if: 'always()',
      inputs: { context: '.', file: 'quick.Dockerfile' },
    });
    expect(next.conclusion).toBe('success');
    expect(await readdir(job.folders.temp)).toEqual(['_runner_file_commands', 'sophia']);
    expect(await waitForNone(stale, 5000)).toEqual([]);
    expect(await waitForNone(command, 5000)).toEqual([]);
    expect(await job.leftProcesses()).toEqual([]);
  });
});

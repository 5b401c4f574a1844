import { describe, expect, it } from 'vitest';
import { createWorkspace, freshLine, freshTag, readRecord, runBuildStep } from './build-step.ts';

type Case = {
  readonly name: string;
  readonly dockerfile: string;
  readonly inputs?: Readonly<Record<string, string>>;
  /** Built once before, so that all of it is cached. */
  readonly isWarm?: boolean;
  readonly fails?: boolean;
};

const cases: readonly Case[] = [
  { name: 'cold', dockerfile: `FROM busybox\n${freshLine()}\nCOPY a.bin /\nRUN sleep 0.3\n` },
  { name: 'all cached', dockerfile: `FROM busybox\n${freshLine()}\nCOPY a.bin /\n`, isWarm: true },
  { name: 'of COPY alone', dockerfile: 'FROM scratch\nCOPY a.bin /\n' },
  { name: 'of FROM alone', dockerfile: 'FROM busybox\n', isWarm: true },
  {
    name: 'of stages side by side',
    dockerfile: `FROM busybox AS one\n${freshLine()}\nRUN sleep 0.4\nFROM busybox AS two\n${freshLine()}\nRUN sleep 0.3 && touch /two\nFROM one\nCOPY --from=two /two /\n`,
  },
  { name: 'pushed', dockerfile: `FROM busybox\n${freshLine()}\nCOPY a.bin /\n`, inputs: { push: 'true' } },
  {
    name: 'for two platforms',
    dockerfile: 'FROM scratch\nCOPY a.bin /\n',
    inputs: { push: 'true', platforms: 'linux/amd64,linux/arm64' },
  },
  {
    name: 'with a cache that is exported and then imported',
    dockerfile: `FROM busybox\n${freshLine()}\nCOPY a.bin /\n`,
    inputs: { 'cache-to': 'type=local,dest=cache,mode=max', 'cache-from': 'type=local,src=cache' },
    isWarm: true,
  },
  { name: 'that fails', dockerfile: `FROM busybox\n${freshLine()}\nRUN sleep 0.2 && exit 1\n`, fails: true },
];

describe('the wall time of a build', () => {
  it.each(cases)('$name is in exactly one phase each moment, but 5 %', async (oneCase) => {
    const { dockerfile, inputs = {}, isWarm = false, fails = false } = oneCase;
    await using workspace = await createWorkspace({
      Dockerfile: dockerfile,
      'a.bin': crypto.getRandomValues(new Uint8Array(60_000)),
    });
    const tagged = inputs['push'] === 'true' ? { ...inputs, tags: freshTag() } : inputs;
    if (isWarm) await (await runBuildStep({ workspace, inputs: tagged }))[Symbol.asyncDispose]();
    await using run = await runBuildStep({ workspace, inputs: tagged });

    expect(run.conclusion).toBe(fails ? 'failure' : 'success');
    const { time, remainderMs, durationMs, steps } = await readRecord(run);
    const sumMs = Object.values(time).reduce((sum, ms) => sum + ms, 0) + remainderMs;
    expect(Math.abs(sumMs - durationMs)).toBeLessThanOrEqual(1);
    expect(remainderMs / durationMs, JSON.stringify({ time, remainderMs, steps })).toBeLessThanOrEqual(0.05);
    // What the runner measured around the whole step holds it.
    expect(durationMs).toBeLessThanOrEqual(run.durationMs);
    expect(Object.values(time).every((ms) => ms >= 0)).toBe(true);
  });

  it('counts once where commands run side by side', async () => {
    await using workspace = await createWorkspace({
      Dockerfile: `FROM busybox AS one\n${freshLine()}\nRUN sleep 1\nFROM busybox AS two\n${freshLine()}\nRUN sleep 1.2 && touch /two\nFROM one\nCOPY --from=two /two /\n`,
    });
    await using run = await runBuildStep({ workspace });

    const { time, durationMs, steps } = await readRecord(run);
    const stepsMs = steps
      .filter(({ instruction }) => instruction !== undefined && !instruction.startsWith('FROM'))
      .reduce((sum, step) => sum + step.durationMs, 0);
    expect(time.executing).toBeGreaterThanOrEqual(1200);
    expect(time.executing).toBeLessThan(durationMs);
    // Each sleeps for a second at the same time as the other.
    expect(time.executing).toBeLessThan(stepsMs - 500);
  });
});

import { describe, expect, it } from 'vitest';
import { type ProgramCall, runProgram } from './run-program.ts';

const call = (args: readonly string[], rest: Partial<ProgramCall> = {}): ProgramCall => ({
  args,
  env: { PATH: '/usr/bin:/bin' },
  limitMs: 10_000,
  maxStdoutBytes: 1_000,
  signal: new AbortController().signal,
  ...rest,
});

describe('runProgram', () => {
  it('hands arguments over as they are, and its own environment only', async () => {
    const result = await runProgram('printf', call(['%s', '$(id); "x"']));
    expect(result).toEqual({ exitCode: 0, stdout: '$(id); "x"', stderr: '' });
    const { stdout } = await runProgram('env', call([], { env: { PATH: '/usr/bin:/bin', A: '1' } }));
    expect(stdout.trim().split('\n').toSorted()).toEqual(['A=1', 'PATH=/usr/bin:/bin']);
  });

  it('tells how it ended', async () => {
    expect(await runProgram('sh', call(['-c', 'echo no >&2; exit 7']))).toEqual({
      exitCode: 7,
      stdout: '',
      stderr: 'no\n',
    });
    await expect(runProgram('no-such-program', call([]))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends what takes too long, even where it has left something behind that holds the pipe', async () => {
    const startedAt = Date.now();
    await expect(runProgram('sh', call(['-c', 'sleep 20 & sleep 20'], { limitMs: 200 }))).rejects.toThrow(
      'did not end within 0.2 s',
    );
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });

  it('ends what says too much', async () => {
    await expect(runProgram('yes', call([]))).rejects.toThrow('printed more than 1000 bytes');
  });

  it('ends with the signal', async () => {
    const signal = AbortSignal.timeout(100);
    await expect(runProgram('sleep', call(['20'], { signal }))).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

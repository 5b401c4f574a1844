import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What several measurements of one thing come to. Milliseconds. */
export type Sample = { readonly name: string; readonly runsMs: readonly number[] };

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('The median of nothing is asked for.');
  return (upper + lower) / 2;
}

/**
 * Runs the contenders in turn (A B C A B C …), so that a machine that slows down slows all of them, after one round
 * that isn't counted.
 */
export async function measureInTurn(
  contenders: readonly { readonly name: string; readonly run: () => Promise<number> }[],
  rounds: number,
): Promise<readonly Sample[]> {
  const runs = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, run } of contenders) {
      const tookMs = await run();
      if (round > 0) runs.get(name)?.push(tookMs);
    }
    process.stderr.write(`round ${round} of ${rounds}${round === 0 ? ' (not counted)' : ''}\n`);
  }
  return [...runs].map(([name, runsMs]) => ({ name, runsMs }));
}

/** A Markdown table of samples against the first of them. */
export function renderSamples(samples: readonly Sample[]): string {
  const [baseline] = samples;
  if (baseline === undefined) return '';
  const baselineMs = median(baseline.runsMs);
  const rows = samples.map(({ name, runsMs }) => {
    const middleMs = median(runsMs);
    const more = middleMs - baselineMs;
    return `| ${name} | ${Math.round(middleMs)} ms | ${Math.round(Math.min(...runsMs))}–${Math.round(Math.max(...runsMs))} ms | ${more === 0 ? '' : `${more > 0 ? '+' : ''}${Math.round(more)} ms`} | ${(middleMs / baselineMs).toFixed(2)} |`;
  });
  return [
    `| median of ${baseline.runsMs.length}, in turn | time | spread | over the first | ratio |`,
    '|---|---:|---:|---:|---:|',
    ...rows,
  ].join('\n');
}

/** Runs a program to its end. @returns Wall time in ms. @throws {Error} It ends with another status than expected. */
export async function timeProgram(
  program: string,
  args: readonly string[],
  {
    env,
    cwd,
    expectedStatus = 0,
  }: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string; readonly expectedStatus?: number },
): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [status] = await once(child, 'close');
  if (status !== expectedStatus) {
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${Buffer.concat(said).toString()}`);
  }
  return performance.now() - startedAt;
}

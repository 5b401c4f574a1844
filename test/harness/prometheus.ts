import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runScript } from './cluster.ts';

/** One value at one time. */
export interface Sample {
  /** Seconds since 1970, the unit of OpenMetrics. */
  readonly timeSeconds: number;
  /** NaN and the infinities are values too. */
  readonly value: number;
}

/** A series of a gauge: its name, its labels, and its samples from the oldest to the newest. */
export interface Series {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
}

/** How Prometheus is started. */
export interface PrometheusOptions {
  /**
   * What it knows already, up to this moment: series, or text in the format of OpenMetrics, which ends with the line
   * `# EOF`.
   */
  readonly history?: string | readonly Series[];
  /** More of its configuration file (YAML), such as `scrape_configs:`. */
  readonly configuration?: string;
}

/** A Prometheus of a test's own. */
export interface Prometheus extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
}

const RETENTION = '10y';
const START_LIMIT_MS = 60_000;
const run = promisify(execFile);

/**
 * Starts Debian's or Ubuntu's Prometheus over a folder of its own, with that history (a second for a few thousand
 * samples). `await using` ends it.
 *
 * @throws where the history is no OpenMetrics text, or the server doesn't get ready, with what it said
 */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const programs = await runScript('tools', ['prometheus']);
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const [configuration, data] = [join(folder, 'prometheus.yml'), join(folder, 'data')];
  try {
    await writeFile(configuration, `global: { scrape_interval: 1s }\n${options.configuration ?? ''}\n`);
    if (options.history !== undefined) {
      const text = typeof options.history === 'string' ? options.history : openMetrics(options.history);
      await writeFile(join(folder, 'history'), text);
      await run(join(programs, 'promtool'), [
        'tsdb',
        'create-blocks-from',
        'openmetrics',
        join(folder, 'history'),
        data,
      ]);
    }
    const { url, stop } = await serve(join(programs, 'prometheus'), configuration, data);
    return {
      url,
      async [Symbol.asyncDispose]() {
        await stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function serve(program: string, configuration: string, data: string) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // However this process ends, the server ends with it.
  const child = spawn(
    '/usr/bin/setpriv',
    [
      '--pdeathsig=KILL',
      program,
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${data}`,
      `--storage.tsdb.retention.time=${RETENTION}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'close');
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-4000);
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const limit = Date.now() + START_LIMIT_MS;
  while (!(await answersReady(url))) {
    if (child.exitCode !== null || Date.now() > limit) {
      await stop();
      throw new Error(`Prometheus did not get ready: ${complaint}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url, stop };
}

async function answersReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`)).ok;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Writes series as OpenMetrics text, which wants the series of one name together. */
function openMetrics(series: readonly Series[]): string {
  const lines: string[] = [];
  for (const [name, same] of Map.groupBy(series, (one) => one.name)) {
    lines.push(`# TYPE ${name} gauge`);
    for (const { labels = {}, samples } of same ?? []) {
      const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      for (const { timeSeconds, value } of samples)
        lines.push(`${name}{${pairs.join(',')}} ${openMetricsValue(value)} ${timeSeconds}`);
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

function openMetricsValue(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

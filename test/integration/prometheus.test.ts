import { describe, expect, test } from 'vitest';
import { type Prometheus, type Series, startPrometheus } from '../harness/prometheus.ts';

const HOUR = 3600;
// A whole minute, a day ago.
const start = Math.floor(Date.now() / 60_000) * 60 - 24 * HOUR;

/** Asks the HTTP API of Prometheus and returns its `data`. */
async function ask(prometheus: Prometheus, path: string, query: Record<string, string>): Promise<unknown> {
  const answer = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(query)}`);
  return ((await answer.json()) as { data: unknown }).data;
}

describe('a Prometheus with a history', () => {
  test('answers a range query over back-filled series with every sample', async () => {
    const history: Series[] = [
      {
        name: 'gpu_utilization_ratio',
        labels: { node: 'sophia-ai-core', note: 'a "quoted"\\ one' },
        samples: [0.5, 0.75, Number.NaN, Number.POSITIVE_INFINITY].map((value, index) => ({
          timeSeconds: start + 60 * index,
          value,
        })),
      },
      {
        name: 'gpu_utilization_ratio',
        labels: { node: 'sophia-data-pipeline' },
        samples: [{ timeSeconds: start, value: 1 }],
      },
    ];
    await using prometheus = await startPrometheus({ history });

    const data = await ask(prometheus, 'query_range', {
      query: 'gpu_utilization_ratio{node="sophia-ai-core"}',
      start: String(start),
      end: String(start + 180),
      step: '60',
    });

    expect(data).toEqual({
      resultType: 'matrix',
      result: [
        {
          metric: {
            __name__: 'gpu_utilization_ratio',
            node: 'sophia-ai-core',
            note: 'a "quoted"\\ one',
          },
          values: [
            [start, '0.5'],
            [start + 60, '0.75'],
            [start + 120, 'NaN'],
            [start + 180, '+Inf'],
          ],
        },
      ],
    });
  });

  test('keeps a day of minutes given as OpenMetrics text, as its own functions see it', async () => {
    const lines = Array.from(
      { length: 1440 },
      (_, index) => `up_probe ${index} ${start - 60 * index}`,
    ).reverse();
    await using prometheus = await startPrometheus({
      history: `# TYPE up_probe gauge\n${lines.join('\n')}\n# EOF\n`,
    });

    const data = await ask(prometheus, 'query', {
      query: 'count_over_time(up_probe[25h]) or vector(0)',
      time: String(start),
    });

    expect(data).toEqual({ resultType: 'vector', result: [{ metric: {}, value: [start, '1440'] }] });
  });

  test('has what happened a minute ago, and the configuration that it was given', async () => {
    const timeSeconds = Math.floor(Date.now() / 1000) - 60;
    await using prometheus = await startPrometheus({
      history: [{ name: 'fresh', samples: [{ timeSeconds, value: 2.5 }] }],
      configuration:
        'scrape_configs: [{ job_name: exporter, static_configs: [{ targets: ["localhost:1"] }] }]',
    });

    expect(await ask(prometheus, 'query', { query: 'timestamp(fresh)' })).toMatchObject({
      result: [{ value: [expect.any(Number), String(timeSeconds)] }],
    });
    expect(await ask(prometheus, 'status/config', {})).toEqual({
      yaml: expect.stringContaining('job_name: exporter'),
    });
  });

  test('starts empty without one', async () => {
    await using prometheus = await startPrometheus();

    expect(await ask(prometheus, 'query', { query: 'absent(anything)' })).toMatchObject({
      result: [{ metric: {} }],
    });
  });

  test('refuses a history that is no OpenMetrics text, with promtool’s reason', async () => {
    await expect(startPrometheus({ history: 'not a metric at all\n' })).rejects.toThrow(/promtool/);
  });
});

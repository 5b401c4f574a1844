import { replay } from '@sophia/phases';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLocalServer } from '../harness/local-server.ts';
import { type Prometheus, type Series, startPrometheus } from '../harness/prometheus.ts';
import { createWorkspace } from './build-step.ts';
import { phaseText, readEvidence, runPhaseStep } from './phase-step.ts';

const MINUTES = 1440;
const HOSTILE =
  '</td><img src=x>::error::forged\n::set-output name=result::pass @everyone [a](https://evil.example) | `x`';

/** Reproducible noise in [-1, 1). */
function createNoise(): () => number {
  let state = 42;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 30 - 1;
  };
}

/** A day of minutes up to now around a mean, for each of some GPUs. */
function utilization(name: string, mean: number, gpus: readonly string[]): readonly Series[] {
  const noise = createNoise();
  const nowSeconds = Math.floor(Date.now() / 60_000) * 60;
  return gpus.map((gpu) => ({
    name,
    labels: { UUID: gpu },
    samples: Array.from({ length: MINUTES + 10 }, (_, index) => ({
      timeSeconds: nowSeconds - (MINUTES + 9 - index) * 60,
      value: mean + 0.05 * noise(),
    })),
  }));
}

const rangeMetric = (name: string, series: string, rest = '') =>
  `{ name: ${name}, provider: { prometheus: { dataSource: prom, query: '${series}', rangeQuery: { duration: 1d, step: 60s } } }, series: { aggregate: mean, by: UUID }, statistic: { estimator: mean, confidence: 0.95 }, target: { op: ">=", value: 0.80, unit: ratio }${rest} }`;
const instantMetric = (name: string, query: string) =>
  `{ name: ${name}, provider: { prometheus: { dataSource: prom, query: '${query}' } }, target: { op: "==", value: 1, unit: ratio } }`;
const PROM = '{ name: prom, kind: prometheus, address: "http://127.0.0.1:9", timeout: 5s, retries: 0 }';

let prometheus: Prometheus;
beforeAll(async () => {
  prometheus = await startPrometheus({
    history: [
      ...utilization('gpu_good', 0.9, ['GPU-1', 'GPU-2']),
      ...utilization('gpu_bad', 0.5, ['GPU-1', 'GPU-2']),
      ...utilization('gpu_hostile', 0.9, [HOSTILE]),
    ],
  });
});
afterAll(() => prometheus[Symbol.asyncDispose]());

const at = (url: string) => ({ 'data-sources': `prom=${url}` });

describe('a phase on Prometheus', () => {
  it('is judged metric by metric: one holds, one does not, of one nothing is known', async () => {
    await using workspace = await createWorkspace({
      'phases/phase-1.yml': phaseText({
        sources: [PROM],
        metrics: [
          rangeMetric('good', 'gpu_good'),
          rangeMetric('bad', 'gpu_bad'),
          rangeMetric('gone', 'gpu_none'),
        ],
      }),
    });
    await using run = await runPhaseStep({ workspace, inputs: at(prometheus.url) });

    expect(run.outputs).toMatchObject({
      result: 'fail',
      'failed-metrics': 'bad',
      'inconclusive-metrics': 'gone',
    });
    const evidence = await readEvidence(run);
    const [good, bad, gone] = evidence.metrics;
    expect(good).toMatchObject({ verdict: { kind: 'pass' }, value: expect.closeTo(0.9, 2) });
    expect(good?.lower).toBeGreaterThan(0.85);
    expect(good?.coverage).toBeGreaterThan(0.99);
    expect(bad).toMatchObject({ verdict: { kind: 'fail' }, value: expect.closeTo(0.5, 2) });
    expect(gone?.verdict).toMatchObject({ kind: 'inconclusive', reason: 'missing' });
    expect(evidence.sources).toEqual([{ name: 'prom', kind: 'prometheus', asked: prometheus.url }]);
    expect(replay(evidence)).toMatchObject({ kind: 'replayed', isSame: true });
    expect(run.exitCode).toBe(1);
  });

  it('passes where all that is asked holds', async () => {
    await using workspace = await createWorkspace({
      'phases/phase-1.yml': phaseText({ sources: [PROM], metrics: [rangeMetric('good', 'gpu_good')] }),
    });
    await using run = await runPhaseStep({ workspace, inputs: at(prometheus.url) });

    expect(run.annotations).toEqual([]);
    expect(run).toMatchObject({ exitCode: 0, outputs: { result: 'pass' }, processesLeft: [] });
  });

  it('shows labels and messages of others as plain text', async () => {
    await using workspace = await createWorkspace({
      'phases/phase-1.yml': phaseText({
        sources: [PROM],
        metrics: [
          rangeMetric('hostile', 'gpu_hostile').replace('by: UUID', 'by: none'),
          // The name of the label is in the message of the first; the query of this one in the summary.
          instantMetric(
            'odd',
            `max(gpu_hostile{UUID!="</td><img src=x> @everyone [a](https://evil.example)"})`,
          ),
        ],
      }),
    });
    await using run = await runPhaseStep({ workspace, inputs: at(prometheus.url) });

    expect(run.outputs['result']).not.toBe('pass');
    const bare = run.summary.replaceAll(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
    expect(bare).not.toMatch(/<img|<\/td>|\]\(http|@everyone|^::/m);
    expect(run.annotations.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Phase phase-1 (?:fails|is inconclusive): /),
    ]);
  });
});

describe('a source that fails', () => {
  const files = {
    'phases/phase-1.yml': phaseText({ sources: [PROM], metrics: [instantMetric('up', 'min(up)')] }),
  };
  const reasonOf = async (answer: Parameters<typeof startLocalServer>[0], path = '') => {
    await using server = await startLocalServer(answer);
    await using workspace = await createWorkspace(files);
    await using run = await runPhaseStep({ workspace, inputs: at(`http://${server.host}${path}`) });
    expect(run).toMatchObject({ exitCode: 1, outputs: { result: 'inconclusive' } });
    const [metric] = (await readEvidence(run)).metrics;
    return metric?.verdict.kind === 'inconclusive' ? metric.verdict.reason : metric?.verdict.kind;
  };

  it('makes its metrics inconclusive where nobody listens', async () => {
    await using workspace = await createWorkspace(files);
    await using run = await runPhaseStep({ workspace });

    expect(run).toMatchObject({ exitCode: 1, outputs: { result: 'inconclusive', 'failed-metrics': '' } });
    expect((await readEvidence(run)).metrics[0]?.verdict).toMatchObject({ reason: 'provider-error' });
  });

  const json = { 'content-type': 'application/json' };
  it.each([
    ['has an error', { status: 500, body: 'oops' }, 'provider-error'],
    ['limits the rate', { status: 429, headers: { 'retry-after': '3600' }, body: '' }, 'rate-limited'],
    [
      'sends a login page',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' },
      'not-data',
    ],
    ['leads elsewhere', { status: 302, headers: { location: 'https://login.example' } }, 'redirect'],
    ['hangs', 'hang' as const, 'timeout'],
    [
      'says it failed',
      { status: 200, headers: json, body: '{"status":"error","errorType":"execution","error":"x"}' },
      'provider-error',
    ],
  ])('makes its metrics inconclusive where it %s', async (_, answer, reason) => {
    expect(await reasonOf(() => answer)).toBe(reason);
  });

  it('is given its token, which nobody else sees', async () => {
    await using server = await startLocalServer(() => ({
      status: 403,
      body: 'token hunter2-hunter2 is not known',
    }));
    await using workspace = await createWorkspace(files);
    await using run = await runPhaseStep({
      workspace,
      inputs: at(`http://${server.host}`),
      env: { SOPHIA_TOKEN_PROM: 'hunter2-hunter2' },
    });

    expect(server.requests[0]?.headers.authorization).toBe('Bearer hunter2-hunter2');
    expect(run.masks).toContain('hunter2-hunter2');
    for (const text of [
      run.rawLog.replaceAll(/^::add-mask::.*$/gm, ''),
      run.summary,
      JSON.stringify(await readEvidence(run)),
    ]) {
      expect(text).not.toContain('hunter2');
    }
  });

  it('is let go of by SIGTERM: no verdict, no pass, nothing left', async () => {
    await using server = await startLocalServer(() => 'hang');
    await using workspace = await createWorkspace({
      'phases/phase-1.yml': files['phases/phase-1.yml'].replace('timeout: 5s', 'timeout: 5m'),
    });
    const interrupted = { ms: 1500, send: 'SIGTERM' } as const;
    await using run = await runPhaseStep({
      workspace,
      inputs: at(`http://${server.host}`),
      signalAfter: interrupted,
    });

    expect(server.requests.length).toBeGreaterThan(0);
    expect(run).toMatchObject({
      conclusion: 'failure',
      exitCode: 143,
      outputs: {},
      summary: '',
      processesLeft: [],
    });
    expect(run.annotations).toEqual([{ level: 'error', message: 'The run was canceled by SIGTERM.' }]);
    expect(run.durationMs).toBeLessThan(10_000);
  });
});

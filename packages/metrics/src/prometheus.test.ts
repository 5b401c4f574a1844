import { describe, expect, it } from 'vitest';
import {
  type LocalAnswer,
  type LocalServer,
  type ReceivedRequest,
  startLocalServer,
} from '../../../test/harness/local-server.ts';
import { createPrometheus, type PrometheusOptions, type PrometheusQuestion } from './prometheus.ts';

/* What a real Prometheus answers is in test/integration/evidence-defects.test.ts; here is what it is asked, and how. */

const now = Date.UTC(2026, 11, 16, 12, 0, 30);
const signal = new AbortController().signal;
const UP: PrometheusQuestion = { kind: 'query', query: 'up{job="a"}' };

const parametersOf = ({ path, body, method }: ReceivedRequest) =>
  Object.fromEntries(method === 'POST' ? new URLSearchParams(body) : new URL(path, 'http://a').searchParams);

const answerWith = (resultType: string, result: unknown): LocalAnswer => ({
  status: 200,
  body: JSON.stringify({ status: 'success', data: { resultType, result } }),
});

/** Answers each query with 1, and that all it rests on is new and whole. */
function answerWell(request: ReceivedRequest): LocalAnswer {
  const { query = '', start, end, step } = parametersOf(request);
  if (query === 'time()') return answerWith('scalar', [Date.now() / 1000, String(Date.now() / 1000)]);
  if (query.includes('sophia_figure')) {
    const figures = [...query.matchAll(/"((?:newest|moments)-\d+)"/g)].map(([, figure = '']) => ({
      metric: { sophia_figure: figure },
      value: [now / 1000, figure.startsWith('newest') ? String(now / 1000) : '500'],
    }));
    return answerWith('vector', figures);
  }
  if (step === undefined) return answerWith('vector', [{ metric: {}, value: [now / 1000, '1'] }]);
  const values: [number, string][] = [];
  for (let time = Number(start); time <= Number(end); time += Number(step)) values.push([time, '1']);
  return answerWith('matrix', [{ metric: { job: 'a' }, values }]);
}

/** Answers with each of a list in turn, then well. */
function first(...answers: readonly LocalAnswer[]): (request: ReceivedRequest) => LocalAnswer {
  const left = [...answers];
  return (request) => left.shift() ?? answerWell(request);
}

function connect({ host }: LocalServer, options: Partial<PrometheusOptions> = {}) {
  const waitsMs: number[] = [];
  const lines: string[] = [];
  const prometheus = createPrometheus({
    address: `http://${host}/prometheus/`,
    timeoutMs: 5000,
    retries: 3,
    log: (line) => lines.push(line),
    sleep: async (durationMs) => {
      waitsMs.push(durationMs);
    },
    random: () => 1,
    ...options,
  });
  return {
    observe: (question: PrometheusQuestion) => prometheus.observe(question, now, signal),
    waitsMs,
    lines,
  };
}

describe('what Prometheus is asked', () => {
  it('is the query at the moment, the clock, and the age of each selector’s data', async () => {
    await using server = await startLocalServer(answerWell);
    const query = 'sum by (job) (rate(a{b="c"}[1h])) / on (job) d offset 1d';

    const observation = await connect(server).observe({ kind: 'query', query });

    const time = '1797422430';
    expect(server.requests.map(({ path }) => new URL(path, 'http://a').pathname)).toEqual(
      Array(3).fill('/prometheus/api/v1/query'),
    );
    expect(server.requests.map(parametersOf)).toEqual([
      { query, time },
      { query: 'time()' },
      {
        time,
        query: [
          'label_replace(max by () (timestamp(a{b="c"} )) or max by () (max_over_time(timestamp(a{b="c"})[3600000ms:60000ms] )), "sophia_figure", "newest-0", "", "")',
          'label_replace(count_over_time(max by () (timestamp(a{b="c"}))[3600000ms:60000ms] ), "sophia_figure", "moments-0", "", "")',
          'label_replace(max by () (timestamp(d offset 1d)), "sophia_figure", "newest-1", "", "")',
        ].join(' or '),
      },
    ]);
    expect(observation).toMatchObject({
      kind: 'series',
      observedAtMs: now,
      series: [
        { samples: [{ timestampMs: now, value: 1 }], newestMs: now, fromMs: now - 3_600_000, coverage: 1 },
      ],
    });
  });

  it('is whole minutes of a range, and no more of them at once than it answers', async () => {
    await using server = await startLocalServer(answerWell);
    const question = { kind: 'range', query: 'up', durationMs: 25_000 * 1000, stepMs: 1000 } as const;

    const observation = await connect(server).observe(question);

    const ranges = server.requests.map(parametersOf).filter(({ step }) => step !== undefined);
    const spans = ranges
      .map(({ start, end }) => [Number(start), Number(end)])
      .sort(([a = 0], [b = 0]) => a - b);
    const endSeconds = Math.floor(now / 1000);
    expect(spans).toEqual([
      [endSeconds - 25_000, endSeconds - 15_000],
      [endSeconds - 14_999, endSeconds - 4999],
      [endSeconds - 4998, endSeconds],
    ]);
    const series = observation.kind === 'series' ? observation.series : [];
    expect(series.map(({ labels, samples }) => [labels, samples.length])).toEqual([[{ job: 'a' }, 25_001]]);
    expect(
      series[0]?.samples.every(
        ({ timestampMs }, index) => timestampMs === (endSeconds - 25_000 + index) * 1000,
      ),
    ).toBe(true);

    const minutes = { kind: 'range', query: 'up', durationMs: 3_600_000, stepMs: 60_000 } as const;
    const aligned = await connect(server).observe(minutes);
    expect(aligned.kind === 'series' && aligned.series[0]?.samples.at(-1)?.timestampMs).toBe(now - 30_000);
  });

  it('is all of a ratio for one moment, the clock once', async () => {
    await using server = await startLocalServer(answerWell);
    await connect(server).observe({
      kind: 'ratio',
      part: 'bad',
      partQuery: 'bad',
      totalQuery: 'total',
      proofQuery: 'up',
    });
    const asked = server.requests.map(parametersOf);
    expect(asked.filter(({ query }) => query === 'time()')).toHaveLength(1);
    expect(asked.map(({ query }) => query)).toEqual(expect.arrayContaining(['bad', 'total', 'up']));
    expect(new Set(asked.flatMap(({ query, time }) => (query === 'time()' ? [] : [time])))).toEqual(
      new Set(['1797422430']),
    );
  });

  it('is at most twenty queries at a time', async () => {
    let running = 0;
    let most = 0;
    await using server = await startLocalServer(async (request) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
      return answerWell(request);
    });
    const { observe } = connect(server);
    const all = await Promise.all(Array.from({ length: 50 }, () => observe(UP)));
    expect(all.every(({ kind }) => kind === 'series')).toBe(true);
    expect(most).toBe(20);
  });

  it('is in the body where it is long', async () => {
    await using server = await startLocalServer(answerWell);
    const query = `up{job=~"${'a|'.repeat(4000)}"}`;
    expect(await connect(server).observe({ kind: 'query', query })).toMatchObject({ kind: 'series' });
    expect(server.requests.map(({ method }) => method).sort()).toEqual(['GET', 'POST', 'POST']);
  });

  it('keeps what the address asks for besides', async () => {
    await using server = await startLocalServer(answerWell);
    await connect(server, { address: `http://${server.host}/?tenant=a` }).observe(UP);
    expect(server.requests[0]?.path).toMatch(/^\/api\/v1\/query\?tenant=a&query=up/);
  });
});

describe('retries', () => {
  it.each([
    ['a 503', [{ status: 503 }], [500]],
    ['three failures', [{ status: 500 }, 'drop', { status: 502 }], [500, 1000, 2000]],
    ['a 429 that asks for 7 s', [{ status: 429, headers: { 'retry-after': '7' } }], [7000]],
  ] satisfies [string, LocalAnswer[], number[]][])('gets over %s', async (_, answers, waits) => {
    await using server = await startLocalServer(first(...answers));
    const { observe, waitsMs, lines } = connect(server);
    expect(await observe(UP)).toMatchObject({ kind: 'series' });
    expect(waitsMs).toEqual(waits);
    expect(lines).toHaveLength(waits.length);
  });

  it.each([
    ['400', { status: 400 }],
    ['401', { status: 401 }],
    ['422', { status: 422 }],
    ['a redirect', { status: 307, headers: { location: 'http://elsewhere.example/login?token=a' } }],
    ['a 429 for an hour', { status: 429, headers: { 'retry-after': '3600' } }],
    ['a web page', { status: 200, body: '<html>' }],
  ] satisfies [string, LocalAnswer][])('does not ask again after %s', async (_, answer) => {
    await using server = await startLocalServer(() => answer);
    const { observe, waitsMs } = connect(server);
    expect(await observe(UP)).toMatchObject({ kind: 'absent' });
    expect([server.requests.length, waitsMs]).toEqual([1, []]);
  });

  it('waits some part of a time that grows, and no longer than 8 s', async () => {
    await using server = await startLocalServer(() => ({ status: 503 }));
    const { observe, waitsMs } = connect(server, { retries: 7, random: () => 0.5 });
    await observe(UP);
    expect(waitsMs).toEqual([250, 500, 1000, 2000, 4000, 4000, 4000]);
  });

  it('asks once more after silence, not for ever', async () => {
    await using server = await startLocalServer(() => 'hang');
    const { observe } = connect(server, { timeoutMs: 60, retries: 10 });
    expect(await observe(UP)).toEqual({
      kind: 'absent',
      reason: 'timeout',
      message: `Prometheus at ${server.host} did not answer within 0.06 s. Raise "timeout", or ask for less.`,
    });
    expect(server.requests).toHaveLength(2);
  });

  it('rejects with the signal’s own reason, and for nothing else', async () => {
    await using server = await startLocalServer(() => 'hang');
    const controller = new AbortController();
    const reason = new Error('stopped');
    const prometheus = createPrometheus({
      address: `http://${server.host}`,
      timeoutMs: 60_000,
      retries: 3,
      log: () => undefined,
    });
    const observing = prometheus.observe(UP, now, controller.signal);
    setTimeout(() => controller.abort(reason), 50);
    await expect(observing).rejects.toBe(reason);
  });
});

describe('messages', () => {
  it.each([
    [
      'Prometheus’ own words',
      { status: 400, body: '{"status":"error","errorType":"bad_data","error":"1:4: parse error: unclosed"}' },
      'answered 400: 1:4: parse error: unclosed.',
    ],
    [
      'where it redirects to',
      { status: 302, headers: { location: 'https://u:p@sso.example/?t=1' } },
      'redirects to sso.example: expected an answer. Name the address that answers itself.',
    ],
    [
      'a web page',
      { status: 200, body: '<html>' },
      'answered with a web page: expected JSON. Check the address.',
    ],
    [
      'control characters',
      { status: 500, body: '{"error":"a\\u001b[2J\\n::error::b"}' },
      'answered 500: a [2J ::error::b.',
    ],
  ] satisfies [string, LocalAnswer, string][])('tell %s', async (_, answer, words) => {
    await using server = await startLocalServer(() => answer);
    expect(await connect(server, { retries: 0 }).observe(UP)).toMatchObject({
      message: `Prometheus at ${server.host} ${words}`,
    });
  });

  it('are short, whatever the server says', async () => {
    const error = 'x'.repeat(60_000);
    await using server = await startLocalServer(() => ({ status: 422, body: JSON.stringify({ error }) }));
    const observation = await connect(server).observe(UP);
    expect(observation.kind === 'absent' && observation.message.length).toBeLessThanOrEqual(200);
  });

  it('hold none of the headers’ secrets, though the server says them', async () => {
    await using server = await startLocalServer(({ headers }) => ({
      status: 503,
      body: JSON.stringify({ error: `no ${headers.authorization} and ${headers['x-key']}` }),
    }));
    const headers = { authorization: 'Bearer secret-token\n', 'x-key': 'secret-key' };
    const { observe, lines } = connect(server, { headers });
    const observation = await observe(UP);
    expect(server.requests[0]?.headers).toMatchObject({ authorization: 'Bearer secret-token' });
    expect(JSON.stringify([observation, lines])).not.toMatch(/secret/);
  });

  it('hold none of them where the answer itself has them', async () => {
    const body = (headers: ReceivedRequest['headers'], fields: object) =>
      JSON.stringify({
        ...fields,
        warnings: [`to ${headers.authorization}`],
        infos: [`by ${headers.authorization}`],
      });
    const data = { resultType: 'vector', result: [{ metric: {}, value: [now / 1000, '1'] }] };
    const headers = { authorization: 'Bearer secret-token' };
    await using warning = await startLocalServer(({ headers: sent }) => ({
      status: 200,
      body: body(sent, { status: 'success', data }),
    }));
    const warned = connect(warning, { headers });
    expect(await warned.observe(UP)).toMatchObject({ warnings: ['to ***'] });
    expect(warned.lines).toEqual([`Prometheus at ${warning.host}: by ***`]);
    await using failing = await startLocalServer(({ headers: sent }) => ({
      status: 200,
      body: JSON.stringify({ status: 'error', errorType: 'bad_data', error: `no ${sent.authorization}` }),
    }));
    expect(await connect(failing, { headers }).observe(UP)).toMatchObject({
      message: `Prometheus at ${failing.host} answered "bad_data": no ***.`,
    });
  });

  it('hold no half of a long one', async () => {
    const authorization = `Bearer ${'secret-'.repeat(200)}`;
    const error = `I do not know ${authorization}`;
    for (const [status, body] of [
      [403, { error }],
      [200, { status: 'error', error }],
    ] as const) {
      await using server = await startLocalServer(() => ({ status, body: JSON.stringify(body) }));
      const observation = await connect(server, { headers: { authorization } }).observe(UP);
      expect(JSON.stringify(observation)).toMatch(/I do not know \*\*\*/);
    }
  });

  it('hold none of the address’ secrets, which are sent as a login', async () => {
    await using server = await startLocalServer(({ headers }) => ({
      status: 401,
      body: JSON.stringify({ error: `bad ${headers.authorization}: pass%word` }),
    }));
    const address = `http://user:pass%25word@${server.host}/?key=secret`;
    const { observe, lines } = connect(server, { address });
    const observation = await observe(UP);
    const login = Buffer.from('user:pass%word').toString('base64');
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${login}`);
    expect(JSON.stringify([observation, lines])).not.toMatch(new RegExp(`word|secret|${login}`));
  });

  it('do not show a header that can’t be sent', async () => {
    await using server = await startLocalServer(answerWell);
    const { observe } = connect(server, { headers: { authorization: 'Bearer secret\ntoken' } });
    expect(await observe(UP)).toEqual({
      kind: 'absent',
      reason: 'provider-error',
      message: `Prometheus at ${server.host} can’t be asked: the header "authorization" has a character that no header holds. Correct it.`,
    });
    expect(server.requests).toEqual([]);
  });
});

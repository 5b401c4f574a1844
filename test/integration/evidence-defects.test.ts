import { createPrometheus, type PrometheusQuestion } from '@sophia/metrics';
import { judgePhase, type Phase, parsePhaseFile } from '@sophia/phases';
import type { Observation } from '@sophia/records';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAnswer, type ReceivedRequest, startLocalServer } from '../harness/local-server.ts';
import { type Prometheus, type Series, startPrometheus } from '../harness/prometheus.ts';

/*
 * Evidence with a defect never passes: each defect, of the data of a real Prometheus or done by a server before it,
 * with each kind of criterion that Prometheus feeds. Each is judged against targets that any number meets as well, so
 * that a comparison with what the defect leaves behind would pass.
 */

const HOUR = 3_600_000;
const MINUTE = 60_000;
const DAY = 24 * HOUR;
/** Half a day is asked about, and Prometheus looks a bit further back. */
const MINUTES = 740;
const now = Math.floor(Date.now() / 1000) * 1000;
const signal = new AbortController().signal;

const KINDS = ['instant', 'mean', 'ratio', 'percentile'] as const;
type Kind = (typeof KINDS)[number];

/** The queries of a phase file with a metric of each kind. */
type Queries = {
  readonly instant: string;
  /** Of the mean and of the percentile. */
  readonly gauge: string;
  readonly part: string;
  readonly total: string;
};

/** Queries for the series of a case; `after` stands behind each range. */
const queriesFor = (name: string, after = ''): Queries => ({
  instant: `avg_over_time(util{case="${name}"}[12h]${after})`,
  gauge: `util{case="${name}"}${after}`,
  part: `increase(failed_total{case="${name}"}[12h]${after})`,
  total: `increase(asked_total{case="${name}"}[12h]${after})`,
});

function toPhase(
  { instant, gauge, part, total }: Queries,
  { step = '60s', proof = '', by = '' } = {},
): Phase {
  const absentMeansZero =
    proof === '' ? '' : `absentMeansZero: { for: bad, provenBy: 'min_over_time(${proof}[12h])' }`;
  const series = by === '' ? '' : `series: { aggregate: mean, by: ${by} }`;
  const range = `{ prometheus: { dataSource: prom, query: '${gauge}', rangeQuery: { duration: 12h, step: ${step} } } }`;
  const parsed = parsePhaseFile(`
apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: defects }
spec:
  window: { start: "${new Date(now - 2 * DAY).toISOString()}", duration: 1h }
  evidence: { maxAge: 1h, maxClockSkew: 30s }
  dataSources: [{ name: prom, kind: prometheus, address: "http://localhost:9090" }]
  metrics:
    - name: instant
      provider: { prometheus: { dataSource: prom, query: '${instant}' } }
      target: { op: ">=", value: 0.8, unit: ratio }
      ${series}
    - name: mean
      provider: ${range}
      statistic: { estimator: mean, method: block-bootstrap, confidence: 0.95 }
      target: { op: ">=", value: 0.8, unit: ratio }
      ${series}
    - name: ratio
      dataSource: prom
      indicator: { ratioMetric: { bad: '${part}', total: '${total}' } }
      target: { op: "<=", value: 0.001, unit: ratio }
      minSamples: 2995
      ${absentMeansZero}
    - name: percentile
      provider: ${range}
      statistic: { estimator: p10, method: order-statistics, confidence: 0.95 }
      target: { op: ">=", value: 0.8, unit: ratio }
      ${series}
  decision: { require: all, onInconclusive: block }
`);
  if (parsed.kind === 'problems') throw new Error(JSON.stringify(parsed.problems));
  return parsed.phase;
}

type Shape = {
  /** What is there of a minute, counted back from now; undefined for nothing. */
  readonly at?: (minutesAgo: number, value: number) => number | undefined;
  readonly mean?: number;
  readonly failsEveryMinutes?: number;
  readonly perMinute?: number;
  readonly labels?: Readonly<Record<string, string>>;
};

/** A gauge with a wave of half an hour, two counters, and whether the target was up. */
function seriesOf(name: string, shape: Shape = {}): readonly Series[] {
  const { at = (_, value) => value, mean = 0.9, failsEveryMinutes = Infinity, perMinute = 10 } = shape;
  const labels = { case: name, ...shape.labels };
  const samplesOf = (value: (minute: number) => number) =>
    Array.from({ length: MINUTES }, (_, minute) => {
      const minutesAgo = MINUTES - 1 - minute;
      return { timeSeconds: now / 1000 - minutesAgo * 60, value: at(minutesAgo, value(minute)) };
    }).flatMap(({ timeSeconds, value: given }) =>
      given === undefined ? [] : [{ timeSeconds, value: given }],
    );
  return [
    { name: 'util', labels, samples: samplesOf((minute) => mean + 0.02 * Math.sin(minute / 5)) },
    { name: 'failed_total', labels, samples: samplesOf((minute) => Math.floor(minute / failsEveryMinutes)) },
    { name: 'asked_total', labels, samples: samplesOf((minute) => minute * perMinute) },
    { name: 'up', labels, samples: samplesOf(() => 1) },
  ];
}

/** Another value for the newest half hour. */
const lately = (value: number) => ({
  at: (minutesAgo: number, usual: number) => (minutesAgo < 30 ? value : usual),
});
/** Only the minutes that are meant. */
const only = (isThere: (minutesAgo: number) => boolean) => ({
  at: (minutesAgo: number, value: number) => (isThere(minutesAgo) ? value : undefined),
});

const history: readonly Series[] = [
  ...seriesOf('good'),
  ...seriesOf('bad', { mean: 0.7, failsEveryMinutes: 10 }),
  ...seriesOf('nan', lately(Number.NaN)),
  ...seriesOf('plus-infinity', lately(Number.POSITIVE_INFINITY)),
  ...seriesOf('minus-infinity', lately(Number.NEGATIVE_INFINITY)),
  ...seriesOf(
    'ended',
    only((minutesAgo) => minutesAgo >= 120),
  ),
  ...seriesOf(
    'begun',
    only((minutesAgo) => minutesAgo <= 120),
  ),
  ...seriesOf(
    'flapping',
    only((minutesAgo) => minutesAgo % 60 < 30),
  ),
  ...seriesOf(
    'interrupted',
    only((minutesAgo) => minutesAgo < 200 || minutesAgo > 270),
  ),
  ...seriesOf('several', { labels: { pod: 'a' } }),
  ...seriesOf('several', { labels: { pod: 'b' } }),
  ...seriesOf('half-ended', { labels: { pod: 'a' } }),
  ...seriesOf('half-ended', { labels: { pod: 'b' }, ...only((minutesAgo) => minutesAgo >= 120) }),
  ...seriesOf('percent', { mean: 90, failsEveryMinutes: 0.05 }),
  ...seriesOf('rare', { perMinute: 2 }),
  ...seriesOf('down', { at: (minutesAgo, value) => (minutesAgo === 400 ? 0 : value) }),
];

let prometheus: Prometheus;
beforeAll(async () => {
  prometheus = await startPrometheus({ history });
});
afterAll(async () => {
  await prometheus[Symbol.asyncDispose]();
});

type Access = { readonly address?: string; readonly timeoutMs?: number; readonly maxBytes?: number };

async function observe(phase: Phase, kind: Kind, access: Access = {}): Promise<Observation> {
  const source = createPrometheus({
    address: prometheus.url,
    timeoutMs: 60_000,
    retries: 1,
    log: () => undefined,
    sleep: async () => undefined,
    ...access,
  });
  const question = phase.criteria.find(({ name }) => name === kind)?.question;
  return source.observe(question as PrometheusQuestion, now, signal);
}

function judge(phase: Phase, kind: Kind, observation: Observation) {
  const input = { nowMs: now, observations: { [kind]: observation }, dependencies: {} };
  return judgePhase(phase, input).metrics.find(({ name }) => name === kind)?.verdict;
}

const OPEN_TARGETS = [
  { operator: '>=', value: -1e300 },
  { operator: '<=', value: 1e300 },
  { operator: '!=', value: 0.123 },
] as const;

/** The phase with targets that any number meets, with the confidence of the file and without. */
function opened(phase: Phase): readonly Phase[] {
  return OPEN_TARGETS.flatMap((target) =>
    [true, false].map((isSure) => ({
      ...phase,
      criteria: phase.criteria.map((criterion) => ({
        ...criterion,
        confidence: isSure ? criterion.confidence : undefined,
        target: { ...criterion.target, ...target },
      })),
    })),
  );
}

/** Expects the evidence to decide nothing, by the file's target and by any. */
async function expectNothingDecided(phase: Phase, kind: Kind, reason: string, access?: Access) {
  const observation = await observe(phase, kind, access);
  expect(judge(phase, kind, observation)).toEqual({
    kind: 'inconclusive',
    reason,
    message: expect.stringMatching(/^.{10,300}$/),
  });
  for (const open of opened(phase)) expect(judge(open, kind, observation)?.kind).toBe('inconclusive');
}

type Reasons = string | Readonly<Partial<Record<Kind, string>>>;
type Row<T> = readonly [name: string, reasons: Reasons, spoilt: T];

/** Each defect with each kind of criterion that it is named a reason for. */
function cellsOf<T>(rows: readonly Row<T>[]) {
  return rows.flatMap(([name, reasons, spoilt]) =>
    KINDS.flatMap((kind) => {
      const reason = typeof reasons === 'string' ? reasons : reasons[kind];
      return reason === undefined ? [] : [{ name, kind, reason, spoilt }];
    }),
  );
}

describe('evidence without a defect', () => {
  const [good, bad] = [toPhase(queriesFor('good')), toPhase(queriesFor('bad'))];

  it.each(KINDS)('passes and fails as it should: %s', async (kind) => {
    const passing = await observe(good, kind);
    expect(judge(good, kind, passing)).toEqual({ kind: 'pass' });
    expect(judge(bad, kind, await observe(bad, kind))).toMatchObject({ kind: 'fail' });
    for (const open of opened(good)) expect(judge(open, kind, passing)?.kind).not.toBe('fail');
  });

  it.each(['instant', 'mean', 'percentile'] as const)(
    'passes where several series become one: %s',
    async (kind) => {
      const phase = toPhase(queriesFor('several'), { by: 'pod' });
      expect(judge(phase, kind, await observe(phase, kind))).toEqual({ kind: 'pass' });
    },
  );
});

const none = queriesFor('none');
const nothingLeft = (query: string) => `${query} > 1e9`;
const nothingDivided = (query: string) => `(${query} * 0) / (${query} * 0)`;
const replaced = (query: string, by: string) => `${query} or on () ${by}`;
const good = queriesFor('good');
const change = (queries: Queries, how: (query: string, key: keyof Queries) => string): Queries => ({
  instant: how(queries.instant, 'instant'),
  gauge: how(queries.gauge, 'gauge'),
  part: how(queries.part, 'part'),
  total: how(queries.total, 'total'),
});

const DATA: readonly Row<Queries>[] = [
  ['no such series', 'missing', none],
  ['a comparison that leaves nothing', 'missing', change(good, nothingLeft)],
  [
    'a missing series that another stands in for',
    'missing',
    change(none, (query, key) => replaced(query, good[key])),
  ],
  [
    'a number of no series',
    'missing',
    change(good, (_, key) => (key === 'total' ? 'vector(5000)' : 'vector(0.9)')),
  ],
  ['the absence of a series', 'missing', change(none, () => 'absent(util{case="none"})')],
  ['NaN', 'nan', queriesFor('nan')],
  ['0 divided by 0', 'nan', change(good, nothingDivided)],
  ['+Inf', 'inf', queriesFor('plus-infinity')],
  ['-Inf', 'inf', queriesFor('minus-infinity')],
  ['data that ended two hours ago', 'stale', queriesFor('ended')],
  ['data of two hours ago', 'stale', queriesFor('good', ' offset 2h')],
  ['data of a moment two hours ago', 'stale', queriesFor('good', ` @ ${now / 1000 - 7200}`)],
  ['data that began two hours ago', 'low-coverage', queriesFor('begun')],
  ['half of each hour', 'low-coverage', queriesFor('flapping')],
  ['an hour’s gap', 'low-coverage', queriesFor('interrupted')],
  ['several series', 'ambiguous-series', queriesFor('several')],
  ['percent for a ratio', 'unit-mismatch', queriesFor('percent')],
  ['too few trials', { ratio: 'too-few' }, queriesFor('rare')],
  ['a query that is none', 'provider-error', change(good, (query) => `sum(${query}`)],
  ['a function that there isn’t', 'provider-error', change(good, (query) => `summe(${query})`)],
  [
    'a range for a moment',
    { instant: 'not-data', ratio: 'not-data' },
    change(good, () => 'util{case="good"}[12h]'),
  ],
];

describe('data with a defect', () => {
  it.each(cellsOf(DATA))('$name ▶ $reason ($kind)', async ({ kind, reason, spoilt }) => {
    await expectNothingDecided(toPhase(spoilt), kind, reason);
  });

  it.each(['mean', 'percentile'] as const)('too few samples ▶ too-few (%s)', async (kind) => {
    const phase = toPhase(good, { step: '5m' });
    expect(judge(phase, kind, await observe(phase, kind))).toMatchObject({ reason: 'too-few' });
  });

  it.each([
    ['instant', 'stale'],
    ['mean', 'stale'],
    ['percentile', 'stale'],
  ] as const)('one of two series ended two hours ago ▶ %s', async (kind, reason) => {
    await expectNothingDecided(toPhase(queriesFor('half-ended'), { by: 'pod' }), kind, reason);
  });
});

describe('a part that there is none of', () => {
  const phaseWith = (part: string, proof: string) =>
    toPhase({ ...good, part: queriesFor(part).part }, { proof });

  it.each([
    ['is 0 where all was watched', 'none', 'up{case="good"}'],
    ['is what it was where all was watched since', 'ended', 'up{case="good"}'],
  ])('%s', async (_, part, proof) => {
    const phase = phaseWith(part, proof);
    expect(judge(phase, 'ratio', await observe(phase, 'ratio'))).toEqual({ kind: 'pass' });
  });

  it.each([
    ['there is no proof', 'none', 'up{case="none"}', 'missing'],
    ['the target was down once', 'none', 'up{case="down"}', 'missing'],
    ['the proof ended', 'none', 'up{case="ended"}', 'stale'],
    ['the proof began late', 'none', 'up{case="begun"}', 'low-coverage'],
    ['the proof has a gap', 'ended', 'up{case="interrupted"}', 'low-coverage'],
    ['the proof is of several', 'none', 'up{case="several"}', 'ambiguous-series'],
  ])('is nothing where %s', async (_, part, proof, reason) => {
    await expectNothingDecided(phaseWith(part, proof), 'ratio', reason);
  });
});

/** What a server between does to an answer of Prometheus, or gives instead of it. */
type Spoil = (request: ReceivedRequest, pass: () => Promise<string>) => LocalAnswer | Promise<LocalAnswer>;

const json = (value: unknown): LocalAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: typeof value === 'string' ? value : JSON.stringify(value),
});
const always =
  (answer: LocalAnswer): Spoil =>
  () =>
    answer;

type Result = { metric?: unknown; value?: [number, string]; values?: [number, string][] };
type Body = { data: { resultType: string; result: Result[] } };

const queryOf = ({ path, body }: ReceivedRequest) =>
  new URL(path, 'http://localhost').searchParams.get('query') ?? new URLSearchParams(body).get('query') ?? '';
const isAge = (request: ReceivedRequest) => queryOf(request).includes('sophia_figure');
const isClock = (request: ReceivedRequest) => queryOf(request) === 'time()';

/** Changes the answers to the metric's own queries. */
const changing =
  (
    spoil: (body: Body) => unknown,
    isMeant = (request: ReceivedRequest) => !isAge(request) && !isClock(request),
  ): Spoil =>
  async (request, pass) => {
    const text = await pass();
    return json(isMeant(request) ? spoil(JSON.parse(text) as Body) : text);
  };

/** Changes each sample. */
const sampling = (spoil: (sample: [number, string]) => unknown) =>
  changing((body) => ({
    ...body,
    data: {
      ...body.data,
      result: body.data.result.map(({ metric, value, values }) => ({
        metric,
        ...(value && { value: spoil(value) }),
        ...(values && { values: values.map(spoil) }),
      })),
    },
  }));

/** The server's clock, off by so much. */
const clockOff = (offsetMs: number) =>
  changing(() => {
    const seconds = (Date.now() + offsetMs) / 1000;
    return { status: 'success', data: { resultType: 'scalar', result: [seconds, String(seconds)] } };
  }, isClock);

const web = { 'content-type': 'text/html' };
const SERVER: readonly Row<Spoil>[] = [
  ['500', 'provider-error', always({ status: 500 })],
  [
    '503, because it took too long',
    'timeout',
    always({ status: 503, body: '{"status":"error","errorType":"timeout","error":"query timed out"}' }),
  ],
  ['502 of a proxy', 'provider-error', always({ status: 502, headers: web, body: '<h1>Bad Gateway</h1>' })],
  ['404', 'provider-error', always({ status: 404 })],
  ['401', 'provider-error', always({ status: 401 })],
  ['429', 'rate-limited', always({ status: 429 })],
  ['429 for an hour', 'rate-limited', always({ status: 429, headers: { 'retry-after': '3600' } })],
  [
    'a redirect to one that answers',
    'redirect',
    ({ path }) => ({ status: 302, headers: { location: `${prometheus.url}${path}` } }),
  ],
  ['a redirect to nowhere', 'redirect', always({ status: 301 })],
  [
    'a page to log in',
    'not-data',
    always({ status: 200, headers: web, body: '<!doctype html><title>Log in</title>' }),
  ],
  ['nothing', 'not-data', always({ status: 200 })],
  ['no content', 'not-data', always({ status: 204 })],
  ['a broken connection', 'provider-error', always('drop')],
  ['half of an answer', 'not-data', async (_, pass) => json((await pass()).slice(0, -20))],
  ['JSON of another shape', 'not-data', always(json({ value: 0.9 }))],
  ['a bare number', 'not-data', always(json('0.9'))],
  ['null', 'not-data', always(json('null'))],
  [
    'an error with 200',
    'provider-error',
    always(json({ status: 'error', errorType: 'execution', error: 'too many samples' })),
  ],
  ['an error with an answer', 'not-data', changing((body) => ({ ...body, status: 'partial' }))],
  ['a warning', 'partial', changing((body) => ({ ...body, warnings: ['store a did not answer'] }))],
  [
    'a text',
    'not-data',
    changing(() => ({ status: 'success', data: { resultType: 'string', result: [now / 1000, '0.9'] } })),
  ],
  [
    'the other kind of answer',
    'not-data',
    changing((body) => ({
      ...body,
      data: { ...body.data, resultType: body.data.resultType === 'matrix' ? 'vector' : 'matrix' },
    })),
  ],
  [
    'a type that there isn’t',
    'not-data',
    changing((body) => ({ ...body, data: { ...body.data, resultType: 'tensor' } })),
  ],
  [
    'histograms',
    'not-data',
    changing((body) => ({
      ...body,
      data: {
        ...body.data,
        result: body.data.result.map((each) => ({
          ...each,
          histogram: [now / 1000, {}],
          histograms: [[now / 1000, {}]],
        })),
      },
    })),
  ],
  ['numbers for texts', 'not-data', sampling(([time, value]) => [time, Number(value)])],
  ['words for numbers', 'not-data', sampling(([time]) => [time, 'good'])],
  ['numbers too large to be one', 'inf', sampling(([time]) => [time, '1e999'])],
  ['empty values', 'not-data', sampling(([time]) => [time, ''])],
  ['samples without a value', 'not-data', sampling(([time]) => [time])],
  ['an answer of yesterday', 'stale', sampling(([time, value]) => [time - 86_400, value])],
  ['an answer of tomorrow', 'clock-skew', sampling(([time, value]) => [time + 86_400, value])],
  [
    'time that stands still',
    { mean: 'not-data', percentile: 'not-data' },
    sampling(([, value]) => [now / 1000, value]),
  ],
  ['a clock that is slow', 'clock-skew', clockOff(-10 * MINUTE)],
  ['a clock that is fast', 'clock-skew', clockOff(10 * MINUTE)],
  [
    'no word on the age of the data',
    'provider-error',
    async (request, pass) => (isAge(request) ? { status: 500 } : json(await pass())),
  ],
  [
    'no data behind the answer',
    'missing',
    changing((body) => ({ ...body, data: { ...body.data, result: [] } }), isAge),
  ],
  [
    'a warning on the age of the data',
    'partial',
    changing((body) => ({ ...body, warnings: ['a store is down'] }), isAge),
  ],
];

/** A server before the real one. */
function startBetween(spoil: Spoil) {
  return startLocalServer((request) => {
    const { method, path, body } = request;
    const pass = async () => {
      const form = method === 'POST' ? { method, body: new URLSearchParams(body) } : {};
      return (await fetch(`${prometheus.url}${path}`, form)).text();
    };
    return spoil(request, pass);
  });
}

describe('a server with a defect', () => {
  const phase = toPhase(good);

  it.each(KINDS)('is none where it hands on what Prometheus says: %s', async (kind) => {
    await using server = await startBetween(
      changing((body) => ({ ...body, infos: ['a hint is no warning'] })),
    );
    expect(judge(phase, kind, await observe(phase, kind, { address: `http://${server.host}` }))).toEqual({
      kind: 'pass',
    });
    expect(server.requests.length).toBeGreaterThan(2);
  });

  it.each(cellsOf(SERVER))('$name ▶ $reason ($kind)', async ({ kind, reason, spoilt }) => {
    await using server = await startBetween(spoilt);
    await expectNothingDecided(phase, kind, reason, { address: `http://${server.host}` });
  });

  it.each(KINDS)('no answer at all ▶ timeout (%s)', async (kind) => {
    await using server = await startBetween(always('hang'));
    await expectNothingDecided(phase, kind, 'timeout', { address: `http://${server.host}`, timeoutMs: 100 });
  });

  it.each(KINDS)('an answer without an end ▶ partial (%s)', async (kind) => {
    await expectNothingDecided(phase, kind, 'partial', { maxBytes: 100 });
  });

  it.each(KINDS)('nobody there ▶ provider-error (%s)', async (kind) => {
    const server = await startBetween(always('drop'));
    await server[Symbol.asyncDispose]();
    await expectNothingDecided(phase, kind, 'provider-error', { address: `http://${server.host}` });
  });

  it.each(KINDS)('no TLS ▶ provider-error (%s)', async (kind) => {
    await expectNothingDecided(phase, kind, 'provider-error', {
      address: prometheus.url.replace('http:', 'https:'),
    });
  });

  it.each(KINDS)('one failure in passing is none: %s', async (kind) => {
    let left = 1;
    await using server = await startBetween(async (_, pass) => {
      left -= 1;
      return left === 0 ? { status: 503 } : json(await pass());
    });
    const observation = await observe(phase, kind, { address: `http://${server.host}` });
    expect(judge(phase, kind, observation)).toEqual({ kind: 'pass' });
  });
});

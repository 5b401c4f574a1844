import type { Question } from '@sophia/phases';
import type { Observation } from '@sophia/records';
import { type Absent, absent } from './absent.ts';
import { addAge, askAge, labelNamesOf } from './data-age.ts';
import { toOneLine } from './plain-text.ts';
import { findSelectors } from './promql-selectors.ts';
import { type Answer, readAnswer, type Series, type Speaker } from './read-answer.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';

/** What Prometheus can be asked. */
export type PrometheusQuestion = Extract<Question, { readonly kind: 'query' | 'range' | 'ratio' }>;

/** A Prometheus server. Whatever goes wrong becomes an observation that says so: no call rejects but for the signal. */
export type Prometheus = {
  readonly observe: (question: PrometheusQuestion, atMs: number, signal: AbortSignal) => Promise<Observation>;
};

/** How a Prometheus server, or one that speaks its HTTP API, is asked. */
export type PrometheusOptions = TransportOptions;

type SeriesObservation = Extract<Observation, { readonly kind: 'series' }>;
type RangeQuestion = Extract<Question, { readonly kind: 'range' }>;
type RatioQuestion = Extract<Question, { readonly kind: 'ratio' }>;

type Server = Transport & {
  /** What to call it in a message. */
  readonly who: string;
  readonly log: (line: string) => void;
  /** Its clock less that of the run, in milliseconds; undefined where it can't be told. */
  readonly offsetMs: (signal: AbortSignal) => Promise<number | undefined>;
};

/** Prometheus refuses a query for more than 11,000 points of a series. */
const MAX_STEPS_PER_CALL = 10_000;
const GRAIN_MS = 60_000;

/**
 * Makes the way to a Prometheus server. Nothing is asked before the first question.
 *
 * @param options `address` is that of its user interface, with a path where it has one. `headers` are sent with every
 * call, and never shown.
 */
export function createPrometheus(options: PrometheusOptions): Prometheus {
  const transport = createTransport(options);
  const who = `Prometheus at ${toOneLine(new URL(options.address).host, 60)}`;
  const server: Server = {
    ...transport,
    who,
    log: options.log,
    offsetMs: createClock({ ...transport, who }),
  };
  return {
    observe: (question, atMs, signal) => {
      switch (question.kind) {
        case 'query':
          return observeMoment(server, question.query, atMs, signal);
        case 'range':
          return observeRange(server, question, atMs, signal);
        case 'ratio':
          return observeRatio(server, question, atMs, signal);
      }
    },
  };
}

/** Asks the server's clock once: `time()` without a moment is its own, whatever proxy is before it. */
function createClock({ send, who, redact }: Transport & Speaker): Server['offsetMs'] {
  let found: Promise<number | undefined> | undefined;
  const ask = async (signal: AbortSignal) => {
    const reply = await send('query', { query: 'time()' }, signal);
    if (reply.kind === 'absent') return undefined;
    const answer = readAnswer(reply.text, 'moment', { who, redact });
    const seconds = answer.kind === 'answer' ? answer.series[0]?.samples[0]?.value : undefined;
    const theirsMs = typeof seconds === 'number' ? seconds * 1000 : reply.dateMs;
    if (theirsMs === undefined) return undefined;
    // It was read at some moment between the two.
    if (theirsMs < reply.startedAtMs) return theirsMs - reply.startedAtMs;
    return Math.max(0, theirsMs - reply.endedAtMs);
  };
  return async (signal) => {
    found ??= ask(signal).catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return await found;
  };
}

async function observeMoment(
  server: Server,
  query: string,
  atMs: number,
  signal: AbortSignal,
): Promise<SeriesObservation | Absent> {
  const answer = await ask(server, 'query', { query, time: toSeconds(atMs) }, signal);
  if (answer.kind === 'absent') return answer;
  return describe(server, { query, rangeMs: 0, endMs: atMs, atMs }, answer, signal);
}

async function observeRange(
  server: Server,
  { query, durationMs, stepMs }: RangeQuestion,
  atMs: number,
  signal: AbortSignal,
): Promise<SeriesObservation | Absent> {
  const steps = Math.floor(durationMs / stepMs);
  // Whole minutes, so that two metrics of one run ask about the same moments.
  const grainMs = Math.min(stepMs, GRAIN_MS);
  const endMs = Math.floor(atMs / grainMs) * grainMs;
  const calls: Promise<Answer | Absent>[] = [];
  for (let first = steps; first >= 0; first -= MAX_STEPS_PER_CALL + 1) {
    const last = Math.max(0, first - MAX_STEPS_PER_CALL);
    const start = toSeconds(endMs - first * stepMs);
    const end = toSeconds(endMs - last * stepMs);
    const step = toSeconds(stepMs);
    calls.push(ask(server, 'query_range', { query, start, end, step }, signal));
  }
  const answers: Answer[] = [];
  for (const answer of await Promise.all(calls)) {
    if (answer.kind === 'absent') return answer;
    answers.push(answer);
  }
  return describe(server, { query, rangeMs: steps * stepMs, endMs, atMs }, joinAnswers(answers), signal);
}

/** One answer of several for times that follow on one another. */
function joinAnswers(answers: readonly Answer[]): Answer {
  const [first, ...others] = answers;
  if (first !== undefined && others.length === 0) return first;
  const bySeries = new Map<string, Series>();
  for (const { labels, samples } of answers.flatMap(({ series }) => series)) {
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    const before = bySeries.get(key);
    bySeries.set(key, { labels, samples: [...(before?.samples ?? []), ...samples] });
  }
  return {
    kind: 'answer',
    series: [...bySeries.values()],
    warnings: answers.flatMap(({ warnings }) => warnings),
    infos: answers.flatMap(({ infos }) => infos),
  };
}

async function observeRatio(
  server: Server,
  { partQuery, totalQuery, proofQuery }: RatioQuestion,
  atMs: number,
  signal: AbortSignal,
): Promise<Observation> {
  const [part, total, proof] = await Promise.all([
    observeMoment(server, partQuery, atMs, signal),
    observeMoment(server, totalQuery, atMs, signal),
    proofQuery === undefined ? undefined : observeMoment(server, proofQuery, atMs, signal),
  ]);
  return { kind: 'ratio', part, total, ...(proof === undefined ? {} : { proof }) };
}

async function ask(
  server: Server,
  path: 'query' | 'query_range',
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer | Absent> {
  const reply = await server.send(path, parameters, signal);
  if (reply.kind === 'absent') return reply;
  const answer = readAnswer(reply.text, path === 'query' ? 'moment' : 'range', server);
  if (answer.kind === 'answer') for (const info of answer.infos) server.log(`${server.who}: ${info}`);
  return answer;
}

type Asked = {
  readonly query: string;
  readonly rangeMs: number;
  /** The last moment that it was asked about. */
  readonly endMs: number;
  /** When it was asked. */
  readonly atMs: number;
};

/** An answer as an observation, with the age of the data behind it and the server's clock. */
async function describe(
  server: Server,
  { query, rangeMs, endMs, atMs }: Asked,
  answer: Answer,
  signal: AbortSignal,
): Promise<SeriesObservation | Absent> {
  const offsetMs = await server.offsetMs(signal);
  const observation: SeriesObservation = {
    kind: 'series',
    observedAtMs: atMs,
    ...(offsetMs === undefined ? {} : { clockOffsetMs: offsetMs }),
    warnings: [...answer.warnings],
    series: [...answer.series],
  };
  // Nothing, or a part: whatever it rests on, it is no evidence.
  if (answer.series.length === 0 || answer.warnings.length > 0) return observation;
  const found = findSelectors(query);
  if (found.kind === 'unreadable')
    return absent('not-data', `How old the data are can’t be told: ${found.message}`);
  const { selectors } = found;
  if (selectors.length === 0) {
    return absent('missing', 'The query names no series, so its answer is no evidence: expected one.');
  }
  const labels = labelNamesOf(answer.series);
  const time = toSeconds(endMs);
  const ages = await ask(server, 'query', { query: askAge(selectors, labels, rangeMs), time }, signal);
  if (ages.kind === 'absent') return ages;
  if (ages.warnings.length > 0) return { ...observation, warnings: [...ages.warnings] };
  const aged = addAge(answer.series, selectors, ages, rangeMs, endMs);
  if (aged.kind === 'silent') {
    const name = toOneLine(aged.selector, 100);
    return absent('missing', `${server.who} has no sample of ${name}, which the query reads: expected some.`);
  }
  return { ...observation, series: aged.series };
}

function toSeconds(epochMs: number): string {
  return String(epochMs / 1000);
}

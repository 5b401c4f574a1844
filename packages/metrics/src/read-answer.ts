import type { Observation } from '@sophia/records';
import * as z from 'zod/mini';
import { type Absent, absent } from './absent.ts';
import { toOneLine } from './plain-text.ts';

type SeriesObservation = Extract<Observation, { readonly kind: 'series' }>;
export type Series = SeriesObservation['series'][number];

/** What a query answered: series with samples at the moments asked about. */
export type Answer = {
  readonly kind: 'answer';
  readonly series: readonly Series[];
  /** The answer may be a part or wrong. */
  readonly warnings: readonly string[];
  /** Hints on the query, which are no defect of the answer. */
  readonly infos: readonly string[];
};

/** More series or samples than these are refused: a criterion rests on a few. */
const MAX_SERIES = 2_000;
const MAX_SAMPLES = 500_000;
const MAX_WARNINGS = 20;

const sample = z.tuple([z.number(), z.string()]);
const metric = z.record(z.string(), z.string());
const vectorSchema = z.array(
  z.object({ metric, value: z.optional(sample), histogram: z.optional(z.unknown()) }),
);
const matrixSchema = z.array(
  z.object({ metric, values: z.optional(z.array(sample)), histograms: z.optional(z.array(z.unknown())) }),
);
const notes = z.optional(z.nullable(z.array(z.string())));
const envelopeSchema = z.object({
  status: z.literal('success'),
  data: z.object({ resultType: z.string(), result: z.unknown() }),
  warnings: notes,
  infos: notes,
});
const errorSchema = z.object({
  status: z.literal('error'),
  errorType: z.optional(z.string()),
  error: z.optional(z.string()),
});

/** Whom a message is about. */
export type Speaker = {
  /** What to call the server. */
  readonly who: string;
  /** Takes the secrets out of what it says. */
  readonly redact: (text: string) => string;
};

/**
 * Reads the answer to a query.
 *
 * @param wanted `moment` for one sample of each series, `range` for several.
 */
export function readAnswer(
  text: string,
  wanted: 'moment' | 'range',
  { who, redact }: Speaker,
): Answer | Absent {
  if (text.trim() === '') return absent('not-data', `${who} answered with nothing: expected JSON.`);
  const value = parseJson(text);
  if (value === undefined) {
    const what = /^\s*</.test(text) ? 'a web page' : 'what is no JSON';
    return absent('not-data', `${who} answered with ${what}: expected JSON. Check the address.`);
  }
  const failed = errorSchema.safeParse(value);
  if (failed.success) {
    const { errorType = 'error', error = 'without a word' } = failed.data;
    const reason = errorType === 'timeout' ? 'timeout' : 'provider-error';
    return absent(
      reason,
      `${who} answered "${toOneLine(redact(errorType), 40)}": ${toOneLine(redact(error), 100)}.`,
    );
  }
  const envelope = envelopeSchema.safeParse(value);
  if (!envelope.success)
    return absent('not-data', `${who} answered with JSON of another shape: expected that of a query.`);
  const { data, warnings, infos } = envelope.data;
  const series = readResult(redact(data.resultType), data.result, wanted, who);
  if ('kind' in series) return series;
  const sampleCount = series.reduce((sum, { samples }) => sum + samples.length, 0);
  if (series.length > MAX_SERIES || sampleCount > MAX_SAMPLES) {
    return absent(
      'partial',
      `${who} answered with ${series.length} series and ${sampleCount} samples: expected at most ${MAX_SERIES} and ${MAX_SAMPLES}. Aggregate in the query.`,
    );
  }
  const clean = (lines: readonly string[] | null | undefined) =>
    (lines ?? []).slice(0, MAX_WARNINGS).map((line) => toOneLine(redact(line), 300));
  return { kind: 'answer', series, warnings: clean(warnings), infos: clean(infos) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readResult(
  type: string,
  result: unknown,
  wanted: 'moment' | 'range',
  who: string,
): readonly Series[] | Absent {
  if (wanted === 'range') {
    if (type !== 'matrix') return wrongType(type, 'a "matrix"', who);
    const matrix = matrixSchema.safeParse(result);
    if (!matrix.success) return wrongShape(type, who);
    if (matrix.data.some(({ histograms = [] }) => histograms.length > 0)) return isHistogram(who);
    return finish(
      matrix.data.map((each) => ({ labels: each.metric, samples: each.values ?? [] })),
      who,
    );
  }
  if (type === 'scalar') {
    const scalar = sample.safeParse(result);
    return scalar.success ? finish([{ labels: {}, samples: [scalar.data] }], who) : wrongShape(type, who);
  }
  if (type !== 'vector') return wrongType(type, 'a "vector"', who);
  const vector = vectorSchema.safeParse(result);
  if (!vector.success) return wrongShape(type, who);
  if (vector.data.some(({ histogram }) => histogram !== undefined)) return isHistogram(who);
  return finish(
    vector.data.map((each) => ({
      labels: each.metric,
      samples: each.value === undefined ? [] : [each.value],
    })),
    who,
  );
}

type RawSeries = {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, string])[];
};

function finish(raw: readonly RawSeries[], who: string): readonly Series[] | Absent {
  const series: Series[] = [];
  for (const { labels, samples } of raw) {
    const read: Series['samples'] = [];
    for (const [seconds, text] of samples) {
      const value = parseValue(text);
      if (value === undefined) {
        return absent('not-data', `${who} gave the value "${toOneLine(text, 40)}": expected a number.`);
      }
      read.push({ timestampMs: Math.round(seconds * 1000), value });
    }
    series.push({ labels: { ...labels }, samples: read });
  }
  return series;
}

/** A value as Prometheus writes it; undefined for what is none. */
function parseValue(text: string): Series['samples'][number]['value'] | undefined {
  if (text === 'NaN' || text === '+Inf' || text === '-Inf') return text;
  if (text === 'Inf') return '+Inf';
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  return value > 0 ? '+Inf' : '-Inf';
}

function wrongType(type: string, expected: string, who: string): Absent {
  const hint = type === 'matrix' ? ' Take the range off the query’s end, or put a function around it.' : '';
  return absent('not-data', `${who} answered with a "${toOneLine(type, 40)}": expected ${expected}.${hint}`);
}

function wrongShape(type: string, who: string): Absent {
  return absent(
    'not-data',
    `${who} answered with a "${type}" of another shape: expected that of Prometheus.`,
  );
}

function isHistogram(who: string): Absent {
  return absent(
    'not-data',
    `${who} answered with a histogram: expected numbers. Use histogram_quantile() or histogram_count().`,
  );
}

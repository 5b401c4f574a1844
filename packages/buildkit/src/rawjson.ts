import * as z from 'zod/mini';
import type { BuildWarning } from './build-step.ts';

/**
 * One line of `--progress=rawjson`: BuildKit's `SolveStatus` as JSON. Bytes are base64, times RFC 3339
 * with nanoseconds, absent fields have Go's zero value.
 *
 * @see moby/buildkit `client/graph.go`
 */
const text = z.string();
const count = z.catch(z.number(), 0);
const time = z.catch(z.optional(z.nullable(text)), undefined);

const vertexSchema = z.object({
  digest: text,
  name: z.catch(text, ''),
  started: time,
  completed: time,
  cached: z.catch(z.optional(z.boolean()), undefined),
  error: z.catch(z.optional(text), undefined),
});
const statusSchema = z.object({
  id: text,
  vertex: text,
  total: count,
  current: count,
  timestamp: time,
  started: time,
  completed: time,
});
const logSchema = z.object({ vertex: text, stream: count, data: text, timestamp: time });
const positionSchema = z.catch(z.optional(z.object({ line: count })), undefined);
const warningSchema = z.object({
  short: z.catch(text, ''),
  detail: z.catch(z.array(text), []),
  url: z.catch(z.optional(text), undefined),
  sourceInfo: z.catch(z.optional(z.object({ filename: z.catch(z.optional(text), undefined) })), undefined),
  range: z.catch(z.array(z.object({ start: positionSchema, end: positionSchema })), []),
});
const lineSchema = z.object({
  vertexes: z.catch(z.array(z.unknown()), []),
  statuses: z.catch(z.array(z.unknown()), []),
  logs: z.catch(z.array(z.unknown()), []),
  warnings: z.catch(z.array(z.unknown()), []),
});

export type Vertex = z.infer<typeof vertexSchema>;
export type VertexStatus = z.infer<typeof statusSchema>;
export type VertexLog = z.infer<typeof logSchema>;
export type SolveStatus = {
  readonly vertexes: readonly Vertex[];
  readonly statuses: readonly VertexStatus[];
  readonly logs: readonly VertexLog[];
  readonly warnings: readonly BuildWarning[];
};

/** Reads one line; undefined when it isn't such a JSON object. Parts that don't fit are left out. */
export function parseSolveStatus(line: string): SolveStatus | undefined {
  if (!line.startsWith('{')) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const parsed = z.safeParse(lineSchema, json);
  if (!parsed.success || !isSolveStatus(json)) return undefined;
  return {
    vertexes: keepValid(vertexSchema, parsed.data.vertexes),
    statuses: keepValid(statusSchema, parsed.data.statuses),
    logs: keepValid(logSchema, parsed.data.logs),
    warnings: parseWarnings(parsed.data.warnings),
  };
}

/** An object of another program (a docker CLI error as JSON, say) has none of the four keys. */
function isSolveStatus(json: unknown): boolean {
  if (typeof json !== 'object' || json === null) return false;
  return 'vertexes' in json || 'statuses' in json || 'logs' in json || 'warnings' in json;
}

function keepValid<T>(schema: z.ZodMiniType<T>, items: readonly unknown[]): T[] {
  return items.flatMap((item) => {
    const parsed = z.safeParse(schema, item);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Reads warnings as they stand in the stream and in the metadata file (`buildx.build.warnings`). */
export function parseWarnings(items: readonly unknown[]): BuildWarning[] {
  return keepValid(warningSchema, items).map((warning) => {
    const file = warning.sourceInfo?.filename;
    const lines = warning.range
      .flatMap(({ start, end }) => [start?.line ?? 0, end?.line ?? 0])
      .filter((line) => line > 0);
    return {
      message: decodeBase64(warning.short),
      detail: warning.detail.map(decodeBase64),
      ...(warning.url === undefined || warning.url === '' ? {} : { url: warning.url }),
      ...(file === undefined || file === '' ? {} : { file }),
      ...(lines.length === 0 ? {} : { line: Math.min(...lines), endLine: Math.max(...lines) }),
    };
  });
}

function decodeBase64(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 ▶ epoch ms with the fraction kept (`Date.parse` cuts it off). Undefined for anything else. */
export function parseTimestampMs(timestamp: string | null | undefined): number | undefined {
  const match = RFC3339.exec(timestamp ?? '');
  if (match === null) return undefined;
  const wholeMs = Date.parse(`${match[1]}${match[3]}`);
  return Number.isNaN(wholeMs) || wholeMs <= 0 ? undefined : wholeMs + Number(match[2] ?? 0) * 1000;
}

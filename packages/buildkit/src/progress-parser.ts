import type { BuildWarning, Progress, ProgressEvent } from './build-step.ts';
import {
  parseSolveStatus,
  parseTimestampMs,
  type SolveStatus,
  type Vertex,
  type VertexLog,
  type VertexStatus,
} from './rawjson.ts';
import { parseStepName } from './step-name.ts';
import { createStepRecord, isCancellation, type StepRecord, toBuildStep } from './step-record.ts';
import { toPlainText } from './terminal-text.ts';

const MAX_LINE_BYTES = 64 * 1024 * 1024;
const MAX_STEPS = 20_000;
const MAX_WARNINGS = 1000;
const MAX_TRAILER_LINES = 400;
const MAX_TRAILER_CHARACTERS = 8192;

export type ProgressParser = {
  /** Takes the next bytes of the stream, cut anywhere, and says what they tell. */
  push(chunk: Uint8Array): ProgressEvent[];
  /** Ends the stream. A step that was still running ends at the last time the stream names. */
  finish(): Progress;
};

/**
 * Reads what `docker buildx … --progress=rawjson` writes to stderr.
 *
 * Any bytes are good input: what isn't a line of BuildKit's JSON is kept as a line of the trailer, parts
 * without the fields they need are left out. Memory is bounded: of output, trailer and warnings only the
 * last is kept, and a line over 64 MiB is dropped.
 */
export function createProgressParser(): ProgressParser {
  const state = createState();
  const lines = createLineSplitter();
  return {
    push: (chunk) => lines.push(chunk).flatMap((line) => readLine(state, line)),
    finish() {
      for (const line of lines.flush()) readLine(state, line);
      return {
        steps: state.order.map((record) => toBuildStep(record, state.lastMs)),
        warnings: [...state.warnings.values()],
        trailer: state.trailer,
      };
    },
  };
}

type State = {
  /** Every vertex ▶ its step; several vertices may be one step. */
  readonly byVertex: Map<string, StepRecord>;
  readonly byHeading: Map<string, StepRecord>;
  /** In the order the steps began, then those never begun as they were named. */
  readonly order: StepRecord[];
  readonly targets: Set<string>;
  readonly warnings: Map<string, BuildWarning>;
  readonly trailer: string[];
  started: number;
  lastMs: number;
};

function createState(): State {
  return {
    byVertex: new Map(),
    byHeading: new Map(),
    order: [],
    targets: new Set(),
    warnings: new Map(),
    trailer: [],
    started: 0,
    lastMs: 0,
  };
}

function readLine(state: State, line: string): ProgressEvent[] {
  const status = parseSolveStatus(line);
  return status === undefined ? readTrailer(state, line) : readStatus(state, status);
}

function readTrailer(state: State, line: string): ProgressEvent[] {
  const text = toPlainText(line.slice(0, MAX_TRAILER_CHARACTERS));
  if (text.trim() === '' && state.trailer.length === 0) return [];
  state.trailer.push(text);
  // The first lines (a warning before the build) count less than the last ones, which hold the error.
  if (state.trailer.length > MAX_TRAILER_LINES) state.trailer.shift();
  return [{ kind: 'trailer', line: text }];
}

function readStatus(state: State, status: SolveStatus): ProgressEvent[] {
  return [
    ...status.vertexes.flatMap((vertex) => readVertex(state, vertex)),
    ...status.statuses.flatMap((item) => readTransfer(state, item)),
    ...status.logs.flatMap((log) => readLog(state, log)),
    ...status.warnings.flatMap((warning) => readWarning(state, warning)),
  ];
}

function see(state: State, timestamp: string | null | undefined): number | undefined {
  const atMs = parseTimestampMs(timestamp);
  if (atMs !== undefined && atMs > state.lastMs) state.lastMs = atMs;
  return atMs;
}

function readVertex(state: State, vertex: Vertex): ProgressEvent[] {
  const record = findStep(state, vertex);
  if (record === undefined) return [];
  const startMs = see(state, vertex.started);
  const endMs = see(state, vertex.completed);
  if (startMs === undefined) return [];

  const events: ProgressEvent[] = [];
  if (record.heading === undefined) {
    state.started += 1;
    record.heading = {
      number: state.started,
      id: record.id,
      name: record.name,
      kind: record.parsed.kind,
      isFrom: record.parsed.keyword === 'FROM',
    };
    moveToStarted(state, record);
    events.push({ kind: 'started', step: record.heading, atMs: startMs });
  }
  const key = `${vertex.digest}@${startMs}`;
  // Two targets of a bake that share a step tell of it twice, some microseconds apart.
  const isNews = ![...record.runs.values()].some((run) => run.endMs !== undefined && run.endMs > startMs);
  record.runs.set(key, { startMs, endMs });
  if (vertex.cached === true) record.cached = true;
  if (vertex.error !== undefined && vertex.error !== '')
    record.error = preferCause(record.error, vertex.error);
  if (endMs !== undefined && isNews) {
    for (const assembled of record.flushOutput())
      events.push(outputEvent(record.heading, record, assembled, endMs));
    events.push({
      kind: 'finished',
      step: record.heading,
      ...resultOf(vertex),
      durationMs: Math.max(0, endMs - startMs),
    });
  }
  return events;
}

/** The error of the step that failed says more than the cancellation of one that ran beside it. */
function preferCause(known: string | undefined, next: string): string {
  return known !== undefined && !isCancellation(known) ? known : next;
}

function resultOf(vertex: Vertex): Pick<Extract<ProgressEvent, { kind: 'finished' }>, 'result' | 'error'> {
  if (vertex.error !== undefined && vertex.error !== '') {
    return { result: isCancellation(vertex.error) ? 'canceled' : 'failed', error: toPlainText(vertex.error) };
  }
  return { result: vertex.cached === true ? 'cached' : 'done' };
}

/** Steps that ran come first, in the order they began. */
function moveToStarted(state: State, record: StepRecord): void {
  const from = state.order.indexOf(record, state.started - 1);
  if (from < 0) return;
  state.order.splice(from, 1);
  state.order.splice(state.started - 1, 0, record);
}

/**
 * One instruction may be several vertices (`ADD` of a URL, `COPY --link` and its merge): they share the
 * bracket of their name and are one step.
 */
function findStep(state: State, vertex: Vertex): StepRecord | undefined {
  const known = state.byVertex.get(vertex.digest);
  if (known !== undefined) return known;
  if (vertex.digest === '' || state.order.length >= MAX_STEPS) return undefined;
  const parsed = parseStepName(vertex.name, state.targets);
  if (parsed.kind !== 'instruction' && parsed.target !== undefined) state.targets.add(parsed.target);
  const bracket = vertex.name.slice(0, vertex.name.indexOf(']') + 1);
  const shared = parsed.kind === 'instruction' ? state.byHeading.get(bracket) : undefined;
  const record = shared ?? createStepRecord(vertex.digest, vertex.name.replace('] LINK ', '] '), parsed);
  state.byVertex.set(vertex.digest, record);
  if (shared === undefined) {
    state.order.push(record);
    if (parsed.kind === 'instruction') state.byHeading.set(bracket, record);
  }
  return record;
}

function readTransfer(state: State, status: VertexStatus): ProgressEvent[] {
  const record = state.byVertex.get(status.vertex);
  const seenMs = see(state, status.timestamp);
  const startMs = see(state, status.started) ?? seenMs;
  const endMs = see(state, status.completed);
  if (record === undefined || startMs === undefined) return [];
  const known = record.addTransfer({
    id: status.id,
    startMs,
    endMs,
    seenMs: endMs ?? seenMs ?? startMs,
    bytes: Math.max(0, status.current),
  });
  if (known === undefined || record.heading === undefined) return [];
  return [
    {
      kind: 'transfer',
      step: record.heading,
      transfer: known,
      totalBytes: status.total > 0 ? status.total : undefined,
      isComplete: endMs !== undefined,
    },
  ];
}

function readLog(state: State, log: VertexLog): ProgressEvent[] {
  const record = state.byVertex.get(log.vertex);
  const atMs = see(state, log.timestamp) ?? state.lastMs;
  if (record === undefined) return [];
  const heading = record.heading;
  const lines = record.addOutput(log.stream, Buffer.from(log.data, 'base64'));
  return heading === undefined ? [] : lines.map((line) => outputEvent(heading, record, line, atMs));
}

function outputEvent(
  step: NonNullable<StepRecord['heading']>,
  record: StepRecord,
  line: string,
  atMs: number,
): ProgressEvent {
  const startMs = Math.max(...[...record.runs.values()].map((run) => run.startMs));
  return { kind: 'output', step, line, offsetMs: Math.max(0, atMs - startMs) };
}

function readWarning(state: State, warning: BuildWarning): ProgressEvent[] {
  // A build for several platforms tells each warning once a platform.
  const key = JSON.stringify([warning.message, warning.file, warning.line]);
  if (state.warnings.has(key) || state.warnings.size >= MAX_WARNINGS) return [];
  state.warnings.set(key, warning);
  return [{ kind: 'warning', warning }];
}

function createLineSplitter(): { push(chunk: Uint8Array): string[]; flush(): string[] } {
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  let isDropping = false;
  const keep = (part: Uint8Array): void => {
    if (isDropping || part.length === 0) return;
    sizeBytes += part.length;
    parts.push(part);
    if (sizeBytes > MAX_LINE_BYTES) {
      isDropping = true;
      parts = [];
    }
  };
  const take = (): string => {
    const line = isDropping
      ? `A progress line of more than ${MAX_LINE_BYTES} bytes was dropped.`
      : Buffer.concat(parts).toString('utf8');
    parts = [];
    sizeBytes = 0;
    isDropping = false;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, end));
        lines.push(take());
        from = end + 1;
      }
      // Copied, as the caller may use its buffer again; a Buffer's own slice() doesn't copy.
      keep(Uint8Array.from(chunk.subarray(from)));
      return lines;
    },
    flush: () => (sizeBytes > 0 || isDropping ? [take()] : []),
  };
}

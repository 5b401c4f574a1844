import { StringDecoder } from 'node:string_decoder';
import type { BuildStep, Interval, StepHeading, StepName, Transfer } from './build-step.ts';
import { classifyTransfer } from './step-name.ts';
import { createLineAssembler, type LineAssembler, toPlainText } from './terminal-text.ts';

const OUTPUT_TAIL_LINES = 40;
const STDERR_TAIL_LINES = 10;
const OUTPUT_LINE_CHARACTERS = 2000;
const MAX_TRANSFERS = 5000;

/** What is known of a step while its stream is read. */
export type StepRecord = {
  readonly id: string;
  readonly name: string;
  readonly parsed: StepName;
  readonly runs: Map<string, { readonly startMs: number; readonly endMs: number | undefined }>;
  /** Set when the step begins. */
  heading: StepHeading | undefined;
  cached: boolean;
  error: string | undefined;
  readonly transfers: Map<string, Transfer & { readonly isOpen: boolean }>;
  /** Takes output as bytes, gives the lines it completes. */
  addOutput(stream: number, data: Uint8Array): string[];
  /** Ends the output, gives a last line without an end. */
  flushOutput(): string[];
  /** Undefined when the step has too many transfers already. */
  addTransfer(status: TransferStatus): Transfer | undefined;
  /** The last lines of the output, in the order they came. */
  outputTail(): string[];
};

type TransferStatus = {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly seenMs: number;
  readonly bytes: number;
};

type OutputStream = { readonly decoder: StringDecoder; readonly lines: LineAssembler };
type OutputLine = { readonly at: number; readonly text: string };

const STDERR = 2;
/** BuildKit knows streams 1 and 2; all others of a hostile stream count as one more. */
const OTHER = 3;

/** Starts the record of a step that has just been named. */
export function createStepRecord(id: string, name: string, parsed: StepName): StepRecord {
  const streams = new Map<number, OutputStream>();
  const tails = new Map<number, OutputLine[]>();
  let count = 0;
  const transfers: StepRecord['transfers'] = new Map();
  const keep = (stream: number, lines: readonly string[]): void => {
    const tail = tails.get(stream) ?? [];
    tails.set(stream, tail);
    for (const line of lines) {
      tail.push({ at: count, text: line.slice(0, OUTPUT_LINE_CHARACTERS) });
      count += 1;
    }
    if (tail.length > OUTPUT_TAIL_LINES) tail.splice(0, tail.length - OUTPUT_TAIL_LINES);
  };
  return {
    id,
    name,
    parsed,
    runs: new Map(),
    heading: undefined,
    cached: false,
    error: undefined,
    transfers,
    outputTail: () => mergeTails(tails),
    addOutput(number, data) {
      const stream = number === 1 || number === STDERR ? number : OTHER;
      const output = streams.get(stream) ?? {
        decoder: new StringDecoder('utf8'),
        lines: createLineAssembler(),
      };
      streams.set(stream, output);
      const lines = output.lines.push(output.decoder.write(Buffer.from(data)));
      keep(stream, lines);
      return lines;
    },
    flushOutput() {
      const lines = [...streams].flatMap(([stream, output]) => {
        const rest = output.lines.flush();
        keep(stream, rest);
        return rest;
      });
      streams.clear();
      return lines;
    },
    addTransfer(status) {
      const key = `${status.id}@${status.startMs}`;
      const known = transfers.get(key);
      if (known === undefined && transfers.size >= MAX_TRANSFERS) return undefined;
      const transfer = {
        kind: classifyTransfer(status.id, parsed),
        name: toPlainText(status.id.replace(/:$/, '')),
        startMs: status.startMs,
        endMs: Math.max(status.startMs, status.endMs ?? status.seenMs),
        bytes: Math.max(known?.bytes ?? 0, status.bytes),
        isOpen: status.endMs === undefined,
      };
      transfers.set(key, transfer);
      return transfer;
    },
  };
}

/**
 * The last lines of all, but never without the last ones of stderr: the two come apart, so that what
 * went wrong may arrive before a burst of stdout that was written earlier.
 */
function mergeTails(tails: ReadonlyMap<number, readonly OutputLine[]>): string[] {
  const errors = (tails.get(STDERR) ?? []).slice(-STDERR_TAIL_LINES);
  const others = [...tails.values()].flat().filter((line) => !errors.includes(line));
  const last = others.toSorted((a, b) => a.at - b.at).slice(errors.length - OUTPUT_TAIL_LINES);
  return [...errors, ...last].toSorted((a, b) => a.at - b.at).map(({ text }) => text);
}

/** @see moby/buildkit `util/progress/progressui`: an error that ends so is a cancellation. */
export function isCancellation(error: string): boolean {
  return error.endsWith('context canceled');
}

/** @param lastMs The end of what never ended: a canceled build leaves steps open. */
export function toBuildStep(record: StepRecord, lastMs: number): BuildStep {
  record.flushOutput();
  const error = record.error;
  return {
    ...record.parsed,
    id: record.id,
    name: record.name,
    intervals: mergeIntervals(
      [...record.runs.values()].map(({ startMs, endMs }) => ({
        startMs,
        endMs: Math.max(startMs, endMs ?? lastMs),
      })),
    ),
    cached: record.cached,
    ...(error === undefined ? {} : { error }),
    isCanceled: error !== undefined && isCancellation(error),
    transfers: [...record.transfers.values()].map(({ isOpen, ...transfer }) =>
      isOpen ? { ...transfer, endMs: Math.max(transfer.endMs, endOf(record, transfer, lastMs)) } : transfer,
    ),
    outputTail: record.outputTail(),
  };
}

/** A transfer that was never said to end (the last of a step often isn't) ends with the run it began in. */
function endOf(record: StepRecord, transfer: Interval, lastMs: number): number {
  const run = [...record.runs.values()].findLast(({ startMs }) => startMs <= transfer.startMs);
  return run?.endMs ?? lastMs;
}

function mergeIntervals(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    if (last === undefined || next.startMs > last.endMs) merged.push(next);
    else merged[merged.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, next.endMs) };
  }
  return merged;
}

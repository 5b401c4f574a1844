import * as z from 'zod/mini';
import { Status } from './api-errors.ts';
import { checkObject } from './api-objects.ts';
import type { KubernetesObject, WatchEvent } from './cluster.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { toOneLine } from './plain-text.ts';
import { type ApiRequest, backOff, sleep, type Transport } from './transport.ts';

/** All objects of a selection, and the version from which a watch goes on. */
export type Listing = { readonly objects: readonly KubernetesObject[]; readonly resourceVersion: string };

export type WatchSource = {
  readonly transport: Transport;
  readonly list: () => Promise<Listing>;
  /** The path of a watch from a version, held open by the server for so many seconds. */
  readonly pathFrom: (resourceVersion: string, seconds: number) => string;
  readonly operation: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
};

/** Lists and watches until the signal aborts. */
export async function* watchObjects(source: WatchSource): AsyncGenerator<WatchEvent, void, void> {
  try {
    yield* watchUntilAborted(source);
  } catch (error) {
    if (!source.signal.aborted) throw error;
  }
}

async function* watchUntilAborted(source: WatchSource): AsyncGenerator<WatchEvent, void, void> {
  const { transport, signal, log, operation } = source;
  const { timing } = transport;
  let version: string | undefined;
  let losses = 0;
  let lostSince: number | undefined;
  while (!signal.aborted) {
    if (version === undefined) {
      const { objects, resourceVersion } = await source.list();
      version = resourceVersion;
      yield { kind: 'snapshot', objects };
    }
    const startedAt = Date.now();
    let end: StreamEnd = { kind: 'lost', why: 'the connection ended', isLasting: false };
    for await (const item of readStream(source, version)) {
      if (item.kind === 'end') end = item.end;
      else {
        version = item.resourceVersion ?? version;
        losses = 0;
        lostSince = undefined;
        if (item.event !== undefined) yield item.event;
      }
    }
    signal.throwIfAborted();
    if (end.kind === 'over') {
      // Asked for and got: the server ended the request at the time it was given.
      losses = 0;
      lostSince = undefined;
      continue;
    }
    if (end.kind === 'lost' && end.isLasting) throw end.error;
    losses += 1;
    lostSince ??= startedAt;
    if (Date.now() - lostSince > timing.watchLossLimitMs) throw createLossError(source, end, lostSince);
    if (end.kind === 'expired') version = undefined;
    log(`${transport.host}: ${operation}: ${end.kind === 'expired' ? 'expired' : end.why}; going on`);
    // A first loss is repaired at once: most are a server that was restarted behind a balancer.
    if (losses > 1) await sleep(backOff(losses - 1, timing), signal);
  }
}

type StreamEnd =
  | { readonly kind: 'over' }
  /** 410: what came since the version isn't kept any more. */
  | { readonly kind: 'expired' }
  | {
      readonly kind: 'lost';
      readonly why: string;
      readonly isLasting: false;
      readonly error?: KubernetesError | undefined;
    }
  | { readonly kind: 'lost'; readonly why: string; readonly isLasting: true; readonly error: unknown };

type StreamItem =
  | {
      readonly kind: 'event';
      readonly event: WatchEvent | undefined;
      readonly resourceVersion: string | undefined;
    }
  | { readonly kind: 'end'; readonly end: StreamEnd };

/** One request of the watch, to its end. Throws nothing but what is a bug. */
async function* readStream(source: WatchSource, version: string): AsyncGenerator<StreamItem, void, void> {
  const { transport, signal, operation } = source;
  const { watchSpanMs, watchGraceMs } = transport.timing;
  const spanSeconds = Math.max(1, Math.round((watchSpanMs * (1 + Math.random() / 4)) / 1000));
  // Nothing tells a quiet server from a dead connection but that the server ends the request in time.
  const limit = AbortSignal.timeout(spanSeconds * 1000 + watchGraceMs);
  const closing = new AbortController();
  const either = AbortSignal.any([signal, limit, closing.signal]);
  const request: ApiRequest = {
    method: 'GET',
    path: source.pathFrom(version, spanSeconds),
    operation,
    isRepeatable: true,
    signal: undefined,
  };
  const startedAt = Date.now();
  try {
    const { stream } = await transport.open(request, either);
    for await (const line of readLines(stream as AsyncIterable<Buffer>)) {
      const item = readEvent(line, transport);
      yield item;
      if (item.kind === 'end') return;
    }
    const isOver = Date.now() - startedAt >= spanSeconds * 1000 - 1000;
    yield {
      kind: 'end',
      end: isOver ? { kind: 'over' } : { kind: 'lost', why: 'the connection ended', isLasting: false },
    };
  } catch (error) {
    if (signal.aborted) return;
    yield { kind: 'end', end: limit.aborted ? SILENT : endOf(error) };
  } finally {
    closing.abort();
  }
}

const SILENT: StreamEnd = { kind: 'lost', why: 'no word within its time', isLasting: false };

function endOf(error: unknown): StreamEnd {
  if (error instanceof KubernetesError) {
    if (error.status === 410) return { kind: 'expired' };
    return error.isTemporary
      ? { kind: 'lost', why: error.message, isLasting: false, error }
      : { kind: 'lost', why: error.message, isLasting: true, error };
  }
  // A connection that breaks while it is read.
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return { kind: 'lost', why: `the connection broke (${toOneLine(error.code, 60)})`, isLasting: false };
  return { kind: 'lost', why: '', isLasting: true, error };
}

const Event = z.object({ type: z.string(), object: z.unknown() });
const Bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

function readEvent(line: Buffer, transport: Transport): StreamItem {
  const event = Event.safeParse(parseJson(line));
  if (!event.success) return lost('a line that is no event');
  const { type, object } = event.data;
  if (type === 'BOOKMARK') {
    const bookmark = Bookmark.safeParse(object);
    return bookmark.success
      ? { kind: 'event', event: undefined, resourceVersion: bookmark.data.metadata.resourceVersion }
      : lost('a bookmark without a version');
  }
  if (type === 'ERROR') return readErrorEvent(object, transport);
  const checked = checkObject(object);
  if (checked === undefined) return lost('an event without an object');
  const { resourceVersion } = checked.metadata;
  if (type === 'DELETED')
    return { kind: 'event', event: { kind: 'deleted', object: checked }, resourceVersion };
  if (type === 'ADDED' || type === 'MODIFIED')
    return { kind: 'event', event: { kind: 'changed', object: checked }, resourceVersion };
  return lost('an event of an unknown type');
}

function readErrorEvent(object: unknown, transport: Transport): StreamItem {
  const status = Status.safeParse(object);
  if (!status.success) return lost('an error without a status');
  if (status.data.code === 410) return { kind: 'end', end: { kind: 'expired' } };
  return lost(`${transport.host} ended it: ${toOneLine(status.data.message, 120)}`);
}

function lost(why: string): StreamItem {
  return { kind: 'end', end: { kind: 'lost', why, isLasting: false } };
}

function createLossError(source: WatchSource, end: StreamEnd, since: number): KubernetesError {
  const why = end.kind === 'lost' ? end.why.replace(/\.?$/, '') : 'its version is always expired';
  const seconds = Math.round((Date.now() - since) / 1000);
  return new KubernetesError({
    operation: source.operation,
    message: toOneLine(
      `${source.transport.host} could not go on to ${source.operation} for ${seconds} s: ${why}. Check that the API server is up.`,
      300,
    ),
    isTemporary: true,
  });
}

/** etcd takes objects of 1.5 MiB; as JSON, with its fields' owners, one may have some times that. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** Lines of a stream. What follows the last line break is a line that was cut off, and is left out. */
async function* readLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      sizeBytes = 0;
      start = end + 1;
      if (line.length > 0) yield line;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    sizeBytes += chunk.length - start;
    if (sizeBytes > MAX_LINE_BYTES)
      throw new KubernetesError({
        operation: 'watch',
        message: `A watch gave a line of more than ${MAX_LINE_BYTES} bytes, expected at most that. Check that the address is a Kubernetes API server's.`,
      });
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

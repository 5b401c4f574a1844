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

/** From where a watch goes on; undefined where everything is to be listed again. */
type Position = { version: string | undefined };

async function* watchUntilAborted(source: WatchSource): AsyncGenerator<WatchEvent, void, void> {
  const losses = createLossCount(source);
  const position: Position = { version: undefined };
  yield await takeSnapshot(source, position);
  while (!source.signal.aborted) {
    const end = yield* follow(source, position, losses.forget);
    source.signal.throwIfAborted();
    if (end.kind === 'over') losses.forget();
    else await losses.add(end);
  }
}

async function takeSnapshot(source: WatchSource, position: Position): Promise<WatchEvent> {
  const { objects, resourceVersion } = await source.list();
  position.version = resourceVersion;
  return { kind: 'snapshot', objects };
}

/** One request of the watch to its end, with a list before it where that is needed. */
async function* follow(
  source: WatchSource,
  position: Position,
  onLife: () => void,
): AsyncGenerator<WatchEvent, StreamEnd, void> {
  try {
    if (position.version === undefined) yield await takeSnapshot(source, position);
    for await (const item of readStream(source, position.version ?? '')) {
      if (item.kind === 'end') return item.end;
      onLife();
      if (item.kind === 'alive') continue;
      position.version = item.resourceVersion ?? position.version;
      if (item.event !== undefined) yield item.event;
    }
    return LOST;
  } catch (error) {
    const end = endOf(error);
    if (end.kind === 'expired') position.version = undefined;
    return end;
  }
}

/** Counts losses one after another, waits longer after each, and gives up in the end. */
function createLossCount({ transport, operation, signal, log }: WatchSource) {
  const { host, timing } = transport;
  let count = 0;
  let since: number | undefined;
  let said = '';
  return {
    forget: () => {
      count = 0;
      since = undefined;
      said = '';
    },
    add: async (end: Exclude<StreamEnd, { kind: 'over' }>) => {
      if (end.kind === 'lost' && end.error !== undefined) throw end.error;
      const why = end.kind === 'expired' ? 'its version has expired' : end.why.replace(/\.$/, '');
      count += 1;
      since ??= Date.now();
      const lostMs = Date.now() - since;
      if (lostMs > timing.watchLossLimitMs)
        throw new KubernetesError({
          operation,
          message: toOneLine(
            `${host} could not go on to ${operation} for ${Math.round(lostMs / 1000)} s: ${why}. Check that the API server is up.`,
            300,
          ),
          isTemporary: true,
        });
      // One line for each cause of an outage, not for each try.
      if (why !== said) log(`${host}: ${operation}: ${why}; going on`);
      said = why;
      // A first loss is repaired at once: most are a server that was restarted behind a balancer.
      if (count > 1) await sleep(backOff(count - 1, timing), signal);
    },
  };
}

type StreamEnd =
  /** Asked for and got: the server ended the request at the time it was given. */
  | { readonly kind: 'over' }
  /** 410: what came since the version isn't kept any more. */
  | { readonly kind: 'expired' }
  /** With an error where going on is of no use. */
  | { readonly kind: 'lost'; readonly why: string; readonly error?: unknown };

const LOST: StreamEnd = { kind: 'lost', why: 'the connection ended' };
const SILENT: StreamEnd = { kind: 'lost', why: 'no word within its time' };

type StreamItem =
  /** It was open for a while, though nothing may have come. */
  | { readonly kind: 'alive' }
  | {
      readonly kind: 'event';
      readonly event: WatchEvent | undefined;
      readonly resourceVersion: string | undefined;
    }
  | { readonly kind: 'end'; readonly end: StreamEnd };

/** What stands between may end a quiet connection in its own time; that is no sign of trouble. */
const LIFE_MS = 5_000;

/**
 * Reads one request of the watch.
 *
 * @throws what {@link endOf} makes an end of.
 */
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
  let openedAt: number | undefined;
  try {
    const { stream } = await transport.open(request, either);
    openedAt = Date.now();
    for await (const line of readLines(stream as AsyncIterable<Buffer>)) yield readEvent(line, transport);
    // Less than a second is what the server's clock and ours may differ by.
    if (Date.now() - startedAt >= spanSeconds * 1000 - 1000) yield { kind: 'end', end: { kind: 'over' } };
    else if (Date.now() - openedAt >= LIFE_MS) yield { kind: 'alive' };
  } catch (error) {
    signal.throwIfAborted();
    if (openedAt !== undefined && Date.now() - openedAt >= LIFE_MS) yield { kind: 'alive' };
    if (!limit.aborted) throw error;
    yield { kind: 'end', end: SILENT };
  } finally {
    closing.abort();
  }
}

/** 410 within a stream. */
class ExpiredError extends Error {
  override readonly name = 'ExpiredError';
}

function endOf(error: unknown): StreamEnd {
  if (error instanceof ExpiredError) return { kind: 'expired' };
  if (error instanceof KubernetesError) {
    if (error.status === 410) return { kind: 'expired' };
    return error.isTemporary
      ? { kind: 'lost', why: error.message }
      : { kind: 'lost', why: error.message, error };
  }
  // A connection that breaks while it is read.
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return { kind: 'lost', why: `the connection broke (${toOneLine(error.code, 60)})` };
  return { kind: 'lost', why: '', error };
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
  if (status.data.code === 410) throw new ExpiredError('The version has expired.');
  return lost(`${transport.host} ended it: ${toOneLine(status.data.message, 120)}`);
}

function lost(why: string): StreamItem {
  return { kind: 'end', end: { kind: 'lost', why } };
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

import { setTimeout as wait } from 'node:timers/promises';
import { isSafeUrl } from './address.ts';
import { toOneLine } from './plain-text.ts';
import { isTemporaryStatus, RegistryError, shorten } from './registry-error.ts';

/** One HTTP call and what errors say about it. */
export interface HttpRequest {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string | undefined;
  /** The registry's host as references name it. */
  readonly host: string;
  /** What is being done, `GET manifest team/app:1`. */
  readonly operation: string;
  /** Largest body of a good answer that is accepted, in bytes after decompression. */
  readonly maxBytes: number;
  /** Whether the call may be made again when it is unknown if it took effect. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal;
}

/** An answer of any status that was read to its end; the body of a failure is cut at 64 KiB. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
}

/** Makes a call, with retries; rejects with a `RegistryError` when no answer came. */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** The outside of the transport. Tests set the times; real use takes the defaults. */
export interface TransportOptions {
  readonly fetch?: typeof fetch;
  /** Waits, and rejects when the signal aborts. */
  readonly sleep?: (durationMs: number, signal: AbortSignal) => Promise<void>;
  readonly now?: () => number;
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number;
  readonly log?: (line: string) => void;
  /** Longest time for one try, answer included. */
  readonly tryLimitMs?: number;
  /** Longest time for a call with all its tries and waits. */
  readonly totalLimitMs?: number;
}

const MAX_TRIES = 4;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8_000;
/** A registry that asks for more patience than this gets its error at once instead. */
const MAX_RETRY_AFTER_MS = 60_000;
const TRY_LIMIT_MS = 30_000;
const TOTAL_LIMIT_MS = 120_000;
const MAX_REDIRECTS = 5;
const MAX_ERROR_BYTES = 65_536;
const USER_AGENT = 'sophia-actions';

type Options = Required<TransportOptions>;

/**
 * Makes the one way out to the network: `fetch` with retries on 408, 425, 429, 5xx and broken connections
 * (4 tries; 0.5 s, 1 s, 2 s, each between half and the whole of it; `Retry-After` where the answer has one),
 * a limit on time and on size, and redirects followed by hand: `Authorization` never goes to another origin,
 * and plain HTTP is spoken to the loopback address only.
 */
export function createTransport(options: TransportOptions): Send {
  const all: Options = {
    fetch: options.fetch ?? globalThis.fetch,
    sleep: options.sleep ?? sleepUnlessAborted,
    now: options.now ?? Date.now,
    random: options.random ?? Math.random,
    log: options.log ?? (() => undefined),
    tryLimitMs: options.tryLimitMs ?? TRY_LIMIT_MS,
    totalLimitMs: options.totalLimitMs ?? TOTAL_LIMIT_MS,
  };
  return (request) => sendWithRetries(request, all);
}

async function sleepUnlessAborted(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(durationMs, undefined, { signal });
  } catch (error) {
    // Node's timer rejects with an error of its own; callers look for the signal's reason.
    signal.throwIfAborted();
    throw error;
  }
}

async function sendWithRetries(request: HttpRequest, options: Options): Promise<HttpAnswer> {
  const startedAt = options.now();
  for (let tries = 1; ; tries += 1) {
    const leftMs = startedAt + options.totalLimitMs - options.now();
    const outcome = await tryOnce(request, options, Math.min(options.tryLimitMs, leftMs));
    if (outcome.kind === 'answer' && !isTemporaryStatus(outcome.answer.status)) return outcome.answer;
    const delayMs = chooseDelay(request, outcome, tries, options);
    const canWait = delayMs !== undefined && options.now() + delayMs < startedAt + options.totalLimitMs;
    if (!canWait || tries >= MAX_TRIES) {
      if (outcome.kind === 'answer') return outcome.answer;
      throw outcome.error;
    }
    const reason = outcome.kind === 'answer' ? `answered ${outcome.answer.status}` : `did not answer`;
    options.log(
      `${request.host} ${reason} to ${shorten(request.operation)}; trying again in ${Math.round(delayMs)} ms`,
    );
    await options.sleep(delayMs, request.signal);
  }
}

type Outcome =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | { readonly kind: 'none'; readonly error: RegistryError };

/** How long to wait before the next try; undefined: there is to be none. */
function chooseDelay(
  request: HttpRequest,
  outcome: Outcome,
  tries: number,
  options: Options,
): number | undefined {
  // Too many requests: this one was turned away before it had any effect.
  const isRefused = outcome.kind === 'answer' && outcome.answer.status === 429;
  if (!request.isRepeatable && !isRefused) return undefined;
  if (outcome.kind === 'none' && !outcome.error.isTemporary) return undefined;
  const asked =
    outcome.kind === 'answer'
      ? parseRetryAfter(outcome.answer.headers.get('retry-after'), options.now())
      : undefined;
  if (asked !== undefined) return asked <= MAX_RETRY_AFTER_MS ? asked : undefined;
  const wholeMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1));
  return wholeMs * (0.5 + options.random() / 2);
}

/** Milliseconds that a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,10}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

async function tryOnce(request: HttpRequest, options: Options, limitMs: number): Promise<Outcome> {
  const limit = AbortSignal.timeout(Math.max(1, Math.floor(limitMs)));
  const signal = AbortSignal.any([request.signal, limit]);
  try {
    return { kind: 'answer', answer: await follow(request, options, signal) };
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof RegistryError) return { kind: 'none', error };
    if (limit.aborted) return { kind: 'none', error: createTimeoutError(request, limitMs, error) };
    if (error instanceof TypeError) return { kind: 'none', error: createNetworkError(request, error) };
    throw error;
  }
}

async function follow(request: HttpRequest, options: Options, signal: AbortSignal): Promise<HttpAnswer> {
  let url = request.url;
  let headers: Readonly<Record<string, string>> = { 'user-agent': USER_AGENT, ...request.headers };
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    if (!isSafeUrl(url)) throw createUnsafeError(request, url);
    const startedAt = options.now();
    const init: RequestInit = { method: request.method, headers, redirect: 'manual', signal };
    if (request.body !== undefined) init.body = request.body;
    const response = await options.fetch(url, init);
    options.log(
      `${request.host}: ${shorten(request.operation)}: ${response.status} in ${Math.round(options.now() - startedAt)} ms`,
    );
    const next = findNextUrl(request, response, url);
    if (next === undefined) return readAnswer(request, response, url);
    await response.body?.cancel();
    if (next.origin !== url.origin) headers = withoutAuthorization(headers);
    url = next;
  }
  throw new RegistryError({
    host: request.host,
    operation: request.operation,
    message: `${request.host} redirected ${shorten(request.operation)} more than ${MAX_REDIRECTS} times. Check the registry's set-up.`,
  });
}

/** Where an answer redirects to, if it may be followed with the same method and body. */
function findNextUrl(request: HttpRequest, response: Response, url: URL): URL | undefined {
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  const isRedirect =
    [307, 308].includes(response.status) || (isReading && [301, 302, 303].includes(response.status));
  const location = response.headers.get('location');
  if (!isRedirect || location === null || !URL.canParse(location, url.href)) return undefined;
  const next = new URL(location, url);
  // Content is never written to an origin that the user didn't name.
  return isReading || next.origin === url.origin ? next : undefined;
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
}

async function readAnswer(request: HttpRequest, response: Response, url: URL): Promise<HttpAnswer> {
  const maxBytes = response.ok ? request.maxBytes : MAX_ERROR_BYTES;
  const { body, isWhole } = await readUpTo(response, maxBytes);
  if (response.ok && !isWhole) {
    throw new RegistryError({
      host: request.host,
      operation: request.operation,
      status: response.status,
      message: `${request.host} answered ${shorten(request.operation)} with more than ${maxBytes} bytes, expected at most that. Check that it is an image.`,
    });
  }
  return { status: response.status, headers: response.headers, body, url };
}

/** Reads a body, at most `maxBytes` of it; the rest is never fetched. */
async function readUpTo(
  response: Response,
  maxBytes: number,
): Promise<{ body: Uint8Array<ArrayBuffer>; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  if (response.body !== null) {
    for await (const chunk of response.body) {
      const room = maxBytes - sizeBytes;
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      sizeBytes += Math.min(chunk.length, room);
      // Leaving the loop cancels the stream.
      if (chunk.length > room) return { body: concatenate(chunks, sizeBytes), isWhole: false };
    }
  }
  return { body: concatenate(chunks, sizeBytes), isWhole: true };
}

function concatenate(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function createUnsafeError(request: HttpRequest, url: URL): RegistryError {
  const where = toOneLine(url.host, 60);
  return new RegistryError({
    host: request.host,
    operation: request.operation,
    message: `${request.host} leads ${shorten(request.operation)} to ${where} over ${url.protocol.slice(0, -1)}, expected https. Give that address a certificate.`,
  });
}

function createTimeoutError(request: HttpRequest, limitMs: number, cause: unknown): RegistryError {
  return new RegistryError({
    host: request.host,
    operation: request.operation,
    isTemporary: true,
    message: `${request.host} did not answer ${shorten(request.operation)} within ${Math.round(limitMs / 100) / 10} s. Check that the registry is up.`,
    cause,
  });
}

/** What a connection's failure means, by Node's, OpenSSL's and undici's codes. Others pass with the next try. */
const LASTING_FAILURES: Readonly<Record<string, readonly [meaning: string, fix: string]>> = {
  ENOTFOUND: ['no such host', 'Check the host name.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['its certificate is self-signed', 'Set NODE_EXTRA_CA_CERTS to its file.'],
  SELF_SIGNED_CERT_IN_CHAIN: [
    'its certificate authority is not trusted',
    "Set NODE_EXTRA_CA_CERTS to the authority's file.",
  ],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'its certificate authority is not trusted',
    "Set NODE_EXTRA_CA_CERTS to the authority's file.",
  ],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    'its certificate authority is not trusted',
    "Set NODE_EXTRA_CA_CERTS to the authority's file.",
  ],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'Renew it.'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['its certificate is for another host', 'Check the host name.'],
  ERR_SSL_WRONG_VERSION_NUMBER: [
    'it does not speak TLS',
    'Give it a certificate: plain HTTP is for loopback addresses only.',
  ],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: [
    'it does not speak TLS',
    'Give it a certificate: plain HTTP is for loopback addresses only.',
  ],
  HPE_INVALID_CONSTANT: ['it does not speak HTTP', 'Check the port.'],
};
const PASSING_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EAI_AGAIN: 'the name could not be looked up',
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

function createNetworkError(request: HttpRequest, error: TypeError): RegistryError {
  const code = findCode(error);
  const lasting = code === undefined ? undefined : LASTING_FAILURES[code];
  const meaning =
    lasting?.[0] ?? (code === undefined ? 'connection failed' : (PASSING_FAILURES[code] ?? code));
  return new RegistryError({
    host: request.host,
    operation: request.operation,
    isTemporary: lasting === undefined,
    message: `${request.host} could not be reached for ${shorten(request.operation)}: ${meaning}. ${lasting?.[1] ?? 'Check that the registry is up.'}`,
    cause: error,
  });
}

/** `fetch` hides the reason: in its cause, or (several addresses tried) in the first of the cause's errors. */
function findCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    if ('code' in current && typeof current.code === 'string') return toOneLine(current.code, 40);
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
}

import type {
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  RequestOptions,
} from 'node:http';
import type { Agent } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { createAnswerError, createConnectionError, createTimeoutError } from './api-errors.ts';
import { proxyOf } from './check-tls.ts';
import type { Credential, Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { toOneLine } from './plain-text.ts';

/** One call of the API and what errors say about it. */
export type ApiRequest = {
  readonly method: 'DELETE' | 'GET' | 'PATCH' | 'POST';
  /** Path and query below the server's address, `/api/v1/pods?limit=500`. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  /** What is being done, `apply Deployment inference/vllm`. */
  readonly operation: string;
  /** Whether the call may be made again when it is unknown if it took effect. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal | undefined;
};

/** An answer of any status, read to its end. */
export type ApiAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type ApiStream = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: IncomingMessage;
};

/** Times of the client, in milliseconds. Tests set them; real use takes the defaults. */
export type Timing = {
  /** Longest time for one try, answer included. */
  readonly tryLimitMs: number;
  /** No try begins later than this after the first. */
  readonly retryLimitMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** How long the server is asked to hold one request of a watch. */
  readonly watchSpanMs: number;
  /** How much longer than that a watch waits for the server to end it. */
  readonly watchGraceMs: number;
  /** How long a watch goes on trying a server that it can't reach. */
  readonly watchLossLimitMs: number;
};

export const DEFAULT_TIMING: Timing = {
  tryLimitMs: 30_000,
  retryLimitMs: 30_000,
  firstDelayMs: 250,
  maxDelayMs: 8_000,
  watchSpanMs: 40_000,
  watchGraceMs: 15_000,
  watchLossLimitMs: 120_000,
};

export type Transport = {
  /**
   * Makes a call, again where that may help.
   *
   * @returns An answer of status 2xx, or of one of `expected`.
   * @throws {KubernetesError} for any other.
   */
  readonly send: (request: ApiRequest, expected?: readonly number[]) => Promise<ApiAnswer>;
  /**
   * Begins a call whose answer is read as it comes, once; the signal ends it. An answer of status 400 and more is an
   * error.
   */
  readonly open: (request: ApiRequest, signal: AbortSignal) => Promise<ApiStream>;
  readonly secrets: ReadonlySet<string>;
  /** `host:port`, for messages. */
  readonly host: string;
  readonly timing: Timing;
};

type Parts = {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly log: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timing: Timing;
};

const USER_AGENT = 'sophia-actions';
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;
const NEVER = new AbortController().signal;

/**
 * Makes the way to one API server. Broken connections, 429 and 5xx are tried again for some 30 s with growing,
 * jittered pauses (`Retry-After` where the answer has one), one 401 with renewed credentials.
 */
export async function createTransport(parts: Parts): Promise<Transport> {
  const wire = await createWire(parts);
  return {
    send: (request, expected = []) => sendWithRetries(request, expected, parts, wire),
    open: (request, signal) => openStream(request, signal, parts, wire),
    secrets: parts.credentials.secrets,
    host: parts.endpoint.server.host,
    timing: parts.timing,
  };
}

type Agents = {
  readonly for: Credential['clientCertificate'];
  readonly kept: Agent;
  readonly single: Agent;
};

/** Sends one request; resolves with the head of its answer. */
type Wire = (request: ApiRequest, credential: Credential, signal: AbortSignal) => Promise<IncomingMessage>;

async function createWire({ endpoint, env }: Parts): Promise<Wire> {
  const { server } = endpoint;
  const isPlain = server.protocol === 'http:';
  const { Agent, request: start } = isPlain ? await import('node:http') : await import('node:https');
  const agentOptions = {
    keepAliveMsecs: 15_000,
    ...(isPlain ? {} : tlsOptionsOf(endpoint)),
    ...proxyOptionsOf(endpoint, env),
  };
  let agents: Agents | undefined;
  const agentOf = ({ clientCertificate }: Credential, isRepeatable: boolean): Agent => {
    if (agents === undefined || agents.for !== clientCertificate) {
      const identity =
        clientCertificate === undefined
          ? {}
          : { cert: clientCertificate.certificate, key: clientCertificate.key };
      const make = (keepAlive: boolean) => new Agent({ ...agentOptions, ...identity, keepAlive }) as Agent;
      agents = { for: clientCertificate, kept: make(true), single: make(false) };
    }
    // A kept connection may have been closed by the other side, which shows only when a request is sent.
    return isRepeatable ? agents.kept : agents.single;
  };
  const basePath = server.pathname.replace(/\/+$/, '');

  return (request, credential, signal) =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = {
        method: request.method,
        hostname: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port,
        path: `${basePath}${request.path}`,
        headers: headersOf(request, credential, endpoint),
        signal,
        agent: agentOf(credential, request.isRepeatable),
      };
      const outgoing: ClientRequest = start(options, resolve);
      outgoing.on('error', reject);
      outgoing.end(request.body);
    });
}

function headersOf(request: ApiRequest, credential: Credential, endpoint: Endpoint): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'user-agent': USER_AGENT,
    accept: 'application/json',
    ...endpoint.impersonation,
  };
  if (credential.authorization !== undefined) headers['authorization'] = credential.authorization;
  if (request.body !== undefined) {
    headers['content-type'] = request.contentType ?? 'application/json';
    headers['content-length'] = String(Buffer.byteLength(request.body));
  }
  return headers;
}

function tlsOptionsOf(endpoint: Endpoint) {
  const { certificateAuthority, isInsecure, tlsServerName } = endpoint;
  return {
    rejectUnauthorized: !isInsecure,
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
  };
}

function proxyOptionsOf(endpoint: Endpoint, env: Parts['env']) {
  const proxy = proxyOf(endpoint, env);
  if (proxy === undefined) return {};
  const except = endpoint.proxyUrl === undefined ? (env['NO_PROXY'] ?? env['no_proxy']) : undefined;
  return {
    proxyEnv: {
      HTTPS_PROXY: proxy,
      HTTP_PROXY: proxy,
      ...(except === undefined ? {} : { NO_PROXY: except }),
    },
  };
}

async function sendWithRetries(
  request: ApiRequest,
  expected: readonly number[],
  parts: Parts,
  wire: Wire,
): Promise<ApiAnswer> {
  const { timing, log } = parts;
  const startedAt = Date.now();
  for (let tries = 1; ; tries += 1) {
    const outcome = await tryWithRenewal(request, parts, wire);
    if (outcome.kind === 'answer') {
      const { status } = outcome.answer;
      if (isGood(status) || expected.includes(status)) return outcome.answer;
    }
    const error = outcome.kind === 'answer' ? errorOf(request, outcome.answer, parts) : outcome.error;
    const delayMs = chooseDelay(request, outcome, error, tries, timing);
    if (delayMs === undefined || Date.now() + delayMs > startedAt + timing.retryLimitMs) throw error;
    log(`${error.message} Trying again in ${Math.round(delayMs)} ms.`);
    await sleep(delayMs, request.signal);
  }
}

/** A token may have run out since it was got: the first 401 is answered with another one. */
async function tryWithRenewal(request: ApiRequest, parts: Parts, wire: Wire): Promise<Outcome> {
  const outcome = await tryOnce(request, parts, wire);
  const isRefused = outcome.kind === 'answer' && outcome.answer.status === 401;
  return isRefused && parts.credentials.renew(outcome.credential) ? tryOnce(request, parts, wire) : outcome;
}

type Outcome =
  | { readonly kind: 'answer'; readonly answer: ApiAnswer; readonly credential: Credential }
  /** `isUntouched`: the request can't have reached the API server. */
  | { readonly kind: 'none'; readonly error: KubernetesError; readonly isUntouched: boolean };

/** How long to wait before the next try; undefined: there is to be none. */
function chooseDelay(
  request: ApiRequest,
  outcome: Outcome,
  error: KubernetesError,
  tries: number,
  timing: Timing,
): number | undefined {
  if (!error.isTemporary) return undefined;
  // Too many requests: this one was turned away before it had any effect.
  const isUntouched = outcome.kind === 'answer' ? outcome.answer.status === 429 : outcome.isUntouched;
  if (!request.isRepeatable && !isUntouched) return undefined;
  const asked =
    outcome.kind === 'answer' ? parseRetryAfter(outcome.answer.headers['retry-after']) : undefined;
  return Math.max(asked ?? 0, backOff(tries, timing));
}

/** A pause that doubles with each try, between half and the whole of it. */
export function backOff(tries: number, timing: Timing): number {
  const wholeMs = Math.min(timing.maxDelayMs, timing.firstDelayMs * 2 ** (tries - 1));
  return wholeMs * (0.5 + Math.random() / 2);
}

/** Milliseconds that a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 section 10.2.3). */
function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,10}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Waits, and rejects with the signal's reason when that aborts. */
export async function sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await wait(durationMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

async function tryOnce(request: ApiRequest, parts: Parts, wire: Wire): Promise<Outcome> {
  const limit = AbortSignal.timeout(parts.timing.tryLimitMs);
  const signal = request.signal === undefined ? limit : AbortSignal.any([request.signal, limit]);
  const credential = await parts.credentials.current(request.signal ?? NEVER);
  const { host } = parts.endpoint.server;
  try {
    const response = await wire(request, credential, signal);
    const status = response.statusCode ?? 0;
    const { body, isWhole } = await readUpTo(response, isGood(status) ? MAX_BODY_BYTES : MAX_ERROR_BYTES);
    for (const warning of warningsOf(response.headers['warning'])) parts.log(`${host} warns: ${warning}`);
    if (!isWhole && isGood(status)) throw createSizeError(request, host);
    return { kind: 'answer', answer: { status, headers: response.headers, body }, credential };
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof KubernetesError) throw error;
    if (limit.aborted) {
      const { tryLimitMs } = parts.timing;
      return {
        kind: 'none',
        error: createTimeoutError(host, request.operation, tryLimitMs),
        isUntouched: false,
      };
    }
    return toFailure(host, request.operation, error);
  }
}

/** What the API server warns of, such as a version that it will drop: `299 - "…"`, several in a row. */
function warningsOf(header: string | undefined): readonly string[] {
  const texts = (header ?? '').matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...texts].slice(0, 20).map(([, text = '']) => toOneLine(text.replace(/\\(.)/g, '$1'), 300));
}

/** Codes of failures before anything was sent. */
const UNTOUCHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function toFailure(host: string, operation: string, error: unknown): Outcome {
  const failure = createConnectionError(host, operation, error);
  if (failure === undefined) throw error;
  return { kind: 'none', error: failure.error, isUntouched: UNTOUCHED.has(failure.code) };
}

function createSizeError(request: ApiRequest, host: string): KubernetesError {
  return new KubernetesError({
    operation: request.operation,
    message: `${host} answered ${request.operation} with more than ${MAX_BODY_BYTES} bytes, expected at most that. Ask for less.`,
  });
}

async function openStream(
  request: ApiRequest,
  signal: AbortSignal,
  parts: Parts,
  wire: Wire,
): Promise<ApiStream> {
  const { host } = parts.endpoint.server;
  for (let isRenewed = false; ; isRenewed = true) {
    const credential = await parts.credentials.current(signal);
    const response = await wire(request, credential, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      const failure = createConnectionError(host, request.operation, error);
      throw failure === undefined ? error : failure.error;
    });
    const status = response.statusCode ?? 0;
    if (isGood(status)) return { status, headers: response.headers, stream: response };
    const { body } = await readUpTo(response, MAX_ERROR_BYTES);
    if (status === 401 && !isRenewed && parts.credentials.renew(credential)) continue;
    throw errorOf(request, { status, headers: response.headers, body }, parts);
  }
}

function errorOf(request: ApiRequest, answer: ApiAnswer, { endpoint, credentials }: Parts): KubernetesError {
  return createAnswerError({
    host: endpoint.server.host,
    operation: request.operation,
    status: answer.status,
    body: answer.body,
    secrets: credentials.secrets,
    expiresAtMs: credentials.expiresAtMs(),
  });
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Reads a body, at most `maxBytes` of it; the rest is never fetched. */
async function readUpTo(
  response: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly body: Buffer; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const room = maxBytes - sizeBytes;
    chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    sizeBytes += Math.min(chunk.length, room);
    // Leaving the loop ends the connection.
    if (chunk.length > room) return { body: Buffer.concat(chunks), isWhole: false };
  }
  return { body: Buffer.concat(chunks), isWhole: true };
}

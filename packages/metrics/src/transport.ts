import { setTimeout as wait } from 'node:timers/promises';
import { type Absent, absent } from './absent.ts';
import { MAX_MESSAGE_CHARACTERS, toOneLine, withoutSecrets } from './plain-text.ts';

/** A good answer, read to its end. */
export type Reply = {
  readonly kind: 'reply';
  readonly text: string;
  /** Of the run's own clock. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Of the `Date` header, whose resolution is one second. */
  readonly dateMs: number | undefined;
};

/** Asks one endpoint of the HTTP API, with retries. Rejects only when the signal aborts. */
export type Send = (
  path: string,
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Reply | Absent>;

/** How the HTTP API is reached. */
export type TransportOptions = {
  /** `https://prometheus.example/prefix`; a user name and password in it are sent as basic authentication. */
  readonly address: string;
  /** Longest time for one try, answer included. */
  readonly timeoutMs: number;
  /** How often a call is tried again. */
  readonly retries: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  readonly now?: () => number;
  /** Waits, and rejects when the signal aborts. */
  readonly sleep?: (durationMs: number, signal: AbortSignal) => Promise<void>;
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number;
  /** Largest answer, in bytes after decompression. */
  readonly maxBytes?: number;
};

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8_000;
/** A server that asks for more patience than this is not waited for. */
const MAX_RETRY_AFTER_MS = 30_000;
/** Tries after one that ended in silence: it seldom helps, and costs the most time. */
const RETRIES_AFTER_SILENCE = 1;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_BYTES = 65_536;
/** Calls at one time: as many as Prometheus evaluates at once where nobody says otherwise. */
const MAX_CALLS = 20;
/** Above this a query goes in the body: servers and proxies take at least 8,000 bytes of a request's line. */
const MAX_URL_CHARACTERS = 6_000;

type Options = Required<Omit<TransportOptions, 'address' | 'headers'>> & {
  readonly base: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
};

type Failure = {
  readonly kind: 'failure';
  readonly absent: Absent;
  readonly isTemporary: boolean;
  readonly isSilence: boolean;
  readonly retryAfterMs: number | undefined;
};

/** The way to a Prometheus server. */
export type Transport = {
  readonly send: Send;
  /** Takes the secrets that were sent out of what came back. */
  readonly redact: (text: string) => string;
};

/** Makes the way to a Prometheus server: `fetch`, no redirect followed, all that fails turned into its reason. */
export function createTransport(given: TransportOptions): Transport {
  const base = new URL(given.address);
  const password = decode(base.password);
  const login = base.username === '' ? undefined : `${decode(base.username)}:${password}`;
  base.username = '';
  base.password = '';
  // A secret is often kept with the end of its line.
  const own = Object.entries(given.headers ?? {}).map(([name, value]) => [name, value.trim()] as const);
  const secret = {
    ...(login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
    ...Object.fromEntries(own),
  };
  const options: Options = {
    base,
    secrets: [...Object.values(secret), login ?? '', password].flatMap((text) => [
      text,
      text.replace(/^(?:Bearer|Basic)\s+/i, ''),
    ]),
    headers: { accept: 'application/json', 'user-agent': 'sophia-actions', ...secret },
    timeoutMs: given.timeoutMs,
    retries: given.retries,
    log: given.log,
    now: given.now ?? Date.now,
    sleep: given.sleep ?? sleepUnlessAborted,
    random: given.random ?? Math.random,
    maxBytes: given.maxBytes ?? MAX_ANSWER_BYTES,
  };
  const enter = createGate(MAX_CALLS);
  const wrong = own.find(([, value]) => !/^[\t\x20-\x7e\x80-\xff]*$/.test(value));
  const send: Send = async (path, parameters, signal) => {
    if (wrong !== undefined) {
      const message = `can’t be asked: the header "${wrong[0]}" has a character that no header holds. Correct it.`;
      return fail('provider-error', message, options).absent;
    }
    const leave = await enter();
    try {
      return await sendWithRetries(path, parameters, options, signal);
    } finally {
      leave();
    }
  };
  return { send, redact: (text) => withoutSecrets(text, options.secrets) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** Lets that many in at a time, the others in their order. */
function createGate(places: number): () => Promise<() => void> {
  let free = places;
  const waiting: (() => void)[] = [];
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return leave;
  };
}

async function sleepUnlessAborted(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(durationMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function sendWithRetries(
  path: string,
  parameters: Readonly<Record<string, string>>,
  options: Options,
  signal: AbortSignal,
): Promise<Reply | Absent> {
  let silences = 0;
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    const outcome = await tryOnce(path, parameters, options, signal);
    if (outcome.kind === 'reply') return outcome;
    silences += outcome.isSilence ? 1 : 0;
    const asked = outcome.retryAfterMs;
    const isHopeless =
      !outcome.isTemporary ||
      tries >= options.retries ||
      silences > RETRIES_AFTER_SILENCE ||
      (asked ?? 0) > MAX_RETRY_AFTER_MS;
    if (isHopeless) return outcome.absent;
    const delayMs = asked ?? options.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** tries);
    options.log(`${outcome.absent.message} Trying again in ${Math.round(delayMs)} ms.`);
    await options.sleep(delayMs, signal);
  }
}

async function tryOnce(
  path: string,
  parameters: Readonly<Record<string, string>>,
  options: Options,
  signal: AbortSignal,
): Promise<Reply | Failure> {
  const limit = AbortSignal.timeout(options.timeoutMs);
  try {
    return await call(path, parameters, options, AbortSignal.any([signal, limit]));
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) {
      const message = `did not answer within ${options.timeoutMs / 1000} s. Raise "timeout", or ask for less.`;
      return fail('timeout', message, options, { isTemporary: true, isSilence: true });
    }
    if (error instanceof TypeError) return failConnection(error, options);
    throw error;
  }
}

async function call(
  path: string,
  parameters: Readonly<Record<string, string>>,
  options: Options,
  signal: AbortSignal,
): Promise<Reply | Failure> {
  const url = new URL(options.base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1/${path}`;
  const form = new URLSearchParams(parameters);
  const isShort = url.href.length + String(form).length <= MAX_URL_CHARACTERS;
  if (isShort) for (const [name, value] of form) url.searchParams.set(name, value);
  const startedAtMs = options.now();
  const response = await fetch(url, {
    headers: options.headers,
    redirect: 'manual',
    signal,
    ...(isShort ? {} : { method: 'POST', body: form }),
  });
  const maxBytes = response.ok ? options.maxBytes : MAX_ERROR_BYTES;
  const { text, isWhole } = await readUpTo(response, maxBytes);
  if (response.ok && isWhole) {
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      kind: 'reply',
      text,
      startedAtMs,
      endedAtMs: options.now(),
      dateMs: Number.isNaN(date) ? undefined : date,
    };
  }
  if (response.ok) {
    const message = `answered with more than ${maxBytes} bytes: expected at most that. Aggregate in the query, or ask for a longer step.`;
    return fail('partial', message, options);
  }
  return failStatus(response, text, options);
}

/** Reads a body, at most `maxBytes` of it; the rest is never fetched. */
async function readUpTo(response: Response, maxBytes: number): Promise<{ text: string; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  if (response.body !== null) {
    for await (const chunk of response.body) {
      sizeBytes += chunk.length;
      // Leaving the loop cancels the stream.
      if (sizeBytes > maxBytes) return { text: decodeText(chunks), isWhole: false };
      chunks.push(chunk);
    }
  }
  return { text: decodeText(chunks), isWhole: true };
}

function decodeText(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

function failStatus(response: Response, body: string, options: Options): Failure {
  const { status, headers } = response;
  if (status >= 300 && status < 400) {
    const location = headers.get('location') ?? '';
    const where = URL.canParse(location, options.base.href) ? new URL(location, options.base).host : '';
    const to = where === '' ? '' : ` to ${toOneLine(where, 60)}`;
    return fail(
      'redirect',
      `redirects${to}: expected an answer. Name the address that answers itself.`,
      options,
    );
  }
  const { errorType, words } = readWords(body, options.secrets);
  const said = words === '' ? '' : `: ${words}`;
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), options.now());
  if (status === 429)
    return fail('rate-limited', `answered 429${said}. Try again later.`, options, {
      isTemporary: true,
      retryAfterMs,
    });
  if (status === 401 || status === 403) {
    return fail('provider-error', `answered ${status}${said}. Check the login that it is sent.`, options);
  }
  const isTimeout = errorType === 'timeout' || status === 504 || status === 408;
  return fail(isTimeout ? 'timeout' : 'provider-error', `answered ${status}${said}.`, options, {
    isTemporary: status >= 500 || status === 408 || status === 425,
    retryAfterMs,
  });
}

/** Prometheus's own words on what went wrong, if the body has them. */
function readWords(
  body: string,
  secrets: readonly string[],
): { readonly errorType: string; readonly words: string } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (typeof value !== 'object' || value === null) return { errorType: '', words: '' };
  const errorType = 'errorType' in value && typeof value.errorType === 'string' ? value.errorType : '';
  const words = 'error' in value && typeof value.error === 'string' ? value.error : '';
  // Before it is cut: half of a secret would not be known for one.
  return { errorType, words: toOneLine(withoutSecrets(words, secrets), 120) };
}

/** Milliseconds that a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 section 10.2.3). */
function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,10}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** What a connection's failure means where trying again can't help. */
const LASTING_FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed. Set NODE_EXTRA_CA_CERTS to its file',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate authority is not trusted. Set NODE_EXTRA_CA_CERTS to its file',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate authority is not trusted. Set NODE_EXTRA_CA_CERTS to its file',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate authority is not trusted. Set NODE_EXTRA_CA_CERTS to its file',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP',
};
const PASSING_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EAI_AGAIN: 'the name could not be looked up',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

function failConnection(error: TypeError, options: Options): Failure {
  const code = findCode(error);
  // A mistake in this code has no such code.
  if (code === undefined && error.message !== 'terminated' && !/fetch/.test(error.message)) throw error;
  const lasting = code === undefined ? undefined : LASTING_FAILURES[code];
  const meaning = lasting ?? PASSING_FAILURES[code ?? ''] ?? code ?? 'the connection failed';
  return fail('provider-error', `could not be reached: ${meaning}. Check the address.`, options, {
    isTemporary: lasting === undefined,
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

function fail(
  reason: Absent['reason'],
  message: string,
  { base, secrets }: Options,
  about: {
    readonly isTemporary?: boolean;
    readonly isSilence?: boolean;
    readonly retryAfterMs?: number | undefined;
  } = {},
): Failure {
  const clean = withoutSecrets(`Prometheus at ${toOneLine(base.host, 60)} ${message}`, secrets);
  return {
    kind: 'failure',
    absent: absent(reason, toOneLine(clean, MAX_MESSAGE_CHARACTERS)),
    isTemporary: about.isTemporary ?? false,
    isSilence: about.isSilence ?? false,
    retryAfterMs: about.retryAfterMs,
  };
}

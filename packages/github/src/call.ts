import { setTimeout as wait } from 'node:timers/promises';
import * as z from 'zod/mini';
import { GitHubError } from './github-error.ts';
import { toOneLine } from './plain-text.ts';

/** The outside of the calls. Tests set the times; real use takes the defaults. */
export type CallOptions = {
  readonly token: string;
  readonly log: (line: string) => void;
  readonly now?: () => number;
  /** Waits, and rejects when the signal aborts. */
  readonly sleep?: (durationMs: number, signal: AbortSignal) => Promise<void>;
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number;
  /** Longest time for one try. */
  readonly tryLimitMs?: number;
};

/** One call, as errors and retries see it. */
export type Call<T> = {
  /** What is being done, `write the check run "a"`. */
  readonly operation: string;
  readonly send: (signal: AbortSignal) => Promise<T>;
  /**
   * Looks whether a call took effect whose answer was lost, before it is made again; undefined where making it twice
   * does no harm.
   */
  readonly findEffect?: (signal: AbortSignal) => Promise<T | undefined>;
};

/** Makes a call with retries; rejects with a `GitHubError`, or with the signal's reason. */
export type MakeCall = <T>(call: Call<T>, signal: AbortSignal) => Promise<T>;

const MAX_TRIES = 4;
const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 8_000;
/** GitHub asks for a minute after too many requests at once; more patience than this is a failure. */
const MAX_ASKED_DELAY_MS = 60_000;
const TRY_LIMIT_MS = 30_000;

// What octokit's RequestError has, by its shape: the class is in a bundle that is loaded late.
const requestErrorSchema = z.object({
  name: z.literal('HttpError'),
  status: z.number(),
  response: z.optional(
    z.object({
      headers: z.record(z.string(), z.unknown()),
      data: z.unknown(),
    }),
  ),
});
const answerSchema = z.object({
  message: z.string(),
  errors: z.optional(z.array(z.unknown())),
});

/** Makes the way of every call: a limit on time, retries on 429, 403 for its rate, 5xx and broken connections. */
export function createCalls(options: CallOptions): MakeCall {
  return (call, signal) => makeCall(call, options, signal);
}

async function makeCall<T>(call: Call<T>, options: CallOptions, signal: AbortSignal): Promise<T> {
  const { operation, send, findEffect } = call;
  for (let tries = 1; ; tries += 1) {
    const outcome = await tryOnce(operation, send, options, signal);
    if (outcome.kind === 'done') return outcome.value;
    await waitToRepeat(outcome, tries, options, signal);
    // Too many requests: that one was turned away before it had any effect.
    if (outcome.isRefused || findEffect === undefined) continue;
    const effect = await tryOnce(operation, findEffect, options, signal);
    if (effect.kind === 'failed') throw outcome.error;
    if (effect.value !== undefined) return effect.value;
  }
}

/** @throws the failure where there is to be no other try. */
async function waitToRepeat(
  failure: Failed,
  tries: number,
  options: CallOptions,
  signal: AbortSignal,
): Promise<void> {
  const delayMs = tries >= MAX_TRIES ? undefined : chooseDelay(failure, tries, options);
  if (delayMs === undefined) throw failure.error;
  options.log(`${failure.error.message} Trying again in ${Math.round(delayMs)} ms.`);
  await (options.sleep ?? sleepUnlessAborted)(delayMs, signal);
}

async function sleepUnlessAborted(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(durationMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

type Failed = {
  readonly kind: 'failed';
  readonly error: GitHubError;
  readonly isRefused: boolean;
  /** How long GitHub asks to wait. */
  readonly askedMs: number | undefined;
};

async function tryOnce<T>(
  operation: string,
  send: (signal: AbortSignal) => Promise<T>,
  options: CallOptions,
  signal: AbortSignal,
): Promise<{ readonly kind: 'done'; readonly value: T } | Failed> {
  const limitMs = options.tryLimitMs ?? TRY_LIMIT_MS;
  const limit = AbortSignal.timeout(limitMs);
  try {
    return { kind: 'done', value: await send(AbortSignal.any([signal, limit])) };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) {
      const message = `GitHub did not ${operation} within ${limitMs / 1000} s. Try again later.`;
      return failed(new GitHubError({ operation, message, isTemporary: true }));
    }
    const request = requestErrorSchema.safeParse(error);
    if (!request.success || !(error instanceof Error)) throw error;
    return readFailure(operation, request.data, error, options);
  }
}

function failed(error: GitHubError, isRefused = false, askedMs?: number): Failed {
  return { kind: 'failed', error, isRefused, askedMs };
}

function readFailure(
  operation: string,
  { status, response }: z.infer<typeof requestErrorSchema>,
  cause: Error,
  options: CallOptions,
): Failed {
  if (response === undefined) {
    const why = toOneLine(cause.message, 80);
    const message = `GitHub could not be reached to ${operation}: ${why}. Try again later.`;
    return failed(new GitHubError({ operation, message, isTemporary: true }));
  }
  const words = readWords(response.data, options.token);
  const isRefused = status === 429 || (status === 403 && isRateLimited(response.headers, words));
  const isTemporary = isRefused || status >= 500;
  const fix = isTemporary ? 'Try again later.' : chooseFix(status);
  const said = words === '' ? '' : `: ${words}`;
  const message = `GitHub answered ${status} to ${operation}${said}. ${fix}`;
  const error = new GitHubError({ operation, message, status, isTemporary });
  return failed(error, isRefused, isTemporary ? askedDelay(response.headers, options) : undefined);
}

/** GitHub's own words on one line, without the token. */
function readWords(data: unknown, token: string): string {
  const answer = answerSchema.safeParse(data);
  if (!answer.success) return '';
  const details = (answer.data.errors ?? []).flatMap((each) => {
    const detail = z.object({ message: z.string() }).safeParse(each);
    return detail.success ? [detail.data.message] : [];
  });
  const words = [answer.data.message, ...details].join(': ');
  // Before it is cut: half of a token would not be known for one.
  const clean = token.length >= 4 ? words.replaceAll(token, '***') : words;
  return toOneLine(clean, 120).replace(/[.\s]+$/, '');
}

function isRateLimited(headers: Readonly<Record<string, unknown>>, words: string): boolean {
  return (
    headers['retry-after'] !== undefined ||
    headers['x-ratelimit-remaining'] === '0' ||
    /rate limit/i.test(words)
  );
}

/** Milliseconds that GitHub asks to wait, by `Retry-After`, or until its hour is over. */
function askedDelay(
  headers: Readonly<Record<string, unknown>>,
  { now = Date.now }: CallOptions,
): number | undefined {
  const after = Number(headers['retry-after'] ?? Number.NaN);
  if (Number.isFinite(after)) return after * 1000;
  const resetAtMs = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000;
  return headers['x-ratelimit-remaining'] === '0' && Number.isFinite(resetAtMs)
    ? Math.max(0, resetAtMs - now())
    : undefined;
}

function chooseFix(status: number): string {
  if (status === 401) return 'Check "github-token".';
  if (status === 403) return 'Check what the token may do.';
  if (status === 404) return 'Check the repository, and that the token may see it.';
  return 'Check what was asked.';
}

/** How long to wait before the next try; undefined: there is to be none. */
function chooseDelay(failure: Failed, tries: number, options: CallOptions): number | undefined {
  if (!failure.error.isTemporary) return undefined;
  if (failure.askedMs !== undefined)
    return failure.askedMs <= MAX_ASKED_DELAY_MS ? failure.askedMs : undefined;
  return (options.random ?? Math.random)() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1));
}

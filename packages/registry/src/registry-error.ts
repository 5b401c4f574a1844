import * as z from 'zod/mini';
import { MAX_MESSAGE_CHARACTERS, toOneLine, withoutSecrets } from './plain-text.ts';

interface RegistryFailure {
  readonly host: string;
  readonly operation: string;
  readonly message: string;
  readonly status?: number;
  readonly code?: string;
  readonly isTemporary?: boolean;
  readonly cause?: unknown;
}

/**
 * A registry, its token service or the Docker config stands in the way: nothing of ours is wrong, and a
 * person outside may put it right. The message is one line without secrets, fit for an annotation.
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly system = 'registry';
  /** Host as references name it, `docker.io` for Docker Hub. */
  readonly host: string;
  /** What was tried, `PUT manifest team/app:1`. */
  readonly operation: string;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** `errors[0].code` of the answer, such as `DENIED` or `MANIFEST_UNKNOWN`. */
  readonly code?: string;
  /** Whether the same call may succeed later without anyone doing anything. */
  readonly isTemporary: boolean;

  constructor(failure: RegistryFailure) {
    super(
      toOneLine(failure.message, MAX_MESSAGE_CHARACTERS),
      failure.cause === undefined ? undefined : { cause: failure.cause },
    );
    this.host = failure.host;
    this.operation = failure.operation;
    if (failure.status !== undefined) this.status = failure.status;
    if (failure.code !== undefined) this.code = failure.code;
    this.isTemporary = failure.isTemporary ?? false;
  }
}

/** An answer that means failure, with what is known about who asked. */
export interface FailedAnswer {
  readonly host: string;
  readonly operation: string;
  readonly status: number;
  readonly body: Uint8Array;
  /** Host that gave the answer, where a redirect led away from the registry. */
  readonly answeredBy?: string | undefined;
  readonly isLoggedIn: boolean;
  readonly secrets: Iterable<string>;
}

// The error bodies of the distribution specification, and that of Docker Hub's token service.
const ErrorBody = z.object({
  errors: z.optional(z.array(z.object({ code: z.optional(z.string()), message: z.optional(z.string()) }))),
  details: z.optional(z.string()),
  error_description: z.optional(z.string()),
});

/** Whether an HTTP status says that the same request may succeed later. */
export function isTemporaryStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** Makes the error of a failed answer: who answered what to which call, the registry's own words, one fix. */
export function createAnswerError(answer: FailedAnswer): RegistryError {
  const { host, operation, status } = answer;
  const { code, detail } = readErrorBody(answer.body, answer.secrets);
  const where =
    answer.answeredBy === undefined ? '' : ` (from ${toOneLine(answer.answeredBy, 50)}, after a redirect)`;
  const start = `${host} answered ${status}${code === undefined ? '' : ` ${code}`} to ${shorten(operation)}${where}`;
  const fix = chooseFix(answer);
  const room = MAX_MESSAGE_CHARACTERS - start.length - fix.length - 5;
  const middle =
    detail === undefined || room < 20 ? '' : `: ${toOneLine(detail, room).replace(/[.\s]+$/, '')}`;
  return new RegistryError({
    host,
    operation,
    status,
    message: `${start}${middle}. ${fix}`,
    isTemporary: isTemporaryStatus(status),
    ...(code === undefined ? {} : { code }),
  });
}

/** Cuts a long repository name out of the middle of an operation, so that tag and verb stay readable. */
export function shorten(operation: string): string {
  return operation.length <= 90 ? operation : `${operation.slice(0, 60)}…${operation.slice(-29)}`;
}

function readErrorBody(
  body: Uint8Array,
  secrets: Iterable<string>,
): { readonly code?: string; readonly detail?: string } {
  const parsed = ErrorBody.safeParse(parseJson(body));
  if (!parsed.success) return {};
  const first = parsed.data.errors?.[0];
  const code = first?.code !== undefined && /^[A-Z0-9_]{1,40}$/.test(first.code) ? first.code : undefined;
  const words = first?.message ?? parsed.data.details ?? parsed.data.error_description;
  const detail = words === undefined ? '' : withoutSecrets(toOneLine(words, 400), secrets);
  return { ...(code === undefined ? {} : { code }), ...(detail === '' ? {} : { detail }) };
}

/** The JSON value of UTF-8 bytes; undefined when they are none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const FIXES: Readonly<Record<number, string>> = {
  404: 'Check the name, and that the login may see it.',
  405: "Check the registry's settings: it doesn't allow this.",
  413: 'Make it smaller, or raise the limit of the proxy before the registry.',
};
const LOG_IN = 'Log in with docker/login-action before this step.';

function chooseFix({ host, operation, status, isLoggedIn }: FailedAnswer): string {
  if (status === 401)
    return isLoggedIn ? 'Check the user name and password that docker/login-action gets.' : LOG_IN;
  if (status === 403) return isLoggedIn ? chooseRight(host, operation) : LOG_IN;
  if (status === 429 && !isLoggedIn) return 'Try again later, or log in to have a higher limit.';
  if (isTemporaryStatus(status)) return 'Try again later.';
  return FIXES[status] ?? 'Check that this is a registry of the OCI distribution specification.';
}

function chooseRight(host: string, operation: string): string {
  const isWriting = !/^(?:GET|HEAD) /.test(operation) || /^GET token .*\bpush\b/.test(operation);
  const right = isWriting ? 'write' : 'read';
  return host === 'ghcr.io'
    ? `Give the job "packages: ${right}".`
    : `Log in as a user who may ${right} there.`;
}

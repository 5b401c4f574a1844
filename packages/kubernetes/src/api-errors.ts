import * as z from 'zod/mini';
import { type FieldCause, KubernetesError } from './kubernetes-error.ts';
import { MAX_MESSAGE_CHARACTERS, toOneLine, withoutSecrets } from './plain-text.ts';

/** An answer that means failure, with what is known about who asked. */
export type FailedAnswer = {
  /** `host:port`. */
  readonly host: string;
  readonly operation: string;
  readonly status: number;
  readonly body: Uint8Array;
  readonly secrets: Iterable<string>;
  /** When the token that was used runs out by its own words, in milliseconds since 1970. */
  readonly expiresAtMs?: number | undefined;
};

const Text = z.catch(z.string(), '');

/** `Status` of the API (apimachinery `meta/v1`), where a failure says what it is. */
export const Status = z.object({
  kind: z.literal('Status'),
  message: Text,
  reason: Text,
  code: z.catch(z.number(), 0),
  details: z.catch(
    z.optional(
      z.nullable(
        z.object({
          causes: z.optional(z.nullable(z.array(z.object({ field: Text, reason: Text, message: Text })))),
        }),
      ),
    ),
    undefined,
  ),
});
export type Status = z.infer<typeof Status>;

/** The API server's sentences are longest where many fields are wrong. */
const MAX_ANSWER_CHARACTERS = 8_000;
const MAX_CAUSES = 100;
const MAX_CAUSE_CHARACTERS = 1_000;
/** Shorter than this a sentence of the API server says nothing. */
const MIN_SHOWN_CHARACTERS = 80;

function isTemporaryStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** The status in a body, where it is one. */
function parseStatus(body: Uint8Array): Status | undefined {
  const text = new TextDecoder().decode(body);
  try {
    const status = Status.safeParse(JSON.parse(text));
    return status.success ? status.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * What is wrong with a manifest that has fields which its kind has not. The API server answers 500 to an apply of
 * one, without a reason or causes (apimachinery `managedfields`): `failed to create typed patch object (a/b; apps/v1,
 * Kind=Deployment): .spec.replica: field not declared in schema`.
 */
function readTypedPatchFailure(answer: string): readonly FieldCause[] {
  const start = /^failed to create typed patch object \([^)]*\): /.exec(answer);
  if (start === null) return [];
  const faults = answer.slice(start[0].length).matchAll(/(?:^|\s)(\.[^\s:]+): ([^.]*?)(?= \.\S+: |$)/g);
  return [...faults].map(([, field = '', message = '']) => ({ field, reason: 'FieldValueInvalid', message }));
}

/** What an answer means, in one line, with what to do; all that it says is in the error's fields. */
export function createAnswerError(failed: FailedAnswer): KubernetesError {
  const status = parseStatus(failed.body);
  const clean = (text: string, max: number) => toOneLine(withoutSecrets(text, failed.secrets), max);
  const answer =
    status === undefined
      ? clean(describeForeignBody(failed.body), 200)
      : clean(status.message, MAX_ANSWER_CHARACTERS);
  const causes = (status?.details?.causes ?? readTypedPatchFailure(answer))
    .slice(0, MAX_CAUSES)
    .map((cause) => ({
      field: clean(cause.field, 300),
      reason: clean(cause.reason, 100),
      message: clean(cause.message, MAX_CAUSE_CHARACTERS),
    }));
  const isBadPatch = failed.status === 500 && answer.startsWith('failed to create typed patch object');
  // What it is, whatever the number: the manifest is wrong, and asking again changes nothing.
  const code = isBadPatch ? 422 : failed.status;
  const reason = isBadPatch ? 'Invalid' : clean(status?.reason ?? '', 100);
  return new KubernetesError({
    operation: failed.operation,
    message: toMessage(failed, answer, chooseFix({ ...failed, status: code }, answer, causes)),
    status: failed.status,
    ...(reason === '' ? {} : { reason }),
    causes,
    answer,
    isTemporary: isTemporaryStatus(code) || isRaced(failed.status, causes, status),
  });
}

/** A write that another came before: the object has changed since, not the mind of the API server. */
function isRaced(status: number, causes: readonly FieldCause[], answer: Status | undefined): boolean {
  return status === 409 && causes.length === 0 && answer?.reason === 'Conflict';
}

function toMessage({ host, operation, status }: FailedAnswer, answer: string, fix: string): string {
  const start = `${toOneLine(host, 80)} answered ${status} to ${toOneLine(operation, 100)}`;
  // What is refused is named already by what was tried.
  const sentence = answer
    .replace(
      /^(?:forbidden|\S+ "[^"]*" is (?:forbidden|invalid)|failed to create typed patch object \([^)]*\)): /,
      '',
    )
    .replace(/[.\s]+$/, '');
  if (sentence === '') return `${start}. ${fix}`;
  const room = MAX_MESSAGE_CHARACTERS - start.length - fix.length - 4;
  return `${start}: ${toOneLine(sentence, Math.max(room, MIN_SHOWN_CHARACTERS))}. ${fix}`;
}

/** What to do, by the status, unless what was said tells better. */
const FIXES: Readonly<Record<number, string>> = {
  400: 'Correct the manifest.',
  401: 'Give credentials that this cluster accepts; a token may have expired.',
  404: 'Create what is missing, or correct the name.',
  409: 'Run it again.',
  413: 'Make the object smaller.',
  422: 'Correct the manifest.',
};

function chooseFix(failed: FailedAnswer, answer: string, causes: readonly FieldCause[]): string {
  const { status, expiresAtMs } = failed;
  if (status === 401 && expiresAtMs !== undefined && expiresAtMs <= Date.now())
    return `Its token expired at ${new Date(expiresAtMs).toISOString()}: get a new one.`;
  if (status === 403) return fixOfForbidden(answer);
  if (isFieldConflict(causes)) return 'Take these fields out of the manifest, or force the apply.';
  if (status === 409 && answer.includes('already exists')) return 'Take another name.';
  if (status >= 300 && status < 400) return "Give the API server's own address.";
  if (answer.includes('failed calling webhook')) return 'Check that the webhook is up.';
  const isDown = isTemporaryStatus(status);
  return FIXES[status] ?? (isDown ? 'Check the API server, then run it again.' : 'Check the address.');
}

function isFieldConflict(causes: readonly FieldCause[]): boolean {
  return causes.some(({ reason }) => reason === 'FieldManagerConflict');
}

function fixOfForbidden(answer: string): string {
  if (/\buser "system:anonymous"/i.test(answer)) return 'Give credentials in the kubeconfig.';
  if (/\bcannot \S+ resource\b|\bcannot \S+ path\b/.test(answer)) return 'Give this user that right (RBAC).';
  if (/exceeded quota/.test(answer)) return 'Ask for less, or raise the quota.';
  if (/being terminated/.test(answer)) return 'Wait until the namespace is gone, or take another.';
  return 'Change it to what the cluster accepts.';
}

/** Words for a body that no API server has written. Pages of proxies are named, not shown. */
function describeForeignBody(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 2_000)).trim();
  return /^<(!doctype|html)/i.test(text) ? 'an HTML page, as a proxy or log-in gives it' : text;
}

export function createTimeoutError(host: string, operation: string, limitMs: number): KubernetesError {
  return new KubernetesError({
    operation,
    message: `${host} did not answer ${toOneLine(operation, 100)} within ${limitMs / 1000} s. Check that the API server is up.`,
    isTemporary: true,
  });
}

const TRUST = "Give the cluster's certificate authority in the kubeconfig.";

/** What a connection's failure means, by Node's and OpenSSL's codes. Others pass with the next try. */
const LASTING_FAILURES: Readonly<Record<string, readonly [meaning: string, fix: string]>> = {
  ENOTFOUND: ['no such host', "Check the kubeconfig's server."],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['its certificate is self-signed', TRUST],
  SELF_SIGNED_CERT_IN_CHAIN: ['its certificate authority is not trusted', TRUST],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['its certificate authority is not trusted', TRUST],
  UNABLE_TO_GET_ISSUER_CERT: ['its certificate authority is not trusted', TRUST],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['its certificate authority is not trusted', TRUST],
  CERT_SIGNATURE_FAILURE: ['its certificate is by another authority', TRUST],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'Renew it.'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another host',
    'Set tls-server-name in the kubeconfig.',
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: ['it does not speak TLS', 'Check the port.'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['it does not speak TLS', 'Check the port.'],
  HPE_INVALID_CONSTANT: ['it does not speak HTTP', 'Check the port.'],
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: [
    "it does not know the client certificate's authority",
    'Renew the certificate.',
  ],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: ['the client certificate has expired', 'Renew it.'],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: [
    'it asks for a client certificate',
    'Give one in the kubeconfig.',
  ],
  ERR_PROXY_TUNNEL: ['the proxy refused', 'Check proxy-url or HTTPS_PROXY.'],
};
const PASSING_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EAI_AGAIN: 'the name could not be looked up',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'no way to the host',
  ENETUNREACH: 'no way to the network',
  EPIPE: 'connection closed',
  HPE_INVALID_EOF_STATE: 'connection closed',
};

/** What a failure of the connection means; undefined where the error is none. */
export function createConnectionError(
  host: string,
  operation: string,
  error: unknown,
): { readonly error: KubernetesError; readonly code: string } | undefined {
  const code = findCode(error);
  if (code === undefined) return undefined;
  const lasting = LASTING_FAILURES[code];
  const meaning = lasting?.[0] ?? PASSING_FAILURES[code] ?? code;
  const fix = lasting?.[1] ?? 'Check that the API server is up.';
  return {
    code,
    error: new KubernetesError({
      operation,
      message: `${host} could not be reached to ${toOneLine(operation, 100)}: ${meaning}. ${fix}`,
      isTemporary: lasting === undefined,
      cause: error,
    }),
  };
}

/** Where several addresses were tried, Node gives the reason in the first of the errors. */
function findCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    if ('code' in current && typeof current.code === 'string') return toOneLine(current.code, 60);
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
}

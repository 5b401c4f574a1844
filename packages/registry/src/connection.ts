import { apiUrlOf } from './address.ts';
import { type Authenticator, createAuthenticator, type Scope } from './authentication.ts';
import type { FindCredentials } from './docker-config.ts';
import { createAnswerError, RegistryError } from './registry-error.ts';
import type { HttpAnswer, HttpRequest, Send } from './transport.ts';

/** A call to a registry's API, without what the connection adds: address, login, host. */
export interface ApiRequest
  extends Pick<HttpRequest, 'body' | 'isRepeatable' | 'maxBytes' | 'method' | 'operation' | 'signal'> {
  /** Path and query under the API's root, `/v2/team/app/manifests/1`, or a whole URL that the API gave. */
  readonly target: string | URL;
  readonly scopes: readonly Scope[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** One registry host, with its login. */
export interface Connection {
  readonly host: string;
  /** Makes a call; any status is an answer, save 401 when no login helps. */
  request(request: ApiRequest): Promise<HttpAnswer>;
  /**
   * Fetches a token before it is needed, where it is known how; never fails, as the call that needs the token
   * says better what is wrong.
   */
  prepare(scopes: readonly Scope[], signal: AbortSignal): Promise<void>;
  /** Makes the error of an answer whose status means failure. */
  createError(request: Pick<ApiRequest, 'operation'>, answer: HttpAnswer): RegistryError;
}

/** Makes the connection to a host. Nothing is sent before the first request. */
export function createConnection(
  host: string,
  outside: { readonly send: Send; readonly findCredentials: FindCredentials; readonly now: () => number },
): Connection {
  const secrets = new Set<string>();
  const api = apiUrlOf(host);
  const authenticator = createAuthenticator({
    host,
    send: outside.send,
    findCredentials: (signal) => outside.findCredentials(host, signal),
    secrets,
    now: outside.now,
  });
  const createError: Connection['createError'] = ({ operation }, answer) =>
    createAnswerError({
      host,
      operation,
      status: answer.status,
      body: answer.body,
      answeredBy: answer.url.origin === api.origin ? undefined : answer.url.host,
      isLoggedIn: authenticator.isLoggedIn(),
      secrets,
    });
  return {
    host,
    createError,
    async prepare(scopes, signal) {
      try {
        await authenticator.findAuthorization(scopes, signal);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
      }
    },
    async request(request) {
      const url = new URL(request.target, api);
      const call = (authorization: string | undefined): Promise<HttpAnswer> =>
        outside.send({
          ...request,
          url,
          host,
          // What the API gave as an address may lie elsewhere, in storage that has a signature of its own.
          headers: {
            ...request.headers,
            ...(authorization === undefined || url.origin !== api.origin ? {} : { authorization }),
          },
        });
      const first = await authenticator.findAuthorization(request.scopes, request.signal);
      const answer = await call(first);
      if (answer.status !== 401 || answer.url.origin !== api.origin) return answer;
      return answerUnauthorized(request, { authenticator, refused: first, answer, call, createError });
    },
  };
}

async function answerUnauthorized(
  request: ApiRequest,
  state: {
    readonly authenticator: Authenticator;
    readonly refused: string | undefined;
    readonly answer: HttpAnswer;
    readonly call: (authorization: string) => Promise<HttpAnswer>;
    readonly createError: Connection['createError'];
  },
): Promise<HttpAnswer> {
  const challenge = {
    header: state.answer.headers.get('www-authenticate'),
    refused: state.refused,
    operation: request.operation,
  };
  const authorization = await state.authenticator.answerChallenge(challenge, request.scopes, request.signal);
  if (authorization === undefined) throw state.createError(request, state.answer);
  const second = await state.call(authorization);
  if (second.status === 401) throw state.createError(request, second);
  return second;
}

import * as z from 'zod/mini';
import { isSafeUrl } from './address.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './docker-config.ts';
import { toOneLine } from './plain-text.ts';
import { createAnswerError, parseJson, RegistryError, shorten } from './registry-error.ts';
import type { Send } from './transport.ts';

/** What a call needs to be allowed, in the words of the token specification. */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly ('delete' | 'pull' | 'push')[];
}

/** Proves to one registry host who asks, as the host wants it: nothing, a password or a token. */
export interface Authenticator {
  /** The `Authorization` header for calls of these scopes, as far as known without asking anyone. */
  findAuthorization(scopes: readonly Scope[], signal: AbortSignal): Promise<string | undefined>;
  /**
   * Answers a 401. `refused` is the header that was sent along, so that it isn't used again.
   * @throws {RegistryError} when the challenge can't be met.
   */
  answerChallenge(
    challenge: {
      readonly header: string | null;
      readonly refused: string | undefined;
      readonly operation: string;
    },
    scopes: readonly Scope[],
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Whether the Docker config holds a login for this host; false before that was read. */
  isLoggedIn(): boolean;
}

interface TokenService {
  readonly realm: URL;
  readonly service: string | undefined;
}

interface Token {
  readonly header: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
}

const TokenAnswer = z.object({
  token: z.optional(z.string()),
  access_token: z.optional(z.string()),
  expires_in: z.optional(z.number()),
});

const CLIENT_ID = 'sophia-actions';
const MAX_TOKEN_BYTES = 256 * 1024;
/** The token specification's default and least life. */
const MIN_TOKEN_LIFE_MS = 60_000;
/** A token is not used in its last seconds: it could expire on the way. */
const TOKEN_MARGIN_MS = 10_000;

/**
 * Makes the authenticator of one host. Tokens are kept by scope until they expire, and one that covers more
 * serves for less; calls that need the same token at the same time fetch it once.
 *
 * @param outside `secrets` collects what must never be seen in an error.
 * @see https://distribution.github.io/distribution/spec/auth/token/ and `…/auth/oauth/`
 */
export function createAuthenticator(outside: {
  readonly host: string;
  readonly send: Send;
  readonly findCredentials: (signal: AbortSignal) => Promise<Credentials>;
  readonly secrets: Set<string>;
  readonly now: () => number;
}): Authenticator {
  let service: TokenService | undefined;
  let fixed: string | undefined;
  let isLoggedIn = false;
  let tokens: readonly Token[] = [];
  const pending = new Map<string, Promise<string>>();

  async function readCredentials(signal: AbortSignal): Promise<Credentials> {
    const credentials = await outside.findCredentials(signal);
    isLoggedIn = credentials.kind !== 'anonymous';
    if (credentials.kind === 'password') {
      outside.secrets.add(credentials.password);
      outside.secrets.add(encodeBasic(credentials.username, credentials.password));
    } else if (credentials.kind !== 'anonymous') outside.secrets.add(credentials.token);
    return credentials;
  }

  async function fetchToken(
    from: TokenService,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<string> {
    const key = scopes.join(' ');
    let answer = pending.get(key);
    if (answer === undefined) {
      answer = readCredentials(signal)
        .then((credentials) => requestToken({ ...outside, isLoggedIn, credentials }, from, scopes, signal))
        .then(({ token, lifeMs }) => {
          outside.secrets.add(token);
          const header = `Bearer ${token}`;
          tokens = [...tokens, { header, scopes, expiresAt: outside.now() + lifeMs - TOKEN_MARGIN_MS }];
          return header;
        })
        .finally(() => pending.delete(key));
      pending.set(key, answer);
    }
    return answer;
  }

  function findToken(scopes: readonly string[]): string | undefined {
    const now = outside.now();
    return tokens.find((token) => token.expiresAt > now && coversAll(token.scopes, scopes))?.header;
  }

  return {
    isLoggedIn: () => isLoggedIn,
    async findAuthorization(scopes, signal) {
      if (fixed !== undefined) return fixed;
      if (service === undefined) return undefined;
      const wanted = renderScopes(scopes, []);
      return findToken(wanted) ?? fetchToken(service, wanted, signal);
    },
    async answerChallenge({ header, refused, operation }, scopes, signal) {
      tokens = tokens.filter((token) => token.header !== refused);
      const challenge = chooseChallenge(header, outside.host, operation);
      const credentials = await readCredentials(signal);
      if (credentials.kind === 'registry-token')
        fixed = `Bearer ${checkToken(credentials.token, outside.host, operation)}`;
      else if (challenge.scheme === 'bearer') {
        service = readTokenService(challenge, outside.host, operation);
        const wanted = renderScopes(scopes, splitScopes(challenge.parameters.get('scope')));
        return findToken(wanted) ?? fetchToken(service, wanted, signal);
      } else if (credentials.kind === 'password') {
        fixed = `Basic ${encodeBasic(credentials.username, credentials.password)}`;
      }
      return fixed === refused ? undefined : fixed;
    },
  };
}

function encodeBasic(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
}

function chooseChallenge(header: string | null, host: string, operation: string): Challenge {
  const challenges = parseChallenges(header ?? '');
  const challenge =
    challenges.find(({ scheme }) => scheme === 'bearer') ??
    challenges.find(({ scheme }) => scheme === 'basic');
  if (challenge !== undefined) return challenge;
  const seen = challenges.map(({ scheme }) => scheme).join(', ');
  const asked = seen === '' ? 'without saying how to log in' : `asking for "${toOneLine(seen, 30)}"`;
  throw new RegistryError({
    host,
    operation,
    status: 401,
    message: `${host} answered 401 to ${shorten(operation)} ${asked}, expected "Bearer" or "Basic". Check that this is a registry.`,
  });
}

function readTokenService(challenge: Challenge, host: string, operation: string): TokenService {
  const realm = challenge.parameters.get('realm') ?? '';
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !isSafeUrl(url)) {
    throw new RegistryError({
      host,
      operation,
      status: 401,
      message: `${host} names the token service "${toOneLine(realm.split('?')[0] ?? '', 60)}", expected an https address. Check the registry's set-up.`,
    });
  }
  return { realm: url, service: challenge.parameters.get('service') };
}

/** Scopes as sorted texts, `repository:team/app:pull,push`, with the actions of one repository joined. */
function renderScopes(scopes: readonly Scope[], asked: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  const add = (name: string, more: readonly string[]): void => {
    actions.set(name, new Set([...(actions.get(name) ?? []), ...more]));
  };
  for (const scope of scopes) add(`repository:${scope.repository}`, scope.actions);
  for (const scope of asked) {
    const colon = scope.lastIndexOf(':');
    add(scope.slice(0, colon), scope.slice(colon + 1).split(','));
  }
  return [...actions].map(([name, set]) => `${name}:${[...set].sort().join(',')}`).sort();
}

function splitScopes(text: string | undefined): readonly string[] {
  return (text ?? '').split(' ').filter((scope) => /^[^\s:]+:.+:[^:]+$/.test(scope));
}

function coversAll(held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((scope) => held.some((other) => covers(other, scope)));
}

function covers(held: string, wanted: string): boolean {
  const [heldAt, wantedAt] = [held.lastIndexOf(':'), wanted.lastIndexOf(':')];
  const actions = new Set(held.slice(heldAt + 1).split(','));
  return (
    held.slice(0, heldAt) === wanted.slice(0, wantedAt) &&
    wanted
      .slice(wantedAt + 1)
      .split(',')
      .every((action) => actions.has(action))
  );
}

async function requestToken(
  outside: {
    readonly host: string;
    readonly send: Send;
    readonly secrets: Set<string>;
    readonly credentials: Credentials;
    readonly isLoggedIn: boolean;
  },
  { realm, service }: TokenService,
  scopes: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly token: string; readonly lifeMs: number }> {
  const { host, credentials } = outside;
  const isPost = credentials.kind === 'identity-token';
  const operation = `${isPost ? 'POST' : 'GET'} token for ${toOneLine(scopes.join(' '), 70)}`;
  const parameters = new URLSearchParams(isPost ? '' : realm.search);
  if (service !== undefined) parameters.set('service', service);
  if (credentials.kind === 'identity-token') {
    parameters.set('grant_type', 'refresh_token');
    parameters.set('client_id', CLIENT_ID);
    parameters.set('scope', scopes.join(' '));
    parameters.set('refresh_token', credentials.token);
  } else {
    for (const scope of scopes) parameters.append('scope', scope);
    if (credentials.kind === 'password') parameters.set('account', credentials.username);
  }
  const url = new URL(realm);
  if (!isPost) url.search = parameters.toString();
  const headers: Record<string, string> = { accept: 'application/json' };
  if (isPost) headers['content-type'] = 'application/x-www-form-urlencoded';
  if (credentials.kind === 'password') {
    headers['authorization'] = `Basic ${encodeBasic(credentials.username, credentials.password)}`;
  }
  const answer = await outside.send({
    method: isPost ? 'POST' : 'GET',
    url,
    headers,
    body: isPost ? parameters.toString() : undefined,
    host,
    operation,
    maxBytes: MAX_TOKEN_BYTES,
    isRepeatable: true,
    signal,
  });
  if (answer.status !== 200) {
    throw createAnswerError({ ...outside, operation, status: answer.status, body: answer.body });
  }
  return readToken(answer.body, host, operation);
}

function readToken(
  body: Uint8Array,
  host: string,
  operation: string,
): { readonly token: string; readonly lifeMs: number } {
  const parsed = TokenAnswer.safeParse(parseJson(body));
  const token = parsed.success ? parsed.data.token || parsed.data.access_token : undefined;
  if (!parsed.success || !token) {
    throw new RegistryError({
      host,
      operation,
      status: 200,
      message: `${host}'s token service answered ${shorten(operation)} without a token. Check the address of its token service.`,
    });
  }
  const lifeMs = Math.max(MIN_TOKEN_LIFE_MS, (parsed.data.expires_in ?? 0) * 1000);
  return { token: checkToken(token, host, operation), lifeMs };
}

/** `fetch` would put a token with a line feed into its error's text. */
function checkToken(token: string, host: string, operation: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new RegistryError({
    host,
    operation,
    message: `The token for ${host} holds blanks or control characters, expected none. Log in again with docker/login-action.`,
  });
}

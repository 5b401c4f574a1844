import type { ClientCertificate, CredentialSource } from './endpoint.ts';
import { runExecPlugin } from './exec-plugin.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { readTextFile } from './text-file.ts';
import { untilAborted } from './until-aborted.ts';

/** What one request is made with. Compared by identity: another object is another credential. */
export type Credential = {
  /** The header, `Bearer …`. */
  readonly authorization: string | undefined;
  readonly clientCertificate: ClientCertificate | undefined;
};

/** The credentials of one user, got when they are first needed and anew when they have run out. */
export type Credentials = {
  readonly current: (signal: AbortSignal) => Promise<Credential>;
  /** Forgets a credential that the API refused. False where there can't be another. */
  readonly renew: (refused: Credential) => boolean;
  /** Every secret there has been, to be kept out of texts. */
  readonly secrets: ReadonlySet<string>;
  /** When the present token runs out by its own words, in milliseconds since 1970. */
  readonly expiresAtMs: () => number | undefined;
};

type Held = {
  readonly credential: Credential;
  /** When it is to be got anew. */
  readonly staleAtMs: number;
};

/** One time that a credential is got, and how many requests wait for it. */
type Run = { readonly result: Promise<Held>; readonly stop: AbortController; waiting: number };

/** client-go reads the file of a token again as often. */
const TOKEN_FILE_LIFE_MS = 60_000;
/** A token is not used in the last seconds of its life: the request has to arrive and clocks differ. */
const EXPIRY_MARGIN_MS = 10_000;
const MAX_TOKEN_BYTES = 1024 * 1024;

export function createCredentials(
  source: CredentialSource,
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly mask: (secret: string) => void;
    readonly now?: () => number;
  },
): Credentials {
  const now = options.now ?? Date.now;
  const secrets = new Set<string>();
  const keep = (secret: string) => {
    if (secret === '' || secrets.has(secret)) return;
    secrets.add(secret);
    options.mask(secret);
  };
  const bearer = (token: string) => {
    keep(token);
    return `Bearer ${token}`;
  };
  for (const secret of secretsOf(source)) keep(secret);

  let held: Held | undefined;
  let run: Run | undefined;

  const obtain = async (signal: AbortSignal): Promise<Held> => {
    const { tokenFile, clientCertificate, exec } = source;
    if (tokenFile !== undefined) {
      const authorization = await readTokenFile(tokenFile).then(bearer);
      return { credential: { authorization, clientCertificate }, staleAtMs: now() + TOKEN_FILE_LIFE_MS };
    }
    const authorization = fixedHeaderOf(source);
    if (authorization !== undefined || exec === undefined)
      return { credential: { authorization, clientCertificate }, staleAtMs: Number.POSITIVE_INFINITY };
    const answer = await runExecPlugin(exec, options.env, { secrets, signal });
    for (const line of linesOfKey(answer.clientCertificate?.key)) keep(line);
    return {
      credential: {
        authorization: answer.token === undefined ? undefined : bearer(answer.token),
        clientCertificate: answer.clientCertificate ?? clientCertificate,
      },
      staleAtMs: (answer.expiresAtMs ?? Number.POSITIVE_INFINITY) - EXPIRY_MARGIN_MS,
    };
  };

  const start = (): Run => {
    const stop = new AbortController();
    return { result: obtain(stop.signal), stop, waiting: 0 };
  };

  return {
    current: async (signal) => {
      signal.throwIfAborted();
      if (held !== undefined && now() < held.staleAtMs) return held.credential;
      // Requests that start together share one run of the plugin; it ends when nobody waits for it any more.
      run ??= start();
      const shared = run;
      shared.waiting += 1;
      try {
        held = await untilAborted(shared.result, signal);
        return held.credential;
      } finally {
        shared.waiting -= 1;
        if (shared.waiting === 0) {
          shared.stop.abort();
          if (run === shared) run = undefined;
        }
      }
    },
    renew: (refused) => {
      if (source.tokenFile === undefined && source.exec === undefined) return false;
      if (held?.credential === refused) held = undefined;
      return true;
    },
    secrets,
    expiresAtMs: () => {
      const token = held?.credential.authorization?.replace(/^Bearer /, '');
      return token === undefined ? undefined : expiryOf(token);
    },
  };
}

function fixedHeaderOf({ token, basic }: CredentialSource): string | undefined {
  if (token !== undefined) return `Bearer ${token}`;
  return basic === undefined ? undefined : basicHeader(basic);
}

function basicHeader({ username, password }: NonNullable<CredentialSource['basic']>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function secretsOf({ token, basic, clientCertificate }: CredentialSource): readonly string[] {
  const ofBasic = basic === undefined ? [] : [basic.password, basicHeader(basic).slice('Basic '.length)];
  return [...(token === undefined ? [] : [token]), ...ofBasic, ...linesOfKey(clientCertificate?.key)];
}

/** The lines of a PEM that are secret. The last is too short to be masked: it would be found everywhere. */
function linesOfKey(pem: string | undefined): readonly string[] {
  return (pem ?? '').split(/\r?\n/).filter((line) => line.length >= 20 && !line.startsWith('-----'));
}

async function readTokenFile(path: string): Promise<string> {
  const operation = 'read the token file';
  try {
    const token = (await readTextFile(path, MAX_TOKEN_BYTES)).trim();
    if (token !== '' && !/\s/.test(token)) return token;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = 'code' in error ? String(error.code) : error.message;
    throw new KubernetesError({
      operation,
      message: `The token file ${path} can't be read: ${why}. Check the kubeconfig's tokenFile.`,
      cause: error,
    });
  }
  throw new KubernetesError({
    operation,
    message: `The token file ${path} holds no token, expected one line. Check the kubeconfig's tokenFile.`,
  });
}

const NOT_A_TOKEN = { exp: undefined };

/** `exp` of a JSON web token in milliseconds (RFC 7519 section 4.1.4). */
function expiryOf(token: string): number | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  const { exp } = parseClaims(Buffer.from(payload, 'base64url').toString('utf8'));
  return typeof exp === 'number' ? exp * 1000 : undefined;
}

function parseClaims(text: string): { readonly exp?: unknown } {
  try {
    const claims: unknown = JSON.parse(text);
    return typeof claims === 'object' && claims !== null ? claims : NOT_A_TOKEN;
  } catch (error) {
    if (error instanceof SyntaxError) return NOT_A_TOKEN;
    throw error;
  }
}

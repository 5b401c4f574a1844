import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { askCredentialHelper, type RunProgram } from './credential-helper.ts';
import { toOneLine } from './plain-text.ts';
import { parseJson, RegistryError } from './registry-error.ts';

/** What a registry's host may be told to prove who asks. */
export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token, exchanged at the token service (Azure and others). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token for the registry itself. */
  | { readonly kind: 'registry-token'; readonly token: string };

/** Finds the login of a host in the Docker config. */
export type FindCredentials = (host: string, signal: AbortSignal) => Promise<Credentials>;

const Login = z.object({
  auth: z.optional(z.string()),
  username: z.optional(z.string()),
  password: z.optional(z.string()),
  identitytoken: z.optional(z.string()),
  registrytoken: z.optional(z.string()),
});
const Config = z.object({
  auths: z.optional(z.nullable(z.record(z.string(), Login))),
  credHelpers: z.optional(z.nullable(z.record(z.string(), z.string()))),
  credsStore: z.optional(z.string()),
});
type Config = z.infer<typeof Config>;

/** The key under which Docker has kept Docker Hub's login since its first registry. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
const DOCKER_HUB_NAMES = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
/** What a helper puts in place of the user name when the secret is an identity token. */
const TOKEN_USERNAME = '<token>';

/**
 * Reads logins as the Docker CLI does: `$DOCKER_AUTH_CONFIG` first, then `$DOCKER_CONFIG/config.json` or
 * `~/.docker/config.json`, there `credHelpers`, `credsStore` and `auths` in this order. No file: anonymous.
 * The file is read once, at the first call; a helper is asked once for each host.
 *
 * @throws {RegistryError} (from the function returned) on a file that isn't a Docker config, naming it, and
 * on a helper that fails.
 */
export function createCredentialFinder(
  env: Readonly<Record<string, string | undefined>>,
  run: RunProgram,
): FindCredentials {
  let config: Promise<Sources> | undefined;
  const found = new Map<string, Promise<Credentials>>();
  return (host, signal) => {
    const known = found.get(host);
    if (known !== undefined) return known;
    config ??= readSources(env, host);
    const answer = config.then((sources) => findIn(sources, host, { env, run, signal }));
    found.set(host, answer);
    // What failed, or was cut off by one caller's signal, is tried anew for the next.
    answer.catch(() => found.delete(host));
    config.catch(() => {
      config = undefined;
    });
    return answer;
  };
}

interface Sources {
  /** Logins given in the environment, which go before the file's. */
  readonly given: Config;
  readonly file: Config;
  readonly fileName: string;
}

async function readSources(
  env: Readonly<Record<string, string | undefined>>,
  host: string,
): Promise<Sources> {
  const { readFile } = await import('node:fs/promises');
  const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  const fileName = join(folder, 'config.json');
  const given = env['DOCKER_AUTH_CONFIG'];
  const text = await readFile(fileName).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    if (error.code === undefined) throw error;
    const message = `Docker config ${fileName} can't be read: ${error.code}. Correct its rights or DOCKER_CONFIG.`;
    throw new RegistryError({ host, operation: 'read the Docker config', message, cause: error });
  });
  return {
    given: given ? parseConfig(new TextEncoder().encode(given), 'in $DOCKER_AUTH_CONFIG', host) : {},
    file: text === undefined || text.length === 0 ? {} : parseConfig(text, fileName, host),
    fileName,
  };
}

function parseConfig(bytes: Uint8Array, where: string, host: string): Config {
  const value = parseJson(bytes);
  const parsed = Config.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place =
    issue === undefined || issue.path.length === 0 ? '' : ` at ${toOneLine(issue.path.join('.'), 60)}`;
  const problem = value === undefined ? 'is not JSON' : `is not a Docker config${place}`;
  const message = `Docker config ${where} ${problem}. Repair it, or log in again with docker/login-action.`;
  throw new RegistryError({ host, operation: 'read the Docker config', message });
}

async function findIn(
  sources: Sources,
  host: string,
  {
    env,
    run,
    signal,
  }: { env: Readonly<Record<string, string | undefined>>; run: RunProgram; signal: AbortSignal },
): Promise<Credentials> {
  const given = findLogin(sources.given, host);
  if (given !== undefined) return readLogin(given, host, 'in $DOCKER_AUTH_CONFIG');
  const keys = keysOf(host);
  const helper = keys.map((key) => sources.file.credHelpers?.[key]).find(Boolean) ?? sources.file.credsStore;
  if (helper) {
    const server = keys[0] ?? host;
    const answer = await askCredentialHelper({ name: helper, server, host, env }, run, signal);
    if (answer === undefined || answer.secret === '') return { kind: 'anonymous' };
    if (answer.username === TOKEN_USERNAME) return { kind: 'identity-token', token: answer.secret };
    return { kind: 'password', username: answer.username, password: answer.secret };
  }
  const login = findLogin(sources.file, host);
  return login === undefined ? { kind: 'anonymous' } : readLogin(login, host, sources.fileName);
}

/** The names under which a host's login may stand, the one that helpers are asked for first. */
function keysOf(host: string): readonly string[] {
  return host === 'docker.io' ? [DOCKER_HUB_KEY, ...DOCKER_HUB_NAMES] : [host];
}

function findLogin(config: Config, host: string): z.infer<typeof Login> | undefined {
  const auths = config.auths ?? {};
  const keys = keysOf(host);
  for (const key of keys) {
    if (Object.hasOwn(auths, key)) return auths[key];
  }
  // Old logins were kept under a URL, `https://registry.example/v1/`.
  const other = Object.keys(auths).find((key) =>
    keys.includes(key.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')),
  );
  return other === undefined ? undefined : auths[other];
}

function readLogin(login: z.infer<typeof Login>, host: string, where: string): Credentials {
  if (login.registrytoken) return { kind: 'registry-token', token: login.registrytoken };
  if (login.identitytoken) return { kind: 'identity-token', token: login.identitytoken };
  if (login.auth) {
    const text = Buffer.from(login.auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 1) {
      const message = `Docker config ${where} has a login for ${host} that is not base64 of "user:password". Log in again with docker/login-action.`;
      throw new RegistryError({ host, operation: 'read the Docker config', message });
    }
    // Old clients padded the password with NUL.
    const password = text.slice(colon + 1).replace(/\0+$/, '');
    return { kind: 'password', username: text.slice(0, colon), password };
  }
  if (login.username && login.password)
    return { kind: 'password', username: login.username, password: login.password };
  return { kind: 'anonymous' };
}

import { resolve } from 'node:path';
import type { ClientCertificate, CredentialSource, Endpoint, ExecPlugin } from './endpoint.ts';
import type { Found, MergedKubeconfig } from './kubeconfig.ts';
import { KubeconfigError } from './kubeconfig-error.ts';
import type { ClusterEntry, ContextEntry, ExecEntry, UserEntry } from './kubeconfig-schema.ts';
import { nearestNames } from './nearest-names.ts';
import { quoteList, toOneLine } from './plain-text.ts';
import { readTextFile } from './text-file.ts';

const MAX_PEM_BYTES = 1024 * 1024;
const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';

/**
 * Follows a context of a kubeconfig to the cluster and the user it names, and reads the files these name.
 *
 * @param context Undefined for the kubeconfig's current one.
 * @throws {KubeconfigError} by the name of what is missing or doesn't fit, with the names that are nearest.
 */
export async function resolveEndpoint(
  config: MergedKubeconfig,
  context: string | undefined,
): Promise<Endpoint> {
  const contextEntry = findContext(config, context);
  const clusterName = contextEntry.cluster ?? '';
  const cluster = findEntry(config, 'cluster', clusterName, config.clusters);
  const userName = contextEntry.user ?? '';
  const user: Found<UserEntry> =
    userName === '' ? { entry: {}, folder: undefined } : findEntry(config, 'user', userName, config.users);
  const server = readServer(config, clusterName, cluster.entry);
  const certificateAuthority = await readAuthority(config, clusterName, cluster);
  return {
    server,
    namespace: contextEntry.namespace || 'default',
    certificateAuthority,
    isInsecure: cluster.entry['insecure-skip-tls-verify'] ?? false,
    tlsServerName: cluster.entry['tls-server-name'] || undefined,
    proxyUrl: cluster.entry['proxy-url'] || undefined,
    impersonation: readImpersonation(user.entry),
    credentials: await readCredentials(config, userName, user, {
      cluster: cluster.entry,
      certificateAuthority,
    }),
  };
}

function findContext(config: MergedKubeconfig, wanted: string | undefined): ContextEntry {
  const name = wanted?.trim() || config.currentContext;
  if (name !== undefined) return findEntry(config, 'context', name, config.contexts).entry;
  throw new KubeconfigError(
    `${config.name} has no current-context, expected one of ${quoteList([...config.contexts.keys()], 3)}. Name the context.`,
  );
}

function findEntry<Entry>(
  config: MergedKubeconfig,
  kind: 'cluster' | 'context' | 'user',
  name: string,
  entries: ReadonlyMap<string, Found<Entry>>,
): Found<Entry> {
  const found = entries.get(name);
  if (found !== undefined) return found;
  const names = [...entries.keys()];
  const nearest = nearestNames(name, names, 3);
  const expected = names.length === 0 ? `it has no ${kind}s` : `expected one of ${quoteList(nearest, 3)}`;
  const more = names.length > nearest.length ? ` and ${names.length - nearest.length} more` : '';
  throw new KubeconfigError(
    `${config.name} has no ${kind} "${toOneLine(name, 60)}": ${expected}${more}. Correct the name.`,
  );
}

function readServer(config: MergedKubeconfig, name: string, entry: ClusterEntry): URL {
  const written = entry.server ?? '';
  // client-go takes an address without a scheme for one of HTTPS.
  const server = written === '' || written.includes('://') ? written : `https://${written}`;
  const fail = (what: string) =>
    new KubeconfigError(`Cluster "${toOneLine(name, 60)}" of ${config.name} ${what}. Correct its server.`);
  if (!URL.canParse(server)) throw fail('has no URL as its server');
  const url = new URL(server);
  if (url.username !== '' || url.password !== '') throw fail('has credentials in the URL of its server');
  const isLoopback = /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw fail(`is reached by ${toOneLine(url.protocol, 20)}//, expected https://`);
  url.search = '';
  url.hash = '';
  return url;
}

async function readAuthority(
  config: MergedKubeconfig,
  name: string,
  { entry, folder }: Found<ClusterEntry>,
): Promise<string | undefined> {
  const owner = `cluster "${toOneLine(name, 60)}"`;
  const data = entry['certificate-authority-data'] || undefined;
  const file = entry['certificate-authority'] || undefined;
  if (entry['insecure-skip-tls-verify'] === true) {
    if (data === undefined && file === undefined) return undefined;
    throw new KubeconfigError(
      `${config.name} gives ${owner} both a certificate authority and insecure-skip-tls-verify. Take one of them out.`,
    );
  }
  return readPem(config, owner, 'certificate-authority', data, file, folder);
}

/** What is given as data comes before what is given as a file, as in client-go. */
async function readPem(
  config: MergedKubeconfig,
  owner: string,
  field: string,
  data: string | undefined,
  file: string | undefined,
  folder: string | undefined,
): Promise<string | undefined> {
  if (data === undefined && file === undefined) return undefined;
  const place = `${owner} of ${config.name}`;
  let pem: string;
  if (data === undefined) {
    const path = placeOf(`${field} of ${owner}`, file ?? '', folder);
    pem = await readNamedFile(`${field} of ${place}`, path);
  } else pem = Buffer.from(data, 'base64').toString('utf8');
  if (pem.includes('-----BEGIN ')) return pem;
  const name = data === undefined ? field : `${field}-data`;
  throw new KubeconfigError(
    `${name} of ${place} is no PEM, expected "-----BEGIN …"${data === undefined ? '' : ' in base64'}. Write it anew.`,
  );
}

function placeOf(what: string, path: string, folder: string | undefined): string {
  if (folder !== undefined) return resolve(folder, path);
  if (path.startsWith('/')) return path;
  throw new KubeconfigError(
    `The ${what} is the file "${toOneLine(path, 60)}", but a kubeconfig given as text has no folder. Give the contents (kubectl config view --flatten).`,
  );
}

async function readNamedFile(what: string, path: string): Promise<string> {
  try {
    return await readTextFile(path, MAX_PEM_BYTES);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = 'code' in error ? String(error.code) : error.message;
    throw new KubeconfigError(`The ${what} can't be read from ${path}: ${why}. Correct the path.`, error);
  }
}

function readImpersonation(user: UserEntry): Endpoint['impersonation'] {
  const headers: Record<string, string | string[]> = {};
  if (user.as) headers['impersonate-user'] = user.as;
  if (user['as-uid']) headers['impersonate-uid'] = user['as-uid'];
  if (user['as-groups'] && user['as-groups'].length > 0) headers['impersonate-group'] = user['as-groups'];
  for (const [key, values] of Object.entries(user['as-user-extra'] ?? {}))
    headers[`impersonate-extra-${encodeURIComponent(key)}`] = values;
  return headers;
}

type ClusterOfUser = { readonly cluster: ClusterEntry; readonly certificateAuthority: string | undefined };

async function readCredentials(
  config: MergedKubeconfig,
  name: string,
  { entry, folder }: Found<UserEntry>,
  cluster: ClusterOfUser,
): Promise<CredentialSource> {
  const owner = `user "${toOneLine(name, 60)}"`;
  const refuse = (what: string, fix: string) =>
    new KubeconfigError(`${config.name} gives ${owner} ${what}. ${fix}`);
  if (entry['auth-provider'])
    throw refuse(
      `the auth-provider "${toOneLine(entry['auth-provider'].name ?? '', 30)}", which Kubernetes 1.26 has removed`,
      'Use a token, a client certificate or an exec plugin.',
    );
  const hasToken = Boolean(entry.token || entry.tokenFile);
  const hasBasic = Boolean(entry.username || entry.password);
  if (hasToken && hasBasic) throw refuse('both a token and a password', 'Take one of them out.');
  return {
    token: entry.token || undefined,
    tokenFile: entry.tokenFile ? placeOf(`tokenFile of ${owner}`, entry.tokenFile, folder) : undefined,
    basic: hasBasic ? { username: entry.username ?? '', password: entry.password ?? '' } : undefined,
    clientCertificate: await readClientCertificate(config, owner, entry, folder),
    exec: entry.exec ? readExec(entry.exec, refuse, folder, cluster) : undefined,
  };
}

async function readClientCertificate(
  config: MergedKubeconfig,
  owner: string,
  entry: UserEntry,
  folder: string | undefined,
): Promise<ClientCertificate | undefined> {
  const read = (field: 'client-certificate' | 'client-key') =>
    readPem(config, owner, field, entry[`${field}-data`] || undefined, entry[field] || undefined, folder);
  const [certificate, key] = [await read('client-certificate'), await read('client-key')];
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const [there, missing] =
    key === undefined ? ['client-certificate', 'client-key'] : ['client-key', 'client-certificate'];
  throw new KubeconfigError(`${config.name} gives ${owner} a ${there} but no ${missing}. Add it.`);
}

function readExec(
  exec: ExecEntry,
  refuse: (what: string, fix: string) => KubeconfigError,
  folder: string | undefined,
  { cluster, certificateAuthority }: ClusterOfUser,
): ExecPlugin {
  const command = exec.command ?? '';
  if (command === '') throw refuse('an exec plugin without a command', 'Name its command.');
  const apiVersion = exec.apiVersion ?? '';
  if (!/^client\.authentication\.k8s\.io\/(v1|v1beta1)$/.test(apiVersion))
    throw refuse(
      `an exec plugin of apiVersion "${toOneLine(apiVersion, 60)}", expected client.authentication.k8s.io/v1 or v1beta1`,
      'Upgrade the plugin.',
    );
  if (exec.interactiveMode === 'Always')
    throw refuse(
      `the exec plugin ${toOneLine(command, 40)} that always asks a person, and there is none`,
      'Use credentials that work unattended.',
    );
  return {
    apiVersion,
    command,
    args: exec.args ?? [],
    env: (exec.env ?? []).map(({ name, value }) => ({ name, value: value ?? '' })),
    installHint: exec.installHint || undefined,
    clusterInfo: exec.provideClusterInfo === true ? describe(cluster, certificateAuthority) : undefined,
    folder,
  };
}

/** `spec.cluster` of an ExecCredential. */
function describe(cluster: ClusterEntry, authority: string | undefined): Readonly<Record<string, unknown>> {
  const info: Record<string, unknown> = { server: cluster.server ?? '' };
  if (cluster['tls-server-name']) info['tls-server-name'] = cluster['tls-server-name'];
  if (cluster['insecure-skip-tls-verify'] === true) info['insecure-skip-tls-verify'] = true;
  if (authority !== undefined) info['certificate-authority-data'] = Buffer.from(authority).toString('base64');
  if (cluster['proxy-url']) info['proxy-url'] = cluster['proxy-url'];
  if (cluster['disable-compression'] === true) info['disable-compression'] = true;
  const extension = (cluster.extensions ?? []).find(({ name }) => name === EXEC_EXTENSION);
  if (extension !== undefined) info['config'] = extension.extension;
  return info;
}

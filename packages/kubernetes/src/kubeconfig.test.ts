import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectCluster } from './connect-cluster.ts';
import { findKubeconfig } from './kubeconfig.ts';
import { resolveEndpoint } from './resolve-endpoint.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
});
afterAll(async () => rm(folder, { recursive: true }));

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

type Sources = {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
};

async function resolve({ kubeconfig, context, env = {} }: Sources) {
  const { config } = await findKubeconfig(kubeconfig, env, () => undefined);
  if (config === undefined) throw new Error('The test has no kubeconfig.');
  return resolveEndpoint(config, context);
}

/** What connecting says is wrong; nothing listens anywhere, and nothing needs to. */
async function refusalOf({ kubeconfig, context, env = {} }: Sources): Promise<string> {
  const outcome = await connectCluster({
    kubeconfig,
    context,
    env,
    log: () => undefined,
    mask: () => undefined,
    serviceAccountFolder: join(folder, 'nothing-there'),
  }).then(
    () => 'connected',
    (error: Error) => `${error.name}: ${error.message}`,
  );
  return outcome.replaceAll(folder, 'FOLDER');
}

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const encode = (text: string) => Buffer.from(text).toString('base64');

function config(parts: { cluster?: object; user?: object; context?: object; more?: object }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', ...parts.context } }],
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443', ...parts.cluster } }],
    users: [{ name: 'u', user: parts.user ?? {} }],
    ...parts.more,
  });
}

describe('where the kubeconfig comes from', () => {
  it.each([
    ['JSON', (text: string) => text],
    ['YAML', (text: string) => `---\n# made by hand\n${text}\n`],
    ['base64, as secrets often are', (text: string) => encode(text)],
    ['base64 in lines', (text: string) => encode(text).replace(/.{76}/g, '$&\n')],
  ])('takes a text of %s', async (_, toText) => {
    const { server, namespace } = await resolve({
      kubeconfig: toText(config({ context: { namespace: 'ci' } })),
    });
    expect([server.href, namespace]).toEqual(['https://api.example:6443/', 'ci']);
  });

  it('takes KUBECONFIG before the file at home, and what is given before both', async () => {
    const named = (namespace: string) => config({ context: { namespace } });
    const listed = await write('order/listed', named('listed'));
    await write('order/home/.kube/config', named('home'));
    const HOME = join(folder, 'order/home');
    const namespaceOf = async (sources: Sources) => (await resolve(sources)).namespace;
    expect(await namespaceOf({ env: { HOME } })).toBe('home');
    expect(await namespaceOf({ env: { HOME, KUBECONFIG: listed } })).toBe('listed');
    expect(await namespaceOf({ env: { HOME, KUBECONFIG: listed }, kubeconfig: named('given') })).toBe(
      'given',
    );
  });

  it('looks into a Pod only after KUBECONFIG and home, and names all that it tried', async () => {
    const Pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
    expect(await refusalOf({ env: { HOME: join(folder, 'empty') } })).toBe(
      'KubeconfigError: There is no kubeconfig, tried KUBECONFIG (unset), ~/.kube/config (not there), this Pod (KUBERNETES_SERVICE_HOST is unset). Give one by the input kubeconfig.',
    );
    expect(await refusalOf({ env: { KUBECONFIG: '/nope', ...Pod } })).toBe(
      'KubeconfigError: There is no kubeconfig, tried KUBECONFIG (/nope: not there), this Pod (no service account token). Give one by the input kubeconfig.',
    );
  });

  it('does not show a value that is neither a path nor a kubeconfig: it may be a damaged secret', async () => {
    const secret = 'aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ'.repeat(3);
    const masked: string[] = [];
    const error = await findKubeconfig(secret, {}, (text) => masked.push(text)).catch((e: Error) => e);
    expect(error).toMatchObject({
      message:
        'the kubeconfig is neither the path of a file nor YAML or JSON. Give a path, or the text of a kubeconfig.',
    });
    expect(masked).toEqual([secret]);
  });
});

describe('how KUBECONFIG files are put together', () => {
  // kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig: the first file to set a value or
  // map key wins, and no part of a later entry of the same name is taken.
  it('takes the first entry of a name whole, and the first current-context', async () => {
    const one = await write(
      'merge/one',
      'clusters: [{name: c, cluster: {server: "https://one:1"}}]\nusers: [{name: u, user: {username: first}}]\n',
    );
    const two = await write(
      'merge/two',
      config({
        cluster: { server: 'https://two:2', 'tls-server-name': 'two' },
        user: { username: 'second', password: 'second-password' },
      }),
    );
    const endpoint = await resolve({ env: { KUBECONFIG: [one, join(folder, 'none'), two].join(':') } });
    expect(endpoint.server.href).toBe('https://one:1/');
    expect(endpoint.tlsServerName).toBeUndefined();
    expect(endpoint.credentials.basic).toEqual({ username: 'first', password: '' });
  });

  it('reads relative paths from the folder of the file that has them', async () => {
    await write('relative/pki/ca.pem', PEM);
    await write('relative/users/token', 'abc');
    const clusters = await write(
      'relative/config',
      'clusters: [{name: c, cluster: {server: "https://c", certificate-authority: pki/ca.pem}}]\n',
    );
    const users = await write(
      'relative/users/config',
      'current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: ./token}}]\n',
    );
    const endpoint = await resolve({ env: { KUBECONFIG: `${clusters}:${users}` } });
    expect(endpoint.certificateAuthority).toBe(PEM);
    expect(endpoint.credentials.tokenFile).toBe(join(folder, 'relative/users/token'));
  });

  it('takes data before a file of the same, as client-go does', async () => {
    const endpoint = await resolve({
      kubeconfig: config({
        cluster: { 'certificate-authority': '/nope', 'certificate-authority-data': encode(PEM) },
      }),
    });
    expect(endpoint.certificateAuthority).toBe(PEM);
  });
});

describe('what a kubeconfig may not be', () => {
  const many = ['staging-eu', 'staging-us', 'production', 'somewhere-else-altogether'].map((name) => ({
    name,
    context: { cluster: 'c' },
  }));
  it.each<[string, Sources, string]>([
    [
      'no such file',
      { kubeconfig: 'ci/kubeconfig.yml' },
      'kubeconfig ci/kubeconfig.yml is not there. Give a path, or the text of a kubeconfig.',
    ],
    [
      'a folder',
      { kubeconfig: '/tmp' },
      "kubeconfig /tmp can't be read: is a folder, expected a file. Check the path and its permissions.",
    ],
    [
      'a text that is no kubeconfig',
      { kubeconfig: 'hello:\n  - world\n' },
      'the kubeconfig has neither clusters nor contexts, expected a kubeconfig. Correct it.',
    ],
    [
      'broken YAML',
      { kubeconfig: 'clusters: [\n  token: secret-secret\n' },
      'the kubeconfig is not one document of YAML or JSON (line 3: BAD_INDENT). Correct it.',
    ],
    [
      'a token that is a number',
      { kubeconfig: config({ user: { token: 12345678 } }) },
      'the kubeconfig has something unexpected at users.0.user.token. Write it as kubectl config does.',
    ],
    [
      'a context that is not there',
      { kubeconfig: config({ more: { contexts: many } }), context: 'stagin-eu' },
      'the kubeconfig has no context "stagin-eu": expected one of "staging-eu", "staging-us", "production" and 1 more. Correct the name.',
    ],
    [
      'no current context',
      { kubeconfig: config({ more: { 'current-context': '' } }) },
      'the kubeconfig has no current-context, expected one of "here". Name the context.',
    ],
    [
      'a context without its cluster',
      { kubeconfig: config({ context: { cluster: 'd' } }) },
      'the kubeconfig has no cluster "d": expected one of "c". Correct the name.',
    ],
    [
      'a context without its user',
      { kubeconfig: config({ context: { user: 'v' } }) },
      'the kubeconfig has no user "v": expected one of "u". Correct the name.',
    ],
    [
      'plain HTTP',
      { kubeconfig: config({ cluster: { server: 'http://api.example' } }) },
      'Cluster "c" of the kubeconfig is reached by http://, expected https://. Correct its server.',
    ],
    [
      'no server',
      { kubeconfig: config({ cluster: { server: null } }) },
      'Cluster "c" of the kubeconfig has no URL as its server. Correct its server.',
    ],
    [
      'a password in the URL',
      { kubeconfig: config({ cluster: { server: 'https://me:hunter22@api.example' } }) },
      'Cluster "c" of the kubeconfig has credentials in the URL of its server. Correct its server.',
    ],
    [
      'an authority and none',
      {
        kubeconfig: config({
          cluster: { 'certificate-authority-data': encode(PEM), 'insecure-skip-tls-verify': true },
        }),
      },
      'the kubeconfig gives cluster "c" both a certificate authority and insecure-skip-tls-verify. Take one of them out.',
    ],
    [
      'an authority that is none',
      { kubeconfig: config({ cluster: { 'certificate-authority-data': encode('hello') } }) },
      'certificate-authority-data of cluster "c" of the kubeconfig is no PEM, expected "-----BEGIN …" in base64. Write it anew.',
    ],
    [
      'a PEM of nothing',
      { kubeconfig: config({ cluster: { 'certificate-authority-data': encode(PEM) } }) },
      /^The kubeconfig's certificate authority can't be used: ERR_OSSL\w+\. Write it anew\.$/.source,
    ],
    [
      'a file in a text',
      { kubeconfig: config({ cluster: { 'certificate-authority': 'ca.pem' } }) },
      'The certificate-authority of cluster "c" is the file "ca.pem", but a kubeconfig given as text has no folder. Give the contents (kubectl config view --flatten).',
    ],
    [
      'a file that is not there',
      { kubeconfig: config({ user: { 'client-certificate': '/nope', 'client-key': '/nope' } }) },
      `The client-certificate of user "u" of the kubeconfig can't be read from /nope: ENOENT. Correct the path.`,
    ],
    [
      'a certificate without its key',
      { kubeconfig: config({ user: { 'client-certificate-data': encode(PEM) } }) },
      'the kubeconfig gives user "u" a client-certificate but no client-key. Add it.',
    ],
    [
      'a token and a password',
      { kubeconfig: config({ user: { token: 'abcdefgh', password: 'hunter22' } }) },
      'the kubeconfig gives user "u" both a token and a password. Take one of them out.',
    ],
    [
      'an auth-provider',
      { kubeconfig: config({ user: { 'auth-provider': { name: 'gcp', config: {} } } }) },
      'the kubeconfig gives user "u" the auth-provider "gcp", which Kubernetes 1.26 has removed. Use a token, a client certificate or an exec plugin.',
    ],
    [
      'an old plugin',
      {
        kubeconfig: config({
          user: { exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1', command: 'aws' } },
        }),
      },
      'the kubeconfig gives user "u" an exec plugin of apiVersion "client.authentication.k8s.io/v1alpha1", expected client.authentication.k8s.io/v1 or v1beta1. Upgrade the plugin.',
    ],
    [
      'a plugin that asks a person',
      {
        kubeconfig: config({
          user: {
            exec: {
              apiVersion: 'client.authentication.k8s.io/v1',
              command: 'login',
              interactiveMode: 'Always',
            },
          },
        }),
      },
      'the kubeconfig gives user "u" the exec plugin login that always asks a person, and there is none. Use credentials that work unattended.',
    ],
    [
      'a proxy of another kind',
      { kubeconfig: config({ cluster: { 'proxy-url': 'socks5://me:hunter22@proxy' } }) },
      'The proxy to api.example:6443 is one of socks5://, expected http:// or https://. Correct proxy-url or HTTPS_PROXY.',
    ],
    [
      'a proxy that is no URL',
      { kubeconfig: config({ cluster: { 'proxy-url': 'hunter22' } }) },
      'The proxy to api.example:6443 is no URL. Correct proxy-url or HTTPS_PROXY.',
    ],
  ])('%s', async (_, sources, expected) => {
    const refusal = await refusalOf(sources);
    if (expected.startsWith('^'))
      expect(refusal.replace('KubeconfigError: ', '')).toMatch(new RegExp(expected));
    else expect(refusal).toBe(`KubeconfigError: ${expected}`);
    expect(refusal).not.toMatch(/hunter22|abcdefgh|secret-secret|12345678/);
  });
});

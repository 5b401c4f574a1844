import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as openConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  type Cluster,
  type ConnectOptions,
  connectCluster,
  KubernetesError,
  type KubernetesObject,
  readManifests,
  replaceImages,
  type Selection,
  type WatchEvent,
} from '@sophia/kubernetes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Cluster as ControlPlane,
  FIRST_CLUSTER_TIMEOUT_MS,
  runScript,
  startCluster,
} from '../harness/cluster.ts';
import {
  type ApiServerFault,
  type ApiServerRequest,
  startFaultyApiServer,
} from '../harness/faulty-api-server.ts';

let control: ControlPlane;
let folder: string;
let kubectlPath: string;
/** Everything that the client has logged and every error's message, to be searched for secrets. */
const said: string[] = [];
const masked = new Set<string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kubernetes-test-'));
  kubectlPath = await runScript('tools', ['kubectl']);
  control = await startCluster();
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await control?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function connect(options: Partial<ConnectOptions> = {}): Promise<Cluster> {
  return connectCluster({
    kubeconfig: control.kubeconfig,
    context: undefined,
    env: { PATH: process.env['PATH'] },
    log: (line) => said.push(line),
    mask: (secret) => masked.add(secret),
    ...options,
  });
}

/** The error that a call ends with. */
async function refusalOf(call: Promise<unknown>): Promise<KubernetesError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof KubernetesError)) throw new Error('The call was to be refused.', { cause: error });
  said.push(error.message, error.answer);
  return error;
}

/** A message without the parts that differ from run to run. */
function plain(text: string): string {
  return text.replaceAll(folder, 'FOLDER').replaceAll(/127\.0\.0\.1:\d+/g, 'HOST');
}

let namespaces = 0;
async function makeNamespace(): Promise<string> {
  namespaces += 1;
  const name = `client-${namespaces}`;
  await control.kubectl(['create', 'namespace', name]);
  return name;
}

function configMap(namespace: string, name: string, data: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}

/** A new kind or right holds a moment after it was made. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (const limit = Date.now() + 10_000; ; await wait(50)) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof KubernetesError) || Date.now() > limit) throw error;
    }
  }
}

const keyOf = ({ apiVersion, kind, metadata }: KubernetesObject) => ({
  apiVersion,
  kind,
  namespace: metadata.namespace,
  name: metadata.name,
});

async function readConfig(path: string) {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** A kubeconfig for the control plane with another user. */
async function configWith(user: object): Promise<string> {
  const config = await readConfig(control.kubeconfig);
  config.users[0].user = user;
  return JSON.stringify(config);
}

async function adminToken(): Promise<string> {
  return (await readConfig(control.kubeconfig)).users[0].user.token;
}

describe('who one is', () => {
  const nodesOf = async (cluster: Cluster) =>
    (await cluster.list({ apiVersion: 'v1', kind: 'Node' })).map(({ metadata }) => metadata.name);
  test('a token, a client certificate, and a kubeconfig that is nowhere but in memory', async () => {
    const { stdout } = await control.kubectl(['get', 'nodes', '--output=jsonpath={.items[*].metadata.name}']);
    const expected = stdout.split(' ');
    expect(expected).toHaveLength(5);
    for (const kubeconfig of [
      control.kubeconfig,
      control.certificateKubeconfig,
      await readFile(control.kubeconfig, 'utf8'),
      await readFile(control.certificateKubeconfig, 'utf8'),
    ])
      expect(await nodesOf(await connect({ kubeconfig }))).toEqual(expected);
  });

  test('in a Pod: the token of the service account, read anew when it was replaced', async () => {
    const namespace = await makeNamespace();
    const config = await readConfig(control.kubeconfig);
    await control.kubectl(['create', 'serviceaccount', 'deployer', '--namespace', namespace]);
    await control.kubectl([
      'create',
      'clusterrolebinding',
      namespace,
      '--clusterrole=view',
      `--serviceaccount=${namespace}:deployer`,
    ]);
    const { stdout: token } = await control.kubectl([
      'create',
      'token',
      'deployer',
      '--namespace',
      namespace,
    ]);
    const account = await mkdtemp(join(folder, 'service-account-'));
    const authority = Buffer.from(config.clusters[0].cluster['certificate-authority-data'], 'base64');
    await writeFile(join(account, 'ca.crt'), authority);
    await writeFile(join(account, 'namespace'), namespace);
    await writeFile(join(account, 'token'), 'a-token-that-has-run-out\n');
    const { hostname, port } = new URL(control.server);
    const cluster = await connect({
      kubeconfig: undefined,
      env: { HOME: folder, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      serviceAccountFolder: account,
    });
    expect(cluster.namespace).toBe(namespace);
    const refusal = await refusalOf(cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace }));
    expect(plain(refusal.message)).toBe(
      'HOST answered 401 to list the kinds of v1: Unauthorized. Give credentials that this cluster accepts; a token may have expired.',
    );
    await writeFile(join(account, 'token'), token);
    // A minute may pass until a changed file is read; an answer 401 doesn't wait for that.
    expect(await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })).toEqual([]);
    expect(masked).toContain('a-token-that-has-run-out');
    expect(masked).toContain(token.trim());
  });

  describe('a credential plugin', () => {
    /** Prints what the test says, and keeps a record of how it was called. */
    async function plugin(script: string, exec: object = {}, user: object = {}): Promise<string> {
      const path = join(folder, `plugin-${Math.random().toString(36).slice(2)}`);
      await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return configWith({
        ...user,
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: path,
          interactiveMode: 'IfAvailable',
          ...exec,
        },
      });
    }
    const credential = (status: object, version = 'v1') =>
      JSON.stringify({
        apiVersion: `client.authentication.k8s.io/${version}`,
        kind: 'ExecCredential',
        status,
      });

    test.each(['v1', 'v1beta1'])(
      '%s: is run once for many calls, with its arguments and environment',
      async (version) => {
        const record = join(folder, `record-${version}`);
        const token = await adminToken();
        const kubeconfig = await plugin(
          `echo "$1 $COLOUR $KUBERNETES_EXEC_INFO" >> ${record}\necho '${credential({ token }, version)}'`,
          {
            apiVersion: `client.authentication.k8s.io/${version}`,
            args: ['get-token'],
            env: [{ name: 'COLOUR', value: 'blue' }],
            provideClusterInfo: true,
          },
        );
        const cluster = await connect({ kubeconfig });
        await Promise.all([nodesOf(cluster), nodesOf(cluster), cluster.findType('apps/v1', 'Deployment')]);
        const lines = (await readFile(record, 'utf8')).trim().split('\n');
        expect(lines).toHaveLength(1);
        expect(lines[0]).toMatch(/^get-token blue \{/);
        const cluster0 = (await readConfig(control.kubeconfig)).clusters[0].cluster;
        expect(JSON.parse(lines[0]?.slice('get-token blue '.length) ?? '')).toEqual({
          apiVersion: `client.authentication.k8s.io/${version}`,
          kind: 'ExecCredential',
          spec: { interactive: false, cluster: cluster0 },
        });
      },
    );

    test('is run again for one answer 401, and before its token expires', async () => {
      const record = join(folder, 'record-again');
      const good = credential({ token: await adminToken(), expirationTimestamp: '2020-01-01T00:00:00Z' });
      const bad = credential({ token: 'a-token-that-is-refused' });
      const kubeconfig = await plugin(
        `echo x >> ${record}\nif [ $(wc -l < ${record}) = 1 ]; then echo '${bad}'; else echo '${good}'; fi`,
      );
      const cluster = await connect({ kubeconfig });
      await cluster.findType('v1', 'Node');
      expect((await readFile(record, 'utf8')).length).toBe(2 * 2);
      // Expired already: each call gets a new one.
      await cluster.findType('apps/v1', 'Deployment');
      expect((await readFile(record, 'utf8')).length).toBe(3 * 2);
    });

    test('may hand out a certificate', async () => {
      const user = (await readConfig(control.certificateKubeconfig)).users[0].user;
      const decode = (data: string) => Buffer.from(data, 'base64').toString('utf8');
      const answer = credential({
        clientCertificateData: decode(user['client-certificate-data']),
        clientKeyData: decode(user['client-key-data']),
      });
      const path = join(folder, 'certificate-answer');
      await writeFile(path, answer);
      const cluster = await connect({ kubeconfig: await plugin(`cat ${path}`) });
      expect(await nodesOf(cluster)).toHaveLength(5);
    });

    test.each<[string, string, object, string]>([
      [
        'fails',
        'echo "no session for me@example.com" >&2; exit 3',
        {},
        'ended with exit code 3: no session for me@example.com. Log it in, or give other credentials.',
      ],
      [
        'answers with a page',
        'echo "<html>"',
        {},
        'answered with something other than an ExecCredential. Upgrade it, or give other credentials.',
      ],
      [
        'answers with nothing',
        `echo '${credential({})}'`,
        {},
        'answered without a token or certificate. Upgrade it, or give other credentials.',
      ],
      [
        'answers in another version',
        `echo '${credential({ token: 'x' }, 'v1beta1')}'`,
        {},
        'answered in apiVersion "client.authentication.k8s.io/v1beta1", but the kubeconfig says client.authentication.k8s.io/v1. Write the one it speaks into the kubeconfig.',
      ],
      [
        'has half a certificate',
        `echo '${credential({ clientCertificateData: 'x' })}'`,
        {},
        'answered with half of a certificate and its key. Upgrade it, or give other credentials.',
      ],
      [
        'is not there',
        '',
        { command: 'no-such-plugin', installHint: 'Install it with:\n  brew install it' },
        'is not on the PATH. Install it with: brew install it',
      ],
    ])('that %s', async (_, script, exec, expected) => {
      const cluster = await connect({ kubeconfig: await plugin(script, exec) });
      const { message } = await refusalOf(nodesOf(cluster));
      expect(plain(message).replace(/^The credential plugin \S+ /, '')).toBe(expected);
    });

    test('that hangs does not hold a call whose signal aborts', async () => {
      const cluster = await connect({ kubeconfig: await plugin('sleep 30') });
      const call = cluster.read(keyOf(configMap('default', 'a')), AbortSignal.timeout(100)).catch((e) => e);
      expect(await call).toMatchObject({ name: 'TimeoutError' });
    });
  });

  test('credentials that are refused are told apart from a token that has expired', async () => {
    const payload = Buffer.from(JSON.stringify({ exp: 1_700_000_000 })).toString('base64url');
    const expired = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.c2lnbmF0dXJl`;
    const refusal = async (user: object) =>
      plain((await refusalOf(nodesOf(await connect({ kubeconfig: await configWith(user) })))).message);
    expect(await refusal({ token: expired })).toBe(
      'HOST answered 401 to list the kinds of v1: Unauthorized. Its token expired at 2023-11-14T22:13:20.000Z: get a new one.',
    );
    expect(await refusal({ token: 'wrong-token' })).toBe(
      'HOST answered 401 to list the kinds of v1: Unauthorized. Give credentials that this cluster accepts; a token may have expired.',
    );
    expect(await refusal({})).toBe(
      'HOST answered 403 to list the kinds of v1: User "system:anonymous" cannot get path "/api/v1". Give credentials in the kubeconfig.',
    );
  });

  test('a server whose certificate is by another authority', async () => {
    const config = await readConfig(control.kubeconfig);
    delete config.clusters[0].cluster['certificate-authority-data'];
    const cluster = await connect({ kubeconfig: JSON.stringify(config) });
    const refusal = await refusalOf(nodesOf(cluster));
    expect([plain(refusal.message), refusal.isTemporary]).toEqual([
      "HOST could not be reached to list the kinds of v1: its certificate authority is not trusted. Give the cluster's certificate authority in the kubeconfig.",
      false,
    ]);
    config.clusters[0].cluster['insecure-skip-tls-verify'] = true;
    expect(await nodesOf(await connect({ kubeconfig: JSON.stringify(config) }))).toHaveLength(5);
  });

  test('impersonation, and the path of a server behind another', async () => {
    const namespace = await makeNamespace();
    const kubeconfig = await configWith({
      token: await adminToken(),
      as: 'nobody-known',
      'as-groups': ['system:authenticated'],
    });
    const cluster = await connect({ kubeconfig });
    expect((await refusalOf(cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace }))).message).toContain(
      'User "nobody-known" cannot list resource "pods"',
    );
    const config = await readConfig(control.kubeconfig);
    config.clusters[0].cluster.server += '/k8s/clusters/c-1';
    const behind = await connect({ kubeconfig: JSON.stringify(config) });
    expect(plain((await refusalOf(behind.findType('v1', 'Pod'))).message)).toBe(
      "HOST answered list the kinds of v1 with something else than an answer of the API. Check that the address is a Kubernetes API server's.",
    );
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: () => undefined,
    });
    const away = await readConfig(faulty.kubeconfig);
    away.clusters[0].cluster.server += '/k8s/clusters/c-1/';
    await (await connect({ kubeconfig: JSON.stringify(away) })).findType('apps/v1', 'Deployment');
    expect(faulty.requests.map(({ path }) => path)).toEqual(['/k8s/clusters/c-1/apis/apps/v1']);
  });

  test('a proxy that the kubeconfig or the environment names', async () => {
    const tunnels: string[] = [];
    await using proxy = await startProxy((target) => tunnels.push(target));
    const config = await readConfig(control.kubeconfig);
    config.clusters[0].cluster['proxy-url'] = proxy.url;
    expect(await nodesOf(await connect({ kubeconfig: JSON.stringify(config) }))).toHaveLength(5);
    const named = tunnels.length;
    expect(named).toBeGreaterThan(0);
    expect(new Set(tunnels)).toEqual(new Set([new URL(control.server).host]));
    expect(await nodesOf(await connect({ env: { HTTPS_PROXY: proxy.url } }))).toHaveLength(5);
    const both = tunnels.length;
    expect(both).toBeGreaterThan(named);
    await nodesOf(await connect({ env: { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } }));
    expect(tunnels).toHaveLength(both);
  });
});

/** A proxy that only tunnels. */
async function startProxy(onTunnel: (target: string) => void) {
  const server: Server = createServer();
  const sockets = new Set<{ destroy(): void }>();
  server.on('connect', (request, client) => {
    onTunnel(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const upstream = openConnection(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.pipe(client);
      client.pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('what kubectl makes of the same kubeconfigs', () => {
  const run = promisify(execFile);

  test.each(['alpha', 'beta', 'gamma', undefined])('context %s of three files', async (context) => {
    const base = await readConfig(control.kubeconfig);
    const { cluster } = base.clusters[0];
    const files = {
      one: {
        contexts: [{ name: 'alpha', context: { cluster: 'c', user: 'u', namespace: 'from-one' } }],
        users: [{ name: 'u', user: { username: 'one' } }],
      },
      two: {
        'current-context': 'beta',
        contexts: [
          { name: 'alpha', context: { cluster: 'd', user: 'v', namespace: 'from-two' } },
          { name: 'beta', context: { cluster: 'd', user: 'u' } },
        ],
        clusters: [
          { name: 'c', cluster: { ...cluster, 'tls-server-name': 'two' } },
          { name: 'd', cluster: { server: 'https://d.example' } },
        ],
        users: [
          { name: 'u', user: { token: 'token-of-two' } },
          { name: 'v', user: { token: 'token-of-v' } },
        ],
      },
      three: {
        'current-context': 'gamma',
        contexts: [{ name: 'gamma', context: { cluster: 'c', user: 'v', namespace: 'gamma' } }],
        clusters: [{ name: 'c', cluster: { server: 'https://three.example' } }],
      },
    };
    const paths = await Promise.all(
      Object.entries(files).map(async ([name, content]) => {
        const path = join(folder, `merge-${name}`);
        await writeFile(path, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...content }));
        return path;
      }),
    );
    const KUBECONFIG = [join(folder, 'not-there'), ...paths].join(':');
    const wanted = context === undefined ? [] : ['--context', context];
    const { stdout } = await run(
      kubectlPath,
      ['config', 'view', '--minify', '--flatten', '--raw', '--output=json', ...wanted],
      { env: { KUBECONFIG, HOME: folder } },
    );
    const view = JSON.parse(stdout);
    const before = new Set(masked);
    const ours = await connect({ kubeconfig: undefined, context, env: { KUBECONFIG, HOME: folder } });
    expect([ours.address, ours.namespace]).toEqual([
      view.clusters[0].cluster.server,
      view.contexts[0].context.namespace ?? 'default',
    ]);
    const { token } = view.users[0].user;
    expect([...masked].filter((secret) => !before.has(secret) && secret.startsWith('token-of'))).toEqual(
      token === undefined || before.has(token) ? [] : [token],
    );
  });
});

/** A kind of a test's own, without a namespace. */
function definitionOf(kind: string, plural: string): KubernetesObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.test.example` },
    spec: {
      group: 'test.example',
      scope: 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: { type: 'object', properties: { heat: { type: 'integer', default: 900 } } },
              },
            },
          },
        },
      ],
    },
  };
}

describe('objects', () => {
  test('a dry run answers as the real thing would and changes nothing', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    const wanted = configMap(namespace, 'a', { x: '1' });
    const options = { fieldManager: 'test', isDryRun: true };
    const { stdout } = await control.kubectl(
      [
        'apply',
        '--server-side',
        '--dry-run=server',
        '--field-manager=test',
        '--output=json',
        '--show-managed-fields',
        '--filename=-',
      ],
      { input: wanted },
    );
    const settle = ({
      metadata: { uid, creationTimestamp, managedFields, ...metadata },
      ...rest
    }: KubernetesObject) => ({
      ...rest,
      metadata,
      managers: (managedFields as { manager: string; fieldsV1: object }[]).map(({ manager, fieldsV1 }) => ({
        manager,
        fieldsV1,
      })),
    });
    expect(settle(await cluster.apply(wanted, options))).toEqual(settle(JSON.parse(stdout)));
    expect((await cluster.create(wanted, { isDryRun: true })).metadata.name).toBe('a');
    expect(await cluster.read(keyOf(wanted))).toBeUndefined();
    await cluster.apply(wanted, { fieldManager: 'test' });
    expect((await cluster.patch(keyOf(wanted), { data: { x: '2' } }, { isDryRun: true }))['data']).toEqual({
      x: '2',
    });
    expect(await cluster.remove(keyOf(wanted), { isDryRun: true })).toBe(true);
    expect((await cluster.read(keyOf(wanted)))?.['data']).toEqual({ x: '1' });
  });

  test('a conflict names the other manager and the fields, and force takes them', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    const input = configMap(namespace, 'a', { x: '1', y: '1' });
    await control.kubectl(['apply', '--server-side', '--field-manager=someone-else', '--filename=-'], {
      input,
    });
    const ours = configMap(namespace, 'a', { x: '2' });
    const refusal = await refusalOf(cluster.apply(ours, { fieldManager: 'gpu-deploy' }));
    expect(plain(refusal.message)).toBe(
      `HOST answered 409 to apply ConfigMap ${namespace}/a: Apply failed with 1 conflict: conflict with "someone-else": .data.x. Take these fields out of the manifest, or force the apply.`,
    );
    expect(refusal).toMatchObject({
      status: 409,
      reason: 'Conflict',
      isTemporary: false,
      causes: [{ field: '.data.x', reason: 'FieldManagerConflict', message: 'conflict with "someone-else"' }],
    });
    const applied = await cluster.apply(ours, { fieldManager: 'gpu-deploy', isForced: true });
    expect(applied['data']).toEqual({ x: '2', y: '1' });
  });

  test('what is wrong with an object comes by field', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    const template = {
      metadata: { labels: { app: 'a' } },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    };
    const deployment = (spec: object): KubernetesObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace, name: 'a' },
      spec,
    });
    const apply = (spec: object) =>
      refusalOf(cluster.apply(deployment(spec), { fieldManager: 'test', isDryRun: true }));
    const unknown = await apply({ selector: { matchLabels: { app: 'a' } }, replica: 2, template });
    expect(unknown).toMatchObject({
      reason: 'Invalid',
      isTemporary: false,
      causes: [{ field: '.spec.replica', message: 'field not declared in schema' }],
    });
    expect(plain(unknown.message)).toBe(
      `HOST answered 500 to apply Deployment ${namespace}/a: .spec.replica: field not declared in schema. Correct the manifest.`,
    );
    const invalid = await apply({ selector: { matchLabels: { app: 'b' } }, replicas: -1, template });
    expect(invalid).toMatchObject({ status: 422, reason: 'Invalid', isTemporary: false });
    expect(invalid.causes.map(({ field, reason }) => ({ field, reason }))).toEqual([
      { field: 'spec.replicas', reason: 'FieldValueInvalid' },
      { field: 'spec.template.metadata.labels', reason: 'FieldValueInvalid' },
    ]);
    expect(invalid.message.length).toBeLessThanOrEqual(200);
    const mistyped = await apply({ selector: { matchLabels: { app: 'a' } }, replicas: 'two', template });
    expect([mistyped.reason, mistyped.isTemporary]).toEqual(['Invalid', false]);
  });

  test('what may not be done comes with who may not, and can be asked before', async () => {
    const namespace = await makeNamespace();
    const admin = await connect();
    const user = `reader-of-${namespace}`;
    const kubeconfig = await configWith({
      token: await adminToken(),
      as: user,
      'as-groups': ['system:authenticated'],
    });
    const cluster = await connect({ kubeconfig });
    await control.kubectl([
      'create',
      'role',
      'reader',
      '--verb=get,list',
      '--resource=pods',
      '--namespace',
      namespace,
    ]);
    await control.kubectl([
      'create',
      'rolebinding',
      'reader',
      '--role=reader',
      `--user=${user}`,
      '--namespace',
      namespace,
    ]);
    const may = (verb: string, resource: string, group = '') =>
      cluster.isAllowed({ verb, group, resource, namespace });
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace };
    expect(await eventually(() => cluster.list(pods))).toEqual([]);
    expect(await may('list', 'pods')).toBe(true);
    expect(await may('get', 'pods/log')).toBe(false);
    expect(await may('patch', 'deployments', 'apps')).toBe(false);
    expect(await cluster.isAllowed({ verb: 'list', group: '', resource: 'pods', namespace: undefined })).toBe(
      false,
    );
    const refusal = await refusalOf(cluster.apply(configMap(namespace, 'a'), { fieldManager: 'test' }));
    expect(plain(refusal.message)).toBe(
      `HOST answered 403 to apply ConfigMap ${namespace}/a: User "${user}" cannot patch resource "configmaps" in API group "" in the namespace "${namespace}". Give this user that right (RBAC).`,
    );
    expect(refusal).toMatchObject({ status: 403, reason: 'Forbidden', isTemporary: false });
    expect(await admin.isAllowed({ verb: 'delete', group: 'apps', resource: 'deployments', namespace })).toBe(
      true,
    );
  });

  test('a list has all pages, in the order and with all that kubectl shows', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    const names = Array.from({ length: 1_203 }, (_, index) => `map-${String(index).padStart(4, '0')}`);
    const items = names.map((name) => configMap(namespace, name));
    await control.kubectl(['create', '--filename=-'], { input: { apiVersion: 'v1', kind: 'List', items } });
    const listed = await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
    const { stdout } = await control.kubectl([
      'get',
      'configmaps',
      '--namespace',
      namespace,
      '--output=json',
      '--chunk-size=0',
      '--show-managed-fields',
    ]);
    expect(listed).toEqual(JSON.parse(stdout).items);
    const selected = await cluster.list({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      fieldSelector: 'metadata.name=map-0007',
    });
    expect(selected.map(({ metadata }) => metadata.name)).toEqual(['map-0007']);
  });

  test('a kind that comes with a CustomResourceDefinition is found after looking again', async () => {
    const cluster = await connect();
    const definition = definitionOf('Kiln', 'kilns');
    const kiln: KubernetesObject = {
      apiVersion: 'test.example/v1',
      kind: 'Kiln',
      metadata: { name: 'a' },
      spec: {},
    };
    expect(await cluster.findType('test.example/v1', 'Kiln')).toBeUndefined();
    expect(plain((await refusalOf(cluster.apply(kiln, { fieldManager: 'test' }))).message)).toBe(
      "HOST serves no Kiln of test.example/v1, so it can't apply Kiln a. Install its CustomResourceDefinition, or correct apiVersion and kind.",
    );
    expect(await cluster.read(keyOf(kiln))).toBeUndefined();
    await cluster.apply(definition, { fieldManager: 'test' });
    await control.kubectl(['wait', '--for=condition=Established', 'crd/kilns.test.example']);
    const limit = Date.now() + 10_000;
    while ((await cluster.findType('test.example/v1', 'Kiln')) === undefined && Date.now() < limit) {
      await wait(50);
      cluster.rediscover();
    }
    expect(await cluster.findType('test.example/v1', 'Kiln')).toEqual({
      apiVersion: 'test.example/v1',
      kind: 'Kiln',
      plural: 'kilns',
      isNamespaced: false,
    });
    expect((await cluster.apply(kiln, { fieldManager: 'test' }))['spec']).toEqual({ heat: 900 });
    expect(await cluster.remove(keyOf(kiln))).toBe(true);
    expect(await cluster.remove(keyOf(kiln))).toBe(false);
  });

  test('what the API server warns of is logged', async () => {
    const namespace = await makeNamespace();
    const pod: KubernetesObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name: 'a', annotations: { 'scheduler.alpha.kubernetes.io/critical-pod': '' } },
      spec: {
        containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 80 }, { containerPort: 80 }] }],
      },
    };
    await control.kubectl(['create', 'serviceaccount', 'default', '--namespace', namespace], {
      mayFail: true,
    });
    const { stderr } = await control.kubectl(['create', '--dry-run=server', '--filename=-'], { input: pod });
    const warnings = stderr.split('\n').filter((line) => line.startsWith('Warning: '));
    expect(warnings.length).toBeGreaterThan(0);
    const before = said.length;
    await (await connect()).create(pod, { isDryRun: true });
    expect(
      said
        .slice(before)
        .filter((line) => line.includes(' warns: '))
        .map(plain),
    ).toEqual(warnings.map((line) => line.replace('Warning: ', 'HOST warns: ')));
  });

  test('only the object with the uid is removed', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    const made = await cluster.create(configMap(namespace, 'a'));
    expect(await cluster.remove(keyOf(made), { uid: '00000000-0000-4000-8000-000000000000' })).toBe(false);
    expect(await cluster.read(keyOf(made))).toBeDefined();
    expect(await cluster.remove(keyOf(made), { uid: made.metadata.uid ?? '' })).toBe(true);
    expect(await cluster.read(keyOf(made))).toBeUndefined();
  });

  test('logs, those before the restart, and the end of them', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    await control.kubectl(['create', 'serviceaccount', 'default', '--namespace', namespace], {
      mayFail: true,
    });
    const annotations = {
      'test.sophia.ai/state': 'crash@100ms',
      'test.sophia.ai/back-off': '100ms',
      'test.sophia.ai/logs': 'one\ntwo\nthree ✓',
      'test.sophia.ai/previous-logs': 'loading\nout of memory',
    };
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name: 'a', annotations },
      spec: { containers: [{ name: 'app', image: 'registry.test/app:1' }] },
    });
    const selection = { namespace, pod: 'a', container: 'app' };
    // Before the pod has a node, the API server answers with an empty log; after that it refuses for a while.
    const previous = async (): Promise<string> => {
      const limit = Date.now() + 20_000;
      for (;;) {
        const log = await cluster.readLog({ ...selection, isPrevious: true }).catch((error: unknown) => {
          if (error instanceof KubernetesError && error.status === 400 && Date.now() < limit) return '';
          throw error;
        });
        if (log !== '' || Date.now() > limit) return log;
        await wait(100);
      }
    };
    expect((await previous()).trim()).toBe('loading\nout of memory');
    const { stdout } = await control.kubectl(['logs', '--namespace', namespace, 'a']);
    expect(await cluster.readLog(selection)).toBe(stdout);
    expect((await cluster.readLog({ ...selection, tailLines: 1 })).trim()).toBe('three ✓');
    expect(await cluster.readLog({ ...selection, limitBytes: 3 })).toBe('one');
    expect((await refusalOf(cluster.readLog({ ...selection, container: 'nope' }))).status).toBe(400);
  });
});

/** Follows a watch and keeps what it tells, the objects by their names and data. */
function follow(cluster: Cluster, namespace: string, signal: AbortSignal, given?: Selection) {
  const seen: string[] = [];
  const wakers: (() => void)[] = [];
  const tell = (event: WatchEvent): string => {
    const show = ({ metadata, data }: KubernetesObject) =>
      `${metadata.name}=${(data as { x?: string } | undefined)?.x}`;
    return event.kind === 'snapshot'
      ? `snapshot ${event.objects.map(show).join(' ')}`.trim()
      : `${event.kind} ${show(event.object)}`;
  };
  const ended = (async () => {
    const selection = given ?? {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      fieldSelector: 'metadata.name!=kube-root-ca.crt',
    };
    for await (const event of cluster.watch(selection, signal)) {
      seen.push(tell(event));
      for (const waker of wakers.splice(0)) waker();
    }
    return 'ended';
  })();
  return {
    seen,
    ended,
    /** Resolves when so many events were seen, or after ten seconds. */
    until: async (count: number) => {
      const limit = wait(10_000, undefined, { ref: false });
      while (seen.length < count) {
        const next = new Promise<void>((resolve) => wakers.push(resolve));
        if (
          (await Promise.race([
            next.then(() => 'next'),
            ended.then(() => 'ended'),
            limit.then(() => 'late'),
          ])) !== 'next'
        )
          return;
      }
    },
  };
}

describe('a watch', () => {
  const write = (cluster: Cluster, namespace: string, name: string, x: string) =>
    cluster.apply(configMap(namespace, name, { x }), { fieldManager: 'test' });

  test('begins with all there is, tells every change, and ends without a word', async () => {
    const namespace = await makeNamespace();
    const cluster = await connect();
    await write(cluster, namespace, 'a', '1');
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    await watch.until(1);
    await write(cluster, namespace, 'a', '2');
    await write(cluster, namespace, 'b', '1');
    await cluster.remove(keyOf(configMap(namespace, 'a')));
    await watch.until(4);
    abort.abort();
    expect(await watch.ended).toBe('ended');
    expect(watch.seen).toEqual(['snapshot a=1', 'changed a=2', 'changed b=1', 'deleted a=2']);
  });

  test('misses nothing and repeats nothing while its connection breaks again and again', async () => {
    const namespace = await makeNamespace();
    let watches = 0;
    // Each connection breaks after the second line, in the middle of the third.
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => {
        if (!isWatch) return undefined;
        watches += 1;
        return { endAfterLines: 2, lastLine: '{"type":"MODIFIED","object":{"kind":"Conf', isCut: true };
      },
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    await watch.until(1);
    const direct = await connect();
    const names = Array.from({ length: 21 }, (_, index) => `c${index}`);
    for (const name of names) await write(direct, namespace, name, '1');
    await watch.until(1 + names.length);
    abort.abort();
    await watch.ended;
    expect(watch.seen).toEqual(['snapshot', ...names.map((name) => `changed ${name}=1`)]);
    expect(watches).toBeGreaterThan(10);
  });

  test.each<[string, (count: number) => ApiServerFault | undefined]>([
    ['the answer is 410', (count) => (count === 2 ? { status: 410 } : undefined)],
    [
      'an ERROR of 410 comes in the stream',
      (count) =>
        count === 2
          ? {
              endAfterLines: 0,
              lastLine: { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } },
            }
          : undefined,
    ],
  ])('begins anew where %s', async (_, fault) => {
    const namespace = await makeNamespace();
    let watches = 0;
    const decide = ({ isWatch }: ApiServerRequest) => {
      if (!isWatch) return undefined;
      watches += 1;
      return watches === 1 ? ({ endAfterLines: 1 } as const) : fault(watches);
    };
    await using faulty = await startFaultyApiServer({ kubeconfig: control.kubeconfig, decide });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const direct = await connect();
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    await watch.until(1);
    await write(direct, namespace, 'a', '1');
    await watch.until(3);
    await write(direct, namespace, 'a', '2');
    await watch.until(4);
    abort.abort();
    await watch.ended;
    expect(watch.seen).toEqual(['snapshot', 'changed a=1', 'snapshot a=1', 'changed a=2']);
  });

  test('begins anew where the server really keeps its version no longer', async () => {
    const direct = await connect();
    await direct.apply(definitionOf('Oven', 'ovens'), { fieldManager: 'test' });
    await control.kubectl(['wait', '--for=condition=Established', 'crd/ovens.test.example']);
    const faults: (ApiServerFault | undefined)[] = [
      { endAfterLines: 1 },
      // What was before there was the kind at all, the server's cache has never held.
      { query: { resourceVersion: '1' } },
    ];
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => (isWatch ? faults.shift() : undefined),
    });
    const write = (name: string) =>
      eventually(() => {
        direct.rediscover();
        const oven = { apiVersion: 'test.example/v1', kind: 'Oven', metadata: { name } };
        return direct.apply(oven, { fieldManager: 'test' });
      });
    await write('a');
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const abort = new AbortController();
    const watch = follow(cluster, '', abort.signal, { apiVersion: 'test.example/v1', kind: 'Oven' });
    await watch.until(1);
    await write('b');
    await watch.until(3);
    await write('c');
    await watch.until(4);
    abort.abort();
    await watch.ended;
    const show = (line: string) => line.replaceAll('=undefined', '');
    expect(watch.seen.map(show)).toEqual(['snapshot a', 'changed b', 'snapshot a b', 'changed c']);
    expect(said.filter((line) => line.includes('watch Oven objects: its version has expired'))).toHaveLength(
      1,
    );
  });

  test('backs off where it is always expired, and where the server is away', async () => {
    const namespace = await makeNamespace();
    const times: number[] = [];
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => {
        if (!isWatch) return undefined;
        times.push(Date.now());
        return { status: 410 };
      },
    });
    const cluster = await connect({
      kubeconfig: faulty.kubeconfig,
      timing: { firstDelayMs: 100, watchLossLimitMs: 1_000 },
    });
    const watch = follow(cluster, namespace, new AbortController().signal);
    const refusal = await refusalOf(watch.ended);
    expect(plain(refusal.message)).toMatch(
      /^HOST could not go on to watch ConfigMap objects in client-\d+ for \d s: its version has expired\. Check that the API server is up\.$/,
    );
    expect(refusal.isTemporary).toBe(true);
    expect(times.length).toBeLessThan(12);
  });

  test('notices a connection on which nothing comes any more, and goes on', async () => {
    const namespace = await makeNamespace();
    let watches = 0;
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => {
        if (!isWatch) return undefined;
        watches += 1;
        return watches === 1 ? 'hang' : undefined;
      },
    });
    const cluster = await connect({
      kubeconfig: faulty.kubeconfig,
      timing: { watchSpanMs: 1_000, watchGraceMs: 200 },
    });
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    await watch.until(1);
    await write(await connect(), namespace, 'a', '1');
    await watch.until(2);
    // Meanwhile the server has ended some of its requests at their time, as it was asked to.
    await wait(2_500);
    await write(await connect(), namespace, 'a', '2');
    await watch.until(3);
    abort.abort();
    await watch.ended;
    expect(watch.seen).toEqual(['snapshot', 'changed a=1', 'changed a=2']);
    expect(watches).toBeGreaterThan(2);
  });

  test('does not take a quiet connection that is ended again and again for a loss', async () => {
    const namespace = await makeNamespace();
    let watches = 0;
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => {
        if (!isWatch) return undefined;
        watches += 1;
        return { endAfterMs: 5_200 };
      },
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig, timing: { watchLossLimitMs: 3_000 } });
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    await wait(11_500);
    await write(await connect(), namespace, 'a', '1');
    await watch.until(2);
    abort.abort();
    await watch.ended;
    expect(watch.seen).toEqual(['snapshot', 'changed a=1']);
    expect(watches).toBeGreaterThanOrEqual(3);
  });

  test.each<[string, object | string, readonly string[] | RegExp]>([
    ['no JSON', 'hello', ['snapshot', 'changed a=1']],
    ['no event', '[1, 2]', ['snapshot', 'changed a=1']],
    ['an event of no object', { type: 'ADDED', object: 'x' }, ['snapshot', 'changed a=1']],
    ['an unknown event', { type: 'HELLO', object: configMap('a', 'b') }, ['snapshot', 'changed a=1']],
    [
      'an error of the server',
      { type: 'ERROR', object: { kind: 'Status', code: 500, message: 'etcd' } },
      ['snapshot', 'changed a=1'],
    ],
    [
      'a line without an end',
      'x'.repeat(33 * 1024 * 1024),
      /^A watch gave a line of more than 33554432 bytes, expected at most that\./,
    ],
  ])('a stream with %s', async (_, lastLine, expected) => {
    const namespace = await makeNamespace();
    const faults: ApiServerFault[] = [{ endAfterLines: 0, lastLine }];
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => (isWatch ? faults.shift() : undefined),
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const abort = new AbortController();
    const watch = follow(cluster, namespace, abort.signal);
    if (expected instanceof RegExp) {
      const refusal = await refusalOf(watch.ended);
      expect(refusal.message).toMatch(expected);
      expect(refusal.isTemporary).toBe(false);
      return;
    }
    await watch.until(1);
    await write(await connect(), namespace, 'a', '1');
    await watch.until(2);
    abort.abort();
    await watch.ended;
    expect(watch.seen).toEqual(expected);
  });

  test('ends with the error where it may not watch', async () => {
    const namespace = await makeNamespace();
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ isWatch }) => (isWatch ? { status: 403 } : undefined),
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const watch = follow(cluster, namespace, new AbortController().signal);
    expect(await refusalOf(watch.ended)).toMatchObject({ status: 403, isTemporary: false });
  });
});

describe('a server in trouble', () => {
  const node = { apiVersion: 'v1', kind: 'Node', namespace: undefined, name: 'gh200-0' };

  /** A cluster with faults for its first requests, those of discovery not counted. */
  async function withFaults(
    faults: readonly (ApiServerFault | undefined)[],
    timing: ConnectOptions['timing'] = {},
  ) {
    const left = [...faults];
    const faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ path }) => (/^\/api\/v1$|^\/apis\/[^/]+\/[^/]+$/.test(path) ? undefined : left.shift()),
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig, timing });
    const calls = () =>
      faulty.requests.filter(({ path }) => !/^\/api\/v1$|^\/apis\/[^/]+\/[^/]+$/.test(path));
    return { cluster, calls, [Symbol.asyncDispose]: () => faulty[Symbol.asyncDispose]() };
  }

  test.each<[string, readonly ApiServerFault[]]>([
    ['500 three times', [{ status: 500 }, { status: 500 }, { status: 500 }]],
    ['503 and a broken connection', [{ status: 503 }, 'drop']],
    ['an answer that breaks off', [{ endAfterLines: 0, isCut: true }]],
    ['too many requests', [{ status: 429, headers: { 'retry-after': '1' } }]],
    ['a slow answer', [{ delayMs: 2_000 }]],
    ['no answer', ['hang']],
  ])('is asked again after %s', async (_, faults) => {
    await using trouble = await withFaults(faults, { firstDelayMs: 50, tryLimitMs: 1_000 });
    const startedAt = Date.now();
    const [first] = await trouble.cluster.list({ apiVersion: 'v1', kind: 'Node' });
    expect(first?.kind).toBe('Node');
    expect(trouble.calls()).toHaveLength(faults.length + 1);
    const [fault] = faults;
    if (typeof fault === 'object' && 'headers' in fault) expect(Date.now() - startedAt).toBeGreaterThan(990);
  });

  test('applies once more where it is unknown whether it took effect, but creates only once', async () => {
    const namespace = await makeNamespace();
    // The request is passed on, and then the answer breaks off.
    const broken = { endAfterLines: 0, isCut: true };
    await using applying = await withFaults([broken], { firstDelayMs: 50 });
    await applying.cluster.apply(configMap(namespace, 'a'), { fieldManager: 'test' });
    expect(applying.calls().map(({ method }) => method)).toEqual(['PATCH', 'PATCH']);

    await using creating = await withFaults([broken], { firstDelayMs: 50 });
    const refusal = await refusalOf(creating.cluster.create(configMap(namespace, 'b')));
    expect(refusal.isTemporary).toBe(true);
    expect(creating.calls().map(({ method }) => method)).toEqual(['POST']);

    await using refused = await withFaults([{ status: 429 }, { status: 429 }], { firstDelayMs: 50 });
    await refused.cluster.create(configMap(namespace, 'c'));
    expect(refused.calls()).toHaveLength(3);

    await using dry = await withFaults(['drop'], { firstDelayMs: 50 });
    await dry.cluster.create(configMap(namespace, 'd'), { isDryRun: true });
    expect(dry.calls()).toHaveLength(2);
  });

  test.each<[string, ApiServerFault, string]>([
    [
      'always 500',
      { status: 500 },
      'HOST answered 500 to read Node gh200-0: the test answers 500. Check the API server, then run it again.',
    ],
    [
      'never there',
      'drop',
      'HOST could not be reached to read Node gh200-0: connection reset. Check that the API server is up.',
    ],
    [
      'always silent',
      'hang',
      'HOST did not answer read Node gh200-0 within 0.2 s. Check that the API server is up.',
    ],
    [
      'asking for an hour',
      { status: 429, headers: { 'retry-after': '3600' } },
      'HOST answered 429 to read Node gh200-0: the test answers 429. Check the API server, then run it again.',
    ],
  ])('that is %s ends in a temporary error, in time', async (_, fault, expected) => {
    await using trouble = await withFaults(Array(100).fill(fault), {
      firstDelayMs: 20,
      tryLimitMs: 200,
      retryLimitMs: 600,
    });
    const startedAt = Date.now();
    const refusal = await refusalOf(trouble.cluster.read(node));
    expect([plain(refusal.message), refusal.isTemporary]).toEqual([expected, true]);
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(trouble.calls().length).toBeLessThan(20);
  });

  test.each<[string, ApiServerFault, string]>([
    [
      'a page of a log-in',
      { status: 200, body: '<html>log in</html>' },
      "HOST answered read Node gh200-0 with something else than JSON. Check that the address is a Kubernetes API server's.",
    ],
    [
      'a page that it is not found',
      { status: 404, body: '<html>not found</html>' },
      "HOST answered read Node gh200-0 with something else than an answer of the API. Check that the address is a Kubernetes API server's.",
    ],
    [
      'some other JSON',
      { status: 200, body: { hello: 'world' } },
      "HOST answered read Node gh200-0 with something else than an object. Check that the address is a Kubernetes API server's.",
    ],
    [
      'a way to somewhere else',
      { status: 302, headers: { location: 'https://evil.example/' }, body: '' },
      "HOST answered 302 to read Node gh200-0. Give the API server's own address.",
    ],
    [
      'a command for the runner',
      { status: 403, body: { kind: 'Status', message: 'no\n::error::hijacked\u001b[31m', code: 403 } },
      'HOST answered 403 to read Node gh200-0: no ::error::hijacked [31m. Change it to what the cluster accepts.',
    ],
  ])('that answers with %s is no API server', async (_, fault, expected) => {
    await using trouble = await withFaults([fault]);
    const refusal = await refusalOf(trouble.cluster.read(node));
    expect([plain(refusal.message), refusal.isTemporary]).toEqual([expected, false]);
  });

  test('a list whose next page has expired is begun anew', async () => {
    const namespace = await makeNamespace();
    const items = Array.from({ length: 600 }, (_, index) => configMap(namespace, `m${index}`));
    await control.kubectl(['create', '--filename=-'], { input: { apiVersion: 'v1', kind: 'List', items } });
    let pages = 0;
    await using faulty = await startFaultyApiServer({
      kubeconfig: control.kubeconfig,
      decide: ({ query }) => {
        if (!query.has('continue')) return undefined;
        pages += 1;
        return pages <= 3 ? { status: 410 } : undefined;
      },
    });
    const cluster = await connect({ kubeconfig: faulty.kubeconfig });
    const listed = await cluster.list({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace,
      fieldSelector: 'metadata.name!=kube-root-ca.crt',
    });
    expect(listed).toHaveLength(600);
    expect(pages).toBe(3);
  });

  test('a call ends with its signal, also while it waits', async () => {
    await using trouble = await withFaults(Array(100).fill({ status: 500 }));
    const error: unknown = await trouble.cluster.read(node, AbortSignal.timeout(300)).catch((e) => e);
    expect(error).toMatchObject({ name: 'TimeoutError' });
  });
});

describe('manifests', () => {
  const options = () => ({
    workspace: folder,
    env: { PATH: `${dirname(kubectlPath)}:/usr/bin:/bin` },
    signal: new AbortController().signal,
    log: (line: string) => said.push(line),
  });

  test('values mean what they mean to kubectl', async () => {
    const values = [
      '1:20',
      '2024-05-01',
      '0644',
      '0o17',
      'yes',
      'No',
      'on',
      'y',
      '1_000',
      '12e3',
      '0x1f',
      '0b11',
      '.5',
      '+1',
      '1.2.3',
      '~',
      '089',
      '190:20:30',
      '=',
      '1.0',
      '1.5e300',
      '-0',
      "'yes'",
      '"0644"',
      '1e3',
      '0777_0',
      '1:20.5',
      'null',
      'Null',
      'TRUE',
      '1,000',
      '0.',
      '- 1',
      '1__0',
    ];
    const lines = values.map((value, index) => `  v${index}: ${value === '- 1' ? '[1]' : value}`);
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata:\n${lines.join('\n')}\n  yes: 1\n  8: 1\n  base: &b {x: 1}\n  merged: {<<: *b, z: 2}\n`;
    await writeFile(join(folder, 'values.yaml'), text);
    const { stdout } = await control.kubectl([
      'create',
      '--dry-run=client',
      '--validate=false',
      '--output=json',
      '--filename',
      join(folder, 'values.yaml'),
    ]);
    const [manifest] = await readManifests(['values.yaml'], options());
    // Through JSON, as it is sent: that has no negative zero.
    const sent = JSON.parse(JSON.stringify(manifest?.object));
    expect(sent['data']).toEqual(JSON.parse(stdout).data);
  });

  test('a kustomization is built, and images are replaced as kustomize does', async () => {
    const base = await mkdtemp(join(folder, 'kustomization-'));
    const digest = `sha256:${'a'.repeat(64)}`;
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            initContainers: [{ name: 'init', image: 'busybox' }],
            containers: [
              { name: 'a', image: 'team/app:1' },
              { name: 'b', image: 'localhost:5000/team/app:1' },
            ],
          },
        },
      },
    };
    await writeFile(join(base, 'web.yaml'), JSON.stringify(deployment));
    await writeFile(join(base, 'kustomization.yaml'), 'resources: [web.yaml]\nnamePrefix: my-\n');
    const manifests = await readManifests([base], { ...options(), workspace: folder });
    expect(manifests.map(({ object, source }) => [object.metadata.name, source])).toEqual([
      ['my-web', { file: base, document: 1, line: undefined }],
    ]);
    const images = [
      { name: 'team/app', newName: 'registry.example/app', digest },
      { name: 'busybox', newName: 'mirror.example/busybox', digest },
    ];
    const ours = replaceImages(
      manifests,
      images.map(({ name, newName }) => ({ name, reference: `${newName}@${digest}` })),
    );
    await writeFile(
      join(base, 'kustomization.yaml'),
      JSON.stringify({ resources: ['web.yaml'], namePrefix: 'my-', images }),
    );
    const theirs = await readManifests([base], { ...options(), workspace: folder });
    expect(ours.unused).toEqual([]);
    expect(ours.manifests).toEqual(theirs);
  });

  test('a kustomization that is broken, and one that nobody can build', async () => {
    const base = await mkdtemp(join(folder, 'kustomization-'));
    await writeFile(join(base, 'kustomization.yml'), 'resources: [nope.yaml]\n');
    await expect(readManifests([base], options())).rejects.toThrow(
      /is a kustomization that kubectl can't build: .*nope\.yaml/,
    );
    await expect(readManifests([base], { ...options(), env: { PATH: '/nowhere' } })).rejects.toThrow(
      'is a kustomization, but neither kustomize nor kubectl is on the PATH. Install one of them.',
    );
  });
});

test('no line and no error holds a credential', async () => {
  expect(said.length).toBeGreaterThan(100);
  expect(masked.size).toBeGreaterThan(5);
  for (const secret of masked)
    for (const line of said)
      expect(line.includes(secret), `a secret of ${secret.length} characters`).toBe(false);
});

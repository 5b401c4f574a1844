import type { KubernetesObject } from '@sophia/kubernetes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { extractOwned } from '../../actions/gpu-deploy/src/owned-fields.ts';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, startCluster } from '../harness/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ nodes: [] });
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** Objects that use every way in which the API keeps lists and maps: by key, by value, whole. */
const objects: readonly object[] = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'vllm', labels: { app: 'vllm' }, annotations: { 'example.org/team': 'ml' } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'vllm' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: 'vllm' } },
        spec: {
          nodeSelector: { gpu: 'a100' },
          tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
          securityContext: { runAsNonRoot: true, supplementalGroups: [1000, 2000] },
          imagePullSecrets: [{ name: 'pull' }],
          volumes: [
            { name: 'cache', emptyDir: {} },
            { name: 'settings', configMap: { name: 'settings', items: [{ key: 'a', path: 'a.txt' }] } },
          ],
          initContainers: [{ name: 'fetch', image: 'fetch:1', command: ['sh', '-c', 'true'] }],
          containers: [
            {
              name: 'vllm',
              image: 'vllm:1',
              args: ['--model', 'llama'],
              env: [
                { name: 'A', value: '1' },
                { name: 'B', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } },
              ],
              ports: [
                { containerPort: 8000, name: 'http' },
                { containerPort: 8001, protocol: 'UDP' },
              ],
              resources: { limits: { 'nvidia.com/gpu': '1', memory: '8Gi' } },
              volumeMounts: [{ name: 'cache', mountPath: '/cache' }],
              readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 5 },
              securityContext: { capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'vllm' },
    spec: { selector: { app: 'vllm' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', finalizers: ['example.org/kept'] },
    data: { a: 'one\ntwo', b: '' },
  },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'token' }, data: { token: 'aGVsbG8=' } },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'vllm' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'vllm' } } },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'vllm' },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] },
  },
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'vllm' },
    automountServiceAccountToken: false,
    imagePullSecrets: [{ name: 'pull' }],
  },
];

const apply = (object: unknown, manager: string) =>
  cluster.kubectl(
    ['apply', '--server-side', `--field-manager=${manager}`, '--force-conflicts', '--filename=-'],
    {
      input: object,
    },
  );

async function read(kind: string, name: string): Promise<KubernetesObject> {
  const { stdout } = await cluster.kubectl(['get', kind, name, '--show-managed-fields', '--output=json']);
  return JSON.parse(stdout);
}

const isOurs = ({ manager, operation }: { manager?: string | undefined; operation?: string | undefined }) =>
  manager === 'gpu-deploy' && operation === 'Apply';

/** What people wrote, by whomever. */
const contents = (object: KubernetesObject) => {
  const { metadata, status: _, ...rest } = object;
  return { ...rest, labels: metadata.labels, annotations: metadata.annotations };
};

describe('extractOwned', () => {
  it.each(objects.map((object) => [(object as { kind: string }).kind, object]))(
    'finds of a %s what was applied: applied again it changes nothing',
    async (kind, object) => {
      await apply(object, 'gpu-deploy');
      const { name } = (object as { metadata: { name: string } }).metadata;
      // Somebody else's fields are left to them.
      await cluster.kubectl(['label', kind, name, 'example.org/other=theirs']);
      const before = await read(kind, name);
      const owned = extractOwned(before, isOurs);
      expect(owned?.metadata.labels?.['example.org/other']).toBeUndefined();
      await apply(owned, 'gpu-deploy');
      const after = await read(kind, name);
      expect(contents(after)).toEqual(contents(before));
      expect(owned).toMatchObject(object);
    },
  );

  it('brings an earlier state back: what came since is gone, what went is there', async () => {
    const [first] = objects;
    await apply(first, 'gpu-deploy');
    const before = await read('Deployment', 'vllm');
    const changed = structuredClone(first) as {
      spec: { template: { spec: { nodeSelector?: object; containers: { env: object[]; image: string }[] } } };
    };
    const [container] = changed.spec.template.spec.containers;
    if (container === undefined) throw new TypeError('no container');
    delete changed.spec.template.spec.nodeSelector;
    container.image = 'vllm:2';
    container.env = [{ name: 'C', value: '3' }];
    await apply(changed, 'gpu-deploy');
    await apply(extractOwned(before, isOurs), 'gpu-deploy');
    const { spec } = await read('Deployment', 'vllm');
    expect(spec).toEqual(before['spec']);
  });

  it('is nothing where nobody of these set anything', async () => {
    await apply(objects[2], 'another');
    const object = await read('ConfigMap', 'settings');
    expect(extractOwned(object, ({ manager }) => manager === 'nobody')).toBeUndefined();
  });
});

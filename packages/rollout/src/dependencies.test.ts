import { describe, expect, it } from 'vitest';
import { findMissingDependencies, listDependencies } from './dependencies.ts';

const spec = {
  serviceAccountName: 'runner',
  priorityClassName: 'high',
  runtimeClassName: 'nvidia',
  imagePullSecrets: [{ name: 'pull' }],
  initContainers: [{ name: 'fetch', envFrom: [{ secretRef: { name: 'hub' } }] }],
  containers: [
    {
      name: 'vllm',
      envFrom: [{ configMapRef: { name: 'settings' } }, { configMapRef: { name: 'extra', optional: true } }],
      env: [
        { name: 'PLAIN', value: '1' },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'hub', key: 'token' } } },
        { name: 'MODEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'model', optional: true } } },
      ],
    },
  ],
  volumes: [
    { name: 'models', persistentVolumeClaim: { claimName: 'models' } },
    { name: 'tls', secret: { secretName: 'tls', items: [{ key: 'tls.crt', path: 'c' }] } },
    { name: 'all', projected: { sources: [{ configMap: { name: 'part' } }, { serviceAccountToken: {} }] } },
    { name: 'scratch', emptyDir: {} },
  ],
};

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'vllm', namespace: 'inference' },
  spec: { template: { spec } },
};

function list(workload: unknown): readonly string[] {
  return listDependencies(workload).map(
    ({ key, field, entry }) =>
      `${key.kind} ${key.namespace ?? '-'}/${key.name}${entry === undefined ? '' : ` ${entry}`} at ${field}`,
  );
}

describe('listDependencies', () => {
  it('lists what Pods need, with where it is named, without what is optional', () => {
    expect(list(deployment)).toEqual([
      'ServiceAccount inference/runner at spec.template.spec.serviceAccountName',
      'PriorityClass -/high at spec.template.spec.priorityClassName',
      'RuntimeClass -/nvidia at spec.template.spec.runtimeClassName',
      'Secret inference/pull at spec.template.spec.imagePullSecrets[0]',
      'Secret inference/hub at spec.template.spec.initContainers[0].envFrom[0].secretRef',
      'ConfigMap inference/settings at spec.template.spec.containers[0].envFrom[0].configMapRef',
      'Secret inference/hub token at spec.template.spec.containers[0].env[1].valueFrom.secretKeyRef',
      'PersistentVolumeClaim inference/models at spec.template.spec.volumes[0].persistentVolumeClaim',
      'Secret inference/tls tls.crt at spec.template.spec.volumes[1].secret',
      'ConfigMap inference/part at spec.template.spec.volumes[2].projected.sources[0].configMap',
    ]);
  });

  it('reads a bare Pod', () => {
    const pod = {
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { serviceAccountName: 'default', runtimeClassName: 'nvidia' },
    };
    expect(list(pod)).toEqual(['RuntimeClass -/nvidia at spec.runtimeClassName']);
  });

  it.each([
    [undefined],
    [null],
    [3],
    [{}],
    [{ metadata: {}, spec: { template: { spec: { volumes: 'x', containers: [1, null, { env: {} }] } } } }],
  ])('finds nothing in %j', (workload) => {
    expect(listDependencies(workload)).toEqual([]);
  });
});

describe('findMissingDependencies', () => {
  function find(
    present: Readonly<Record<string, unknown>>,
    manifests: readonly unknown[] = [],
  ): readonly string[] {
    return findMissingDependencies(
      listDependencies(deployment),
      ({ kind, name }) => (name in present ? present[name] : kind === 'Secret' ? undefined : {}),
      manifests,
    ).map(({ class: kind, code, message }) => `${kind} ${code}: ${message}`);
  }
  const token = { data: { token: 'eA==' } };
  const all = { pull: {}, hub: token, tls: { data: { 'tls.crt': '' } } };

  it('has nothing against what is there', () => {
    expect(find(all)).toEqual([]);
  });

  it('names what is not, once for each object', () => {
    expect(find({ ...all, models: undefined, runner: undefined })).toEqual([
      'refused dependency-missing: Deployment inference/vllm cannot start: ServiceAccount runner is neither in the cluster nor in the manifests, spec.template.spec.serviceAccountName. Create it, or add it to the manifests.',
      'refused dependency-missing: Deployment inference/vllm cannot start: PersistentVolumeClaim models is neither in the cluster nor in the manifests. Create it, or add it to the manifests.',
    ]);
  });

  it('names a key that is not, and what an object that is not would have held', () => {
    expect(find({ ...all, hub: { data: {} } })).toEqual([
      'refused dependency-missing: Deployment inference/vllm cannot start: Secret hub has no key token, spec.template.spec.containers[0].env[1].valueFrom.secretKeyRef. Add the key, or correct its name.',
    ]);
    expect(find({ ...all, hub: undefined })).toHaveLength(1);
  });

  it('only warns of a pull secret', () => {
    expect(find({ ...all, pull: undefined })).toEqual([
      'suspected dependency-missing: Deployment inference/vllm may not get its image: Secret pull is neither in the cluster nor in the manifests, spec.template.spec.imagePullSecrets[0]. Create it, or add it to the manifests.',
    ]);
  });

  it('takes what the same manifests have, in the same namespace', () => {
    const secret = { kind: 'Secret', metadata: { name: 'hub' }, stringData: { token: 'x' } };
    expect(find({ ...all, hub: undefined }, [secret])).toEqual([]);
    const other = { ...secret, metadata: { name: 'hub', namespace: 'elsewhere' } };
    expect(find({ ...all, hub: undefined }, [other])).toHaveLength(1);
  });

  it.each([
    [{ kind: 'ExternalSecret', metadata: { name: 'other' }, spec: { target: { name: 'tls' } } }],
    [{ kind: 'Certificate', metadata: { name: 'web' }, spec: { secretName: 'tls' } }],
    [{ kind: 'SealedSecret', metadata: { name: 'tls', namespace: 'inference' } }],
  ])('only warns of what an operator makes by %j', (maker) => {
    expect(find({ ...all, tls: undefined }, [maker])).toEqual([
      `suspected dependency-missing: Deployment inference/vllm waits for an operator: Secret tls is neither in the cluster nor in the manifests, spec.template.spec.volumes[1].secret. See that ${maker.kind} ${maker.metadata.name} is synced.`,
    ]);
  });

  it('says nothing of what may not be read', () => {
    expect(find({ ...all, hub: null })).toEqual([]);
  });

  it('holds no value of a Secret', () => {
    const findings = findMissingDependencies(
      listDependencies(deployment),
      () => ({ data: { other: 'c2VjcmV0' } }),
      [],
    );
    expect(JSON.stringify(findings)).not.toContain('c2VjcmV0');
  });
});

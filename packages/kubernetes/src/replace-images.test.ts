import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from './cluster.ts';
import { ManifestError } from './manifest-error.ts';
import { replaceImages } from './replace-images.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;
const NEW = `registry.example/team/app@${DIGEST}`;
const source = { file: 'a.yaml', document: 1, line: 1 };

function object(apiVersion: string, kind: string, rest: object): KubernetesObject {
  return { apiVersion, kind, metadata: { name: 'a' }, ...rest };
}

function replaced(given: KubernetesObject, names: readonly string[]) {
  const { manifests, unused } = replaceImages(
    [{ object: given, source }],
    names.map((name) => ({ name, reference: NEW })),
  );
  return { object: manifests[0]?.object, unused };
}

const pod = (image: string) => ({
  containers: [
    { name: 'a', image },
    { name: 'b', image: 'other:1' },
  ],
  initContainers: [{ name: 'i', image }],
  ephemeralContainers: [{ name: 'e', image }],
  volumes: [
    { name: 'v', image: { reference: image } },
    { name: 'w', emptyDir: {} },
  ],
});

describe('replaceImages', () => {
  it.each<[string, (spec: object) => object]>([
    ['Pod', (spec) => ({ spec })],
    ['Deployment', (spec) => ({ spec: { template: { spec } } })],
    ['StatefulSet', (spec) => ({ spec: { template: { spec } } })],
    ['DaemonSet', (spec) => ({ spec: { template: { spec } } })],
    ['ReplicaSet', (spec) => ({ spec: { template: { spec } } })],
    ['Job', (spec) => ({ spec: { template: { spec } } })],
    ['CronJob', (spec) => ({ spec: { jobTemplate: { spec: { template: { spec } } } } })],
    ['LeaderWorkerSet', (spec) => ({ spec: { leaderWorkerTemplate: { workerTemplate: { spec } } } })],
  ])('finds every image of a %s', (kind, toSpec) => {
    expect(replaced(object('x/v1', kind, toSpec(pod('team/app:1'))), ['team/app'])).toEqual({
      object: object('x/v1', kind, toSpec(pod(NEW))),
      unused: [],
    });
  });

  // What kustomize matches is a name as it is written; familiar names come from distribution/reference.
  it.each([
    ['app', 'app', true],
    ['app', 'app:1.2', true],
    ['app', `app:1.2@${DIGEST}`, true],
    ['app', 'team/app', false],
    ['app', 'app-2', false],
    ['nginx', 'docker.io/library/nginx:1', true],
    ['docker.io/library/nginx', 'nginx', true],
    ['docker.io/team/app', 'team/app:2', true],
    ['registry.example:5000/app', 'registry.example:5000/app:1', true],
    ['registry.example/app', 'registry.example:5000/app', false],
    ['localhost/app', 'app', false],
    ['app:1', 'app:2', true],
  ])('the name %s and the image %s: %s', (name, image, isSame) => {
    const { unused } = replaced(object('v1', 'Pod', { spec: { containers: [{ image }] } }), [name]);
    expect(unused).toEqual(isSame ? [] : [name]);
  });

  it('prefers the name as it is written', () => {
    const { manifests } = replaceImages(
      [{ object: object('v1', 'Pod', { spec: { containers: [{ image: 'nginx' }] } }), source }],
      [{ name: 'nginx', reference: NEW }],
    );
    expect(manifests[0]?.object['spec']).toEqual({ containers: [{ image: NEW }] });
  });

  it('leaves what only looks like a Pod, and the given objects, as they are', () => {
    const configMap = object('v1', 'ConfigMap', { data: { containers: [{ image: 'app' }] } });
    const given = object('v1', 'Pod', { spec: { containers: [{ image: 'app' }] } });
    const before = structuredClone(given);
    expect(replaced(configMap, ['app'])).toEqual({ object: configMap, unused: ['app'] });
    replaced(given, ['app']);
    expect(given).toEqual(before);
  });

  it('refuses images without a digest, all at once, and a name that is there twice', () => {
    const refusal = (replacements: readonly { name: string; reference: string }[]) => {
      try {
        replaceImages([], replacements);
      } catch (error) {
        if (error instanceof ManifestError) return error.message;
        throw error;
      }
      return 'accepted';
    };
    expect(
      refusal([
        { name: 'a', reference: 'a:latest' },
        { name: 'b', reference: `b@${DIGEST}` },
        { name: 'c', reference: 'c@sha256:12' },
      ]),
    ).toBe(
      'The image for "a", "c" has no digest, expected NAME=REFERENCE@sha256:… with 64 digits. Give the digest.',
    );
    expect(
      refusal([
        { name: 'nginx', reference: NEW },
        { name: 'docker.io/library/nginx', reference: NEW },
      ]),
    ).toBe('The image "docker.io/library/nginx" is given twice. Take one out.');
  });
});

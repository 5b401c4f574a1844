import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Refusal } from './cause.ts';
import { explainRefusal } from './explain-refusal.ts';

/** Answers of kube-apiserver 1.37.2 to requests that provoke them. */
const answers = JSON.parse(
  readFileSync(new URL('fixtures/refusals.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Refusal>>;

function explain(name: string) {
  const refusal = answers[name];
  if (refusal === undefined) throw new Error(`There is no answer "${name}".`);
  return explainRefusal(refusal, 'Deployment inference/vllm');
}

describe('explainRefusal', () => {
  it.each([
    [
      'conflict',
      'field-conflict: Deployment inference/vllm is refused: one owns spec.replicas. Leave these fields out of the manifest, or have their manager give them up.',
    ],
    [
      'immutable',
      'immutable-field: Deployment inference/vllm is refused: spec.selector can only be set once. Keep the old value, or delete the object first.',
    ],
    [
      'statefulset2',
      'immutable-field: Deployment inference/vllm is refused: spec.serviceName can only be set once. Keep the old value, or delete the object first.',
    ],
    [
      'invalid',
      'manifest-invalid: Deployment inference/vllm is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0. Correct the manifest.',
    ],
    [
      'undeclared',
      'manifest-invalid: Deployment inference/vllm is invalid: spec.replicass: field not declared in schema. Correct the manifest.',
    ],
    [
      'wrongType',
      'manifest-invalid: Deployment inference/vllm is invalid: spec.replicas: expected numeric (int or float), got string. Correct the manifest.',
    ],
    [
      'quantity',
      "manifest-invalid: Deployment inference/vllm is invalid: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'. Correct the manifest.",
    ],
    [
      'gpuFraction',
      'manifest-invalid: Deployment inference/vllm is invalid: spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer, and 1 more. Correct the manifest.',
    ],
    [
      'unknownKind',
      'kind-unknown: Deployment inference/vllm is refused: the cluster serves no such kind. Install its custom resource definition, or correct apiVersion and kind.',
    ],
    [
      'noNamespace',
      'dependency-missing: Deployment inference/vllm is refused: namespace nowhere is not there. Run kubectl create namespace nowhere, or add it to the manifests.',
    ],
    [
      'rbac',
      'rbac-denied: Deployment inference/vllm is refused: user jane may not patch deployments.apps in namespace default. Allow it by a Role.',
    ],
    [
      'rbacCluster',
      'rbac-denied: Deployment inference/vllm is refused: user jane may not list nodes in the cluster. Allow it by a ClusterRole.',
    ],
    [
      'quota',
      'quota-exceeded: Deployment inference/vllm cannot have its Pods: quota gpus allows 1 requests.nvidia.com/gpu, 0 are used and 2 more asked for, likewise requests.memory. Raise quota gpus or ask for less.',
    ],
    [
      'mustSpecify',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: quota gpus demands requests.memory of every container. Set them.',
    ],
    [
      'psa',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: Pod Security "restricted:latest" forbids allowPrivilegeEscalation != false. Set the securityContext fields that are named below.',
    ],
    [
      'limitRange',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: a LimitRange says: maximum memory usage per Container is 1Gi, but limit is 2Gi. Set requests and limits within it.',
    ],
    [
      'account',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: ServiceAccount nobody is not there. Create it.',
    ],
    [
      'runtime',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: RuntimeClass nvidia is not there. Create it, or remove runtimeClassName.',
    ],
    [
      'priority',
      'pod-create-denied: Deployment inference/vllm cannot have its Pods: PriorityClass high is not there. Create it.',
    ],
    [
      'terminating',
      'namespace-terminating: Deployment inference/vllm is refused: namespace going is being deleted. Wait until it is gone, or choose another namespace.',
    ],
    [
      'webhookDown',
      "admission-unavailable: Deployment inference/vllm is not admitted: webhook gate.example.test can't be reached. See whether its service runs.",
    ],
    [
      'policy',
      'admission-denied: Deployment inference/vllm is not admitted: policy replicas says: at most five replicas.',
    ],
  ])('explains the answer "%s"', (name, expected) => {
    const finding = explain(name);
    expect(`${finding?.code}: ${finding?.message}`).toBe(expected);
    expect(finding?.class).toBe('refused');
    expect(finding?.message.length).toBeLessThanOrEqual(200);
  });

  it('writes the rule that is missing', () => {
    expect(explain('rbac')?.details).toEqual([
      'kind: Role',
      'rules:',
      '  - apiGroups: ["apps"]',
      '    resources: ["deployments"]',
      '    verbs: ["patch"]',
    ]);
  });

  it('lists every exceeded key of a quota', () => {
    expect(explain('quota')?.details).toEqual([
      'Quota gpus: requests.nvidia.com/gpu: 0 of 1 used, 2 more asked for.',
      'Quota gpus: requests.memory: 0 of 1Gi used, 2Gi more asked for.',
    ]);
  });

  it.each([
    ['an object that was changed meanwhile', answers['resourceVersion']],
    ['too many requests', { status: 429, reason: 'TooManyRequests', answer: 'slow down', causes: [] }],
    [
      'an error of the server',
      { status: 500, reason: 'InternalError', answer: 'etcdserver: request timed out', causes: [] },
    ],
    ['no answer', { status: undefined, reason: undefined, answer: '', causes: [] }],
  ])('says nothing of %s', (_, refusal) => {
    expect(refusal && explainRefusal(refusal, 'x')).toBeUndefined();
  });

  // Texts of webhooks come from whoever wrote them; these are the API server's words around them.
  it.each([
    ['admission webhook "gate.example.test" denied the request: no tag "latest" here', 'admission-denied'],
    ['admission webhook "gate.example.test" denied the request without explanation', 'admission-denied'],
    ['admission webhook "gate.example.test" does not support dry run', 'admission-unavailable'],
  ])('explains "%s"', (answer, code) => {
    expect(explainRefusal({ status: 400, reason: 'BadRequest', answer, causes: [] }, 'x')?.code).toBe(code);
  });

  it('bounds a text that is huge or hostile', () => {
    const answer = `admission webhook "gate" denied the request: ${'x\n\u001b[31m'.repeat(100_000)}`;
    const finding = explainRefusal(
      { status: 403, reason: 'Forbidden', answer, causes: [] },
      'Deployment a/b',
    );
    expect(finding?.message.length).toBeLessThanOrEqual(200);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(finding?.message).not.toMatch(/[\u0000-\u001f]/);
    expect(finding?.details.join('').length).toBeLessThanOrEqual(2_100);
  });
});

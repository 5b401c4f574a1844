import { describe, expect, it } from 'vitest';
import { parseInputs } from './inputs.ts';

const digest = `sha256:${'a'.repeat(64)}`;

const parse = (inputs: Readonly<Record<string, string>>) =>
  parseInputs(
    Object.fromEntries(
      Object.entries({ manifests: 'deploy/', ...inputs }).map(([name, value]) => [
        `INPUT_${name.toUpperCase()}`,
        value,
      ]),
    ),
  );

describe('parseInputs', () => {
  it('fills in the defaults', () => {
    expect(parse({})).toEqual({
      manifests: ['deploy/'],
      images: [],
      namespace: '',
      gpu: '',
      gpuCount: undefined,
      strategy: 'auto',
      timeoutMs: 600_000,
      rollback: 'auto',
      target: { kind: 'cluster', isDryRun: false, kubeconfig: '', context: '' },
    });
  });

  it('reads images by digest, with the port of a registry', () => {
    expect(parse({ images: `vllm=localhost:5000/inference/vllm:1.2@${digest}` }).images).toEqual([
      { name: 'vllm', reference: `localhost:5000/inference/vllm:1.2@${digest}` },
    ]);
  });

  it.each([
    [{ manifests: '' }, 'Input "manifests" is missing. Set it under "with:".'],
    [
      { images: 'vllm' },
      'Input "images" has the line "vllm": it has no name or no reference, expected name=registry/name@sha256:….',
    ],
    [
      { images: 'vllm=registry.example/vllm:1.2' },
      'Input "images" has the line "vllm=registry.example/vllm:1.2": it has no digest, and a tag may name another image tomorrow, expected name=registry/name@sha256:….',
    ],
    [
      { images: 'vllm=registry.example/vllm@sha256:abc' },
      'Input "images" has the line "vllm=registry.example/vllm@sha256:abc": its digest is not sha256 with 64 hex digits, expected name=registry/name@sha256:….',
    ],
    [{ images: `a=x@${digest}\na=y@${digest}` }, 'Input "images" names "a" twice. Keep one of the lines.'],
    [
      { namespace: 'In_ference' },
      'Input "namespace" is "In_ference": expected a name of small letters, digits and "-", at most 63 characters.',
    ],
    [
      { gpu: 'a100;reboot' },
      'Input "gpu" is "a100;reboot": expected a label value such as "a100", at most 63 characters.',
    ],
    [
      { 'gpu-count': '0.5' },
      'Input "gpu-count" is "0.5": expected a whole number from 1 to 1024; a GPU can\'t be shared by parts.',
    ],
    [
      { strategy: 'recrate' },
      'Input "strategy" is "recrate": expected one of "auto", "rolling", "recreate". Did you mean "recreate"?',
    ],
    [{ timeout: '0' }, 'Input "timeout" is less than 1s: expected a time such as 90s or 10m.'],
    [{ 'dry-run': 'true' }, 'Input "dry-run" is "true": expected one of "none", "server", "offline".'],
    [
      { 'dry-run': 'offline' },
      'Input "inventory" is missing, and "dry-run: offline" reads it. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
    ],
    [
      { inventory: 'nodes.yaml' },
      'Input "inventory" is read with "dry-run: offline" only. Set that, or remove it.',
    ],
    [{ rollback: 'on' }, 'Input "rollback" is "on": expected one of "auto", "off".'],
  ])('refuses %j', (inputs, message) => {
    expect(() => parse(inputs)).toThrow(expect.objectContaining({ name: 'InputError', message }));
  });
});

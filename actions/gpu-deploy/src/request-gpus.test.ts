import type { Manifest } from '@sophia/kubernetes';
import { parseNode } from '@sophia/scheduling';
import { describe, expect, it } from 'vitest';
import { findGpuSelector, requestGpus } from './request-gpus.ts';

const node = (labels: Readonly<Record<string, string>>) => parseNode({ metadata: { name: 'n', labels } });

describe('findGpuSelector', () => {
  const fleet = [node({ gpu: 'a100' }), node({ gpu: 'gh200' }), node({ gpu: 'a10' })];
  const discovered = [
    node({ 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB' }),
    node({ 'nvidia.com/gpu.product': 'NVIDIA-A10' }),
    node({ 'nvidia.com/gpu.product': 'NVIDIA-A100-PCIE-80GB' }),
  ];

  it.each([
    ['a10', fleet, { key: 'gpu', value: 'a10' }],
    ['A100', fleet, { key: 'gpu', value: 'a100' }],
    ['a10', discovered, { key: 'nvidia.com/gpu.product', value: 'NVIDIA-A10' }],
    ['h100', [], { key: 'gpu', value: 'h100' }],
    ['', fleet, undefined],
  ])('finds the label of %s', (gpu, nodes, selector) => {
    expect(findGpuSelector(gpu, nodes)).toEqual(selector);
  });

  it('suggests what was meant', () => {
    expect(() => findGpuSelector('a1000', fleet)).toThrow(
      'Input "gpu" is "a1000", and no node has such a GPU. Did you mean "a100"?',
    );
    expect(() => findGpuSelector('a100', discovered)).toThrow(
      'Input "gpu" is "a100", and 2 products have that in their name: NVIDIA-A100-SXM4-40GB, NVIDIA-A100-PCIE-80GB. Label the nodes with gpu=a100, or name one.',
    );
  });
});

function manifest(name: string, containers: readonly object[], kind = 'Deployment'): Manifest {
  return {
    object: {
      apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
      kind,
      metadata: { name, namespace: 'inference' },
      spec: { template: { metadata: { labels: { app: name } }, spec: { containers } } },
    },
    source: { file: 'all.yaml', document: 1, line: 1 },
  };
}

const limits = (gpus: number) => ({ resources: { limits: { 'nvidia.com/gpu': gpus } } });

describe('requestGpus', () => {
  const selector = { key: 'gpu', value: 'a100' };

  it('asks for GPUs where GPUs are used already, and leaves the rest alone', () => {
    const manifests = [
      manifest('web', [{ name: 'web' }]),
      manifest('vllm', [{ name: 'proxy' }, { name: 'vllm', ...limits(1) }]),
    ];
    const [web, vllm] = requestGpus(manifests, { selector, count: 2 });
    expect(web).toBe(manifests[0]);
    expect(vllm?.object['spec']).toEqual({
      template: {
        metadata: { labels: { app: 'vllm' } },
        spec: {
          nodeSelector: { gpu: 'a100' },
          containers: [{ name: 'proxy' }, { name: 'vllm', ...limits(2) }],
        },
      },
    });
  });

  it('takes the only container of the only workload', () => {
    const [only, config] = requestGpus(
      [manifest('vllm', [{ name: 'vllm' }]), manifest('c', [], 'ConfigMap')],
      { selector: undefined, count: 1 },
    );
    expect(only?.object['spec']).toMatchObject({
      template: { spec: { containers: [{ name: 'vllm', ...limits(1) }] } },
    });
    expect(config?.object.kind).toBe('ConfigMap');
  });

  it('does not guess', () => {
    expect(() =>
      requestGpus([manifest('a', [{ name: 'a' }]), manifest('b', [{ name: 'b' }])], { selector, count: 1 }),
    ).toThrow(
      'Inputs "gpu" and "gpu-count" have nothing to act on: none of the 2 workloads asks for nvidia.com/gpu in the manifests. Set the limit nvidia.com/gpu where GPUs are wanted.',
    );
    expect(() =>
      requestGpus([manifest('a', [{ name: 'a' }, { name: 'b' }])], { selector: undefined, count: 1 }),
    ).toThrow(
      'Input "gpu-count" can\'t tell which of the 2 containers of Deployment inference/a is meant. Set the limit nvidia.com/gpu in the manifest, in one of them.',
    );
  });
});

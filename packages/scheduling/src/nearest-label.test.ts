import { describe, expect, it } from 'vitest';
import { findNearestLabel } from './nearest-label.ts';
import type { Requirement } from './node-affinity.ts';

function wants(key: string, ...values: readonly string[]): Requirement {
  return { on: 'label', key, operator: 'In', values };
}

const nodes = [
  {
    name: 'a100-0',
    labels: new Map([
      ['gpu', 'a100'],
      ['nvidia.com/gpu.product', 'NVIDIA-A100-SXM4-40GB'],
    ]),
  },
  {
    name: 'a100-1',
    labels: new Map([
      ['gpu', 'a100'],
      ['nvidia.com/gpu.product', 'NVIDIA-A100-SXM4-40GB'],
    ]),
  },
  {
    name: 'gh200-0',
    labels: new Map([
      ['gpu', 'gh200'],
      ['nvidia.com/gpu.product', 'NVIDIA-GH200-480GB'],
    ]),
  },
];

describe('findNearestLabel', () => {
  it.each([
    [wants('gpu', 'A100'), 'gpu=a100 on a100-0, a100-1'],
    [wants('gpu', 'gh-200'), 'gpu=gh200 on gh200-0'],
    // Older drivers leave the maker out of the product's name.
    [
      wants('nvidia.com/gpu.product', 'A100-SXM4-40GB'),
      'nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB on a100-0, a100-1',
    ],
    [wants('gpus', 'gh200'), 'gpu=gh200 on gh200-0'],
    [wants('zone', 'eu-west'), 'nothing'],
    [wants('gpu', 'tpu-v5'), 'nothing'],
    [{ ...wants('gpu'), operator: 'Exists' }, 'nothing'],
  ] as const)('%#: $1', (requirement, expected) => {
    const nearest = findNearestLabel(requirement, nodes);
    expect(
      nearest === undefined ? 'nothing' : `${nearest.key}=${nearest.value} on ${nearest.nodes.join(', ')}`,
    ).toBe(expected);
  });
});

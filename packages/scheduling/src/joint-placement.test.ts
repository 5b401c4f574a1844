import { describe, expect, it } from 'vitest';
import { placeJointly } from './joint-placement.ts';
import { occupyNodes, parseNode } from './node.ts';
import { parsePod } from './pod.ts';

const nodes = (gpus: Readonly<Record<string, number>>) =>
  occupyNodes(
    Object.entries(gpus).map(([name, count]) =>
      parseNode({
        metadata: { name, labels: { gpu: name } },
        status: { allocatable: { 'nvidia.com/gpu': count, pods: 110 } },
      }),
    ),
    [],
  );

const pod = (gpus: number, on?: string) =>
  parsePod({
    metadata: { namespace: 'inference' },
    spec: {
      ...(on === undefined ? {} : { nodeSelector: { gpu: on } }),
      containers: [{ name: 'vllm', resources: { limits: { 'nvidia.com/gpu': gpus } } }],
    },
  });

const plain = (placement: ReturnType<typeof placeJointly>) => ({
  kind: placement.kind,
  byGroup: placement.byGroup.map((places) => Object.fromEntries(places)),
});

describe('placeJointly', () => {
  it('finds no place for two groups that each want the only GPU, though each fits by itself', () => {
    const groups = [
      { pod: pod(1, 'a100'), count: 1 },
      { pod: pod(1, 'a100'), count: 1 },
    ];
    expect(plain(placeJointly(groups, nodes({ a100: 1, a10: 1 })))).toEqual({
      kind: 'none',
      byGroup: [{ a100: 1 }, {}],
    });
  });

  it('leaves the only node that suits one group to it', () => {
    const groups = [
      { pod: pod(1), count: 1 },
      { pod: pod(1, 'a100'), count: 1 },
    ];
    expect(plain(placeJointly(groups, nodes({ a100: 1, a10: 1 })))).toEqual({
      kind: 'found',
      byGroup: [{ a10: 1 }, { a100: 1 }],
    });
  });

  // 3 + 2 + 2 + 1 GPUs on two nodes of four: only 3+1 and 2+2 goes.
  it('goes back where the first place taken leaves none for the last', () => {
    const groups = [pod(2), pod(1), pod(3), pod(2)].map((one) => ({ pod: one, count: 1 }));
    const { kind, byGroup } = placeJointly(groups, nodes({ one: 4, two: 4 }));
    expect(kind).toBe('found');
    const sizes = [2, 1, 3, 2];
    const load = new Map<string, number>();
    for (const [index, places] of byGroup.entries()) {
      for (const [node, count] of places) load.set(node, (load.get(node) ?? 0) + count * (sizes[index] ?? 0));
    }
    expect(Object.fromEntries(load)).toEqual({ one: 4, two: 4 });
  });

  it('says that it is unknown where there are too many ways to try', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`n${index}`, 3]));
    const groups = [
      { pod: pod(2), count: 20 },
      { pod: pod(2), count: 20 },
    ];
    expect(placeJointly(groups, nodes(many)).kind).toBe('unknown');
  });

  it('places nothing of groups without Pods', () => {
    expect(plain(placeJointly([{ pod: pod(1), count: 0 }], nodes({})))).toEqual({
      kind: 'found',
      byGroup: [{}],
    });
  });
});

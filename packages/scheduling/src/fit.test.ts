import { describe, expect, it } from 'vitest';
import { countPlaces, explainPod } from './fit.ts';
import { type OccupiedNode, occupyNodes, parseNode } from './node.ts';
import { type Pod, parsePod } from './pod.ts';
import { renderReason } from './reason.ts';

type Resources = Readonly<Record<string, string | number>>;

const wholeNode = { cpu: '16', memory: '64Gi', 'nvidia.com/gpu': 1, pods: 110 };

function node(name: string, { labels = {}, spec = {}, allocatable = wholeNode as Resources } = {}) {
  return parseNode({ metadata: { name, labels }, spec, status: { allocatable } });
}

function pod(name: string, requests: Resources = {}, { spec = {}, metadata = {}, status = {} } = {}): Pod {
  return parsePod({
    metadata: { name, namespace: 'ai', ...metadata },
    spec: { containers: [{ name: 'main', resources: { requests } }], ...spec },
    status,
  });
}

/** All sentences about a Pod, `[]` when it fits everywhere. */
function explain(
  candidate: Pod,
  nodes: readonly OccupiedNode[],
  images: Parameters<typeof explainPod>[2] = [],
) {
  return explainPod(candidate, nodes, images).flatMap((verdict) =>
    verdict.reasons.map((reason) => `${verdict.kind}: ${renderReason(verdict.node, reason)}`),
  );
}

const gpu = { 'nvidia.com/gpu': 1 };

describe('explainPod', () => {
  it('fits where nothing speaks against it', () => {
    expect(explainPod(pod('p', gpu), occupyNodes([node('gh200-0')], []))).toEqual([
      { node: 'gh200-0', kind: 'fits', reasons: [] },
    ]);
  });

  it('says what is free, what there is in all, and what is not there', () => {
    const nodes = [
      node('gh200-0'),
      node('a100-0', { allocatable: { ...wholeNode, 'nvidia.com/gpu': 8 } }),
      node('cpu-0', { allocatable: { cpu: '4', memory: '8Gi', pods: 110 } }),
    ];
    const holders = [
      pod('vllm', gpu, { spec: { nodeName: 'gh200-0' } }),
      pod('train', { 'nvidia.com/gpu': 7 }, { spec: { nodeName: 'a100-0' } }),
    ];
    expect(explain(pod('p', { 'nvidia.com/gpu': 2, memory: '16Gi' }), occupyNodes(nodes, holders))).toEqual([
      'misfit: Node gh200-0 has 1 nvidia.com/gpu in all, and the Pod asks for 2.',
      'misfit: Node a100-0 has 1 of 8 nvidia.com/gpu free, and the Pod asks for 2.',
      'misfit: Node cpu-0 has 8Gi memory in all, and the Pod asks for 16Gi.',
      'misfit: Node cpu-0 has no nvidia.com/gpu, and the Pod asks for 2.',
    ]);
  });

  it.each([
    ['memory to the byte', { memory: '65536Mi' }, []],
    [
      'a byte too much',
      { memory: 68719476737 },
      ['misfit: Node n has 64Gi memory in all, and the Pod asks for 68719476737.'],
    ],
    ['cpu to the thousandth', { cpu: '16000m' }, []],
    [
      'a thousandth too much',
      { cpu: '16000001u' },
      ['misfit: Node n has 16 cpu in all, and the Pod asks for 16001m.'],
    ],
    ['nothing of a resource that no node has', { 'example.com/fpga': 0 }, []],
  ] as const)('judges %s', (_, requests, sentences) => {
    expect(explain(pod('p', requests), occupyNodes([node('n')], []))).toEqual(sentences);
  });

  it('counts Pods, and lets one without requests onto a node that is overfull otherwise', () => {
    const small = node('n', { allocatable: { cpu: '1', pods: 2 } });
    const holder = pod('a', { cpu: '3' }, { spec: { nodeName: 'n' } });
    expect(explain(pod('p'), occupyNodes([small], [holder]))).toEqual([]);
    expect(
      explain(pod('p'), occupyNodes([small], [holder, pod('b', {}, { spec: { nodeName: 'n' } })])),
    ).toEqual(['misfit: Node n has 2 of at most 2 Pods.']);
    expect(explain(pod('p', { cpu: '1' }), occupyNodes([small], [holder]))).toEqual([
      'misfit: Node n has 0 of 1 cpu free, and the Pod asks for 1.',
    ]);
  });

  it('lets Pods that are ending hold what they have, and those that ended not', () => {
    const held = (more: object) => [pod('old', gpu, { spec: { nodeName: 'n' }, ...more })];
    const kinds = [
      { metadata: { deletionTimestamp: '2026-11-25T00:00:00Z' } },
      { status: { phase: 'Succeeded' } },
      { status: { phase: 'Failed' } },
    ].map((more) => explainPod(pod('p', gpu), occupyNodes([node('n')], held(more)))[0]?.kind);
    expect(kinds).toEqual(['misfit', 'fits', 'fits']);
  });

  it('keeps a promised place for whom it is promised, unless we come before them', () => {
    const promised = pod('first', gpu, { status: { nominatedNodeName: 'n' }, spec: { priority: 10 } });
    const nodes = occupyNodes([node('n')], [promised]);
    expect(explainPod(pod('p', gpu, { spec: { priority: 10 } }), nodes)[0]?.kind).toBe('misfit');
    expect(explainPod(pod('p', gpu, { spec: { priority: 11 } }), nodes)[0]?.kind).toBe('fits');
    expect(explainPod(promised, nodes)[0]?.kind).toBe('fits');
  });

  it('names every filter that fails, in the order of the scheduler', () => {
    const bad = node('n', {
      labels: { gpu: 'a10', 'kubernetes.io/arch': 'arm64' },
      spec: {
        unschedulable: true,
        taints: [
          { key: 'gpu', value: 'a10', effect: 'NoSchedule' },
          { key: 'soft', effect: 'PreferNoSchedule' },
        ],
      },
      allocatable: {},
    });
    const port = { containerPort: 80, hostPort: 80 };
    const holder = pod('web', {}, { spec: { nodeName: 'n', containers: [{ name: 'a', ports: [port] }] } });
    const terms = [{ matchExpressions: [{ key: 'tier', operator: 'Gt', values: ['3'] }] }, {}];
    const candidate = pod(
      'p',
      {},
      {
        spec: {
          containers: [{ name: 'a', ports: [port], resources: { limits: gpu } }],
          nodeName: 'm',
          nodeSelector: { gpu: 'a100' },
          affinity: {
            nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
          },
        },
      },
    );
    const images = [
      { image: 'vllm:1', platforms: ['linux/amd64'] },
      { image: 'unknown:1', platforms: [] },
    ];
    expect(explain(candidate, occupyNodes([bad], [holder]), images)).toEqual([
      'misfit: Node n is cordoned (spec.unschedulable).',
      'misfit: Node n is not the node m that spec.nodeName demands.',
      'misfit: Node n has the taint gpu=a10:NoSchedule, and no toleration of the Pod matches it.',
      'misfit: Node n doesn\'t match the nodeSelector: label gpu is "a10", wanted gpu=a100.',
      'misfit: Node n meets none of the 2 terms of the node affinity: label tier is absent, wanted tier > 3; a term is empty or invalid.',
      'misfit: Node n has host port 80/TCP taken by Pod ai/web.',
      'misfit: Node n has 1 of at most 0 Pods.',
      'misfit: Node n has no nvidia.com/gpu, and the Pod asks for 1.',
      'misfit: Node n is linux/arm64, and image vllm:1 is only for linux/amd64.',
    ]);
  });

  it('lets a blanket toleration pass a cordon as well', () => {
    const cordoned = node('n', { spec: { unschedulable: true } });
    expect(
      explain(pod('p', {}, { spec: { tolerations: [{ operator: 'Exists' }] } }), occupyNodes([cordoned], [])),
    ).toEqual([]);
  });

  // From the scheduler's HostPortInfo: equal port and protocol, and equal addresses or one of them 0.0.0.0.
  it.each([
    [{}, {}, true],
    [{ hostIP: '127.0.0.1' }, {}, true],
    [{ hostIP: '127.0.0.1' }, { hostIP: '127.0.0.2' }, false],
    [{ protocol: 'UDP' }, {}, false],
    [{ hostPort: 81 }, {}, false],
  ])('host port %j beside %j: taken %s', (wanted, taken, isTaken) => {
    const withPort = (more: object) => ({
      containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 80, ...more }] }],
    });
    const nodes = occupyNodes([node('n')], [pod('a', {}, { spec: { ...withPort(taken), nodeName: 'n' } })]);
    expect(explainPod(pod('p', {}, { spec: withPort(wanted) }), nodes)[0]?.kind).toBe(
      isTaken ? 'misfit' : 'fits',
    );
  });

  it('says may, never fits, where a constraint is not judged, and still says misfit where another fails', () => {
    const claim = { spec: { resourceClaims: [{ name: 'gpu' }] } };
    const nodes = occupyNodes([node('n'), node('cpu-0', { allocatable: { pods: 110 } })], []);
    expect(explain(pod('p', gpu, claim), nodes)).toEqual([
      'may: Node n may or may not suit the Pod\'s resource claim "gpu", which isn\'t judged here.',
      'misfit: Node cpu-0 has no nvidia.com/gpu, and the Pod asks for 1.',
      'misfit: Node cpu-0 may or may not suit the Pod\'s resource claim "gpu", which isn\'t judged here.',
    ]);
  });

  it('says may where a Pod that is there may repel this one', () => {
    const podAntiAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
    };
    const repelling = pod('lonely', {}, { spec: { nodeName: 'n', affinity: { podAntiAffinity } } });
    expect(explain(pod('p'), occupyNodes([node('n')], [repelling]))).toEqual([
      "may: Node n may or may not suit the Pod's distance from Pod ai/lonely with required anti-affinity, which isn't judged here.",
    ]);
  });
});

describe('countPlaces', () => {
  it('counts as many copies as can be placed one after another', () => {
    let state = 7;
    const draw = (most: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % (most + 1);
    };
    for (let run = 0; run < 300; run += 1) {
      const nodes = Array.from({ length: draw(3) }, (_, index) =>
        node(`n${index}`, { allocatable: { cpu: draw(8), 'nvidia.com/gpu': draw(4), pods: draw(5) } }),
      );
      const asked = { cpu: `${draw(30)}00m`, 'nvidia.com/gpu': draw(2) };
      const existing = nodes.map(({ name }) =>
        pod(`e-${name}`, { cpu: draw(3) }, { spec: { nodeName: name } }),
      );
      const { count } = countPlaces(pod('', asked), occupyNodes(nodes, existing));
      const placed: Pod[] = [...existing];
      for (;;) {
        const free = explainPod(pod('', asked), occupyNodes(nodes, placed)).find(
          ({ kind }) => kind === 'fits',
        );
        if (free === undefined) break;
        placed.push(pod(`p${placed.length}`, asked, { spec: { nodeName: free.node } }));
      }
      expect({ asked, count }).toEqual({ asked, count: placed.length - existing.length });
    }
  });

  it('counts one Pod with a host port for a node, and says when the count may be too high', () => {
    const nodes = occupyNodes([node('a'), node('b')], []);
    const spec = { containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 80 }] }] };
    expect(countPlaces(pod('', {}, { spec }), nodes)).toEqual({
      count: 2,
      isUpperBound: false,
      byNode: new Map([
        ['a', 1],
        ['b', 1],
      ]),
    });
    expect(countPlaces(pod('', gpu, { spec: { schedulerName: 'volcano' } }), nodes)).toMatchObject({
      count: 2,
      isUpperBound: true,
    });
  });
});

/**
 * Random small clusters for comparing verdicts with the real scheduler. Every document is one that the API server
 * accepts; amounts are drawn so that many of the Pods are near the edge of fitting.
 */
export type World = {
  readonly nodes: readonly ApiNode[];
  /** Bound to nodes of this world from the start. */
  readonly existing: readonly ApiPod[];
  /** For each node one copy of the same Pod, which only that node may take. */
  readonly candidates: readonly ApiPod[];
};

export type ApiNode = {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
} & Record<string, unknown>;
export type ApiPod = { readonly metadata: { readonly name: string }; readonly spec: Record<string, unknown> };

type Random = () => number;

/** mulberry32: the same worlds for the same seed on every machine. */
export function createRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param name Prefix of all names of the world: lower-case letters and digits. */
export function createWorld(name: string, random: Random): World {
  const draw = createDraw(random);
  const nodes = Array.from({ length: draw.whole(2, 5) }, (_, index) => createNode(`${name}-n${index}`, draw));
  const existing = nodes.flatMap((node) =>
    Array.from({ length: draw.whole(0, 3) }, (_, index) =>
      createPod(`${node.metadata.name}-e${index}`, {
        ...createUse(draw, 'modest'),
        nodeName: node.metadata.name,
        // The taint manager would take it away again.
        tolerations: [{ operator: 'Exists' }],
      }),
    ),
  );
  const wish = { ...createUse(draw, 'varied'), ...createPlacement(draw) };
  const candidates = nodes.map((node) =>
    createPod(`${node.metadata.name}-c`, pinTo(node.metadata.name, wish)),
  );
  return { nodes, existing, candidates };
}

type Draw = {
  chance(share: number): boolean;
  /** A whole number, both ends included. */
  whole(least: number, most: number): number;
  one<T>(first: T, ...others: readonly T[]): T;
  /** What is made, or in the other cases `{}`. */
  perhaps<T extends object>(share: number, make: () => T): T | Record<string, never>;
};

function createDraw(random: Random): Draw {
  const chance = (share: number) => random() < share;
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  return {
    chance,
    whole,
    one: (first, ...others) => [first, ...others][whole(0, others.length)] ?? first,
    perhaps: (share, make) => (chance(share) ? make() : {}),
  };
}

function createNode(name: string, draw: Draw): ApiNode {
  const resources = {
    cpu: draw.one('2', '4', '3500m', '1900001u', '8', '8'),
    memory: draw.one('4Gi', '8Gi', '8000Mi', '7G', '3900000Ki', '16Gi'),
    pods: String(draw.one(1, 2, 3, 10, 10, 110, 110)),
    ...draw.perhaps(0.9, () => ({ 'ephemeral-storage': draw.one('10Gi', '20G', '5Gi') })),
    ...draw.perhaps(0.85, () => ({ 'nvidia.com/gpu': String(draw.whole(0, 5)) })),
    ...draw.perhaps(0.3, () => ({ 'hugepages-2Mi': draw.one('64Mi', '128Mi', '0') })),
  };
  const taints = [
    ...(draw.chance(0.2)
      ? [{ key: 'gpu', value: draw.one('present', 'a100', ''), effect: draw.one('NoSchedule', 'NoExecute') }]
      : []),
    ...(draw.chance(0.12) ? [{ key: 'spot', effect: draw.one('NoSchedule', 'PreferNoSchedule') }] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': draw.one('amd64', 'amd64', 'arm64'),
        ...draw.perhaps(0.8, () => ({ gpu: draw.one('a10', 'a100', 'gh200') })),
        ...draw.perhaps(0.7, () => ({ tier: draw.one('1', '2', '3', '10', '007', 'gold', '') })),
      },
    },
    spec: { ...draw.perhaps(0.06, () => ({ unschedulable: true })), taints },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  };
}

function createPod(name: string, spec: Record<string, unknown>): ApiPod {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name },
    spec: { automountServiceAccountToken: false, terminationGracePeriodSeconds: 0, ...spec },
  };
}

/** What the Pod takes of a node. */
function createUse(draw: Draw, size: 'modest' | 'varied'): Record<string, unknown> {
  const hasHugePages = size === 'varied' && draw.chance(0.06);
  return {
    containers: Array.from({ length: draw.whole(1, 2) }, (_, index) =>
      createContainer(`c${index}`, draw, size, hasHugePages && index === 0),
    ),
    ...draw.perhaps(0.25, () => ({
      initContainers: Array.from({ length: draw.whole(1, 3) }, (_, index) => ({
        ...createContainer(`i${index}`, draw, size, false),
        ...draw.perhaps(0.5, () => ({ restartPolicy: 'Always' })),
      })),
    })),
    ...draw.perhaps(size === 'varied' ? 0.08 : 0, () => ({
      resources: draw.one<object>({ limits: { cpu: '24', memory: '40Gi' } }, { requests: { cpu: '24' } }),
    })),
  };
}

function createContainer(name: string, draw: Draw, size: 'modest' | 'varied', hasHugePages: boolean) {
  const amounts =
    size === 'modest'
      ? {
          cpu: ['0', '100m', '250m', '500m', '1', '1.5'],
          memory: ['0', '128Mi', '500M', '1Gi', '1.5Gi'],
        }
      : {
          cpu: ['0', '1m', '0.1', '500m', '500m', '1', '1500m', '1900m', '2', '1900001u'],
          memory: ['0', '128Mi', '1Gi', '1Gi', '1.5Gi', '3G', '3900000Ki', '4Gi', '4294967297', '500m'],
        };
  const [cpu = '0', ...cpus] = amounts.cpu;
  const [memory = '0', ...memories] = amounts.memory;
  const wanted = {
    ...draw.perhaps(0.8, () => ({ cpu: draw.one(cpu, ...cpus) })),
    ...draw.perhaps(0.8, () => ({ memory: draw.one(memory, ...memories) })),
    ...draw.perhaps(0.15, () => ({ 'ephemeral-storage': draw.one('1Gi', '1Gi', '5Gi', '10Gi') })),
  };
  const whole = {
    ...draw.perhaps(size === 'varied' ? 0.45 : 0.2, () => ({
      'nvidia.com/gpu': String(draw.one(0, 1, 1, 2)),
    })),
    ...(hasHugePages ? { 'hugepages-2Mi': draw.one('64Mi', '66Mi'), memory: '64Mi', cpu: '100m' } : {}),
  };
  const ports = draw.perhaps(0.2, () => ({
    ports: [
      {
        containerPort: 8080,
        // Two containers of one Pod may not ask for the same.
        hostPort: 8080 + Number(name.slice(1)) + (name.startsWith('i') ? 2 : 0),
        ...draw.perhaps(0.3, () => ({ hostIP: draw.one('127.0.0.1', '127.0.0.2', '0.0.0.0') })),
        ...draw.perhaps(0.3, () => ({ protocol: 'UDP' })),
      },
    ],
  }));
  // A missing request is the limit; the other way round a Pod is refused.
  const resources = draw.chance(0.3)
    ? { limits: { ...wanted, ...whole } }
    : { requests: { ...wanted, ...whole }, limits: whole };
  return { name, image: 'registry.example/app:1', resources, ...ports };
}

/** Where the Pod may go. */
function createPlacement(draw: Draw): Record<string, unknown> {
  return {
    ...draw.perhaps(0.12, () => ({
      nodeSelector: draw.one<object>(
        { gpu: 'a100' },
        { 'kubernetes.io/arch': 'amd64' },
        { gpu: 'a10', tier: '1' },
      ),
    })),
    ...draw.perhaps(0.25, () => ({
      affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: createTerms(draw) } } },
    })),
    ...draw.perhaps(0.5, () => ({
      tolerations: Array.from({ length: draw.whole(1, 2) }, () => createToleration(draw)),
    })),
  };
}

const required = 'requiredDuringSchedulingIgnoredDuringExecution';

function createTerms(draw: Draw): readonly object[] {
  return Array.from({ length: draw.whole(1, 2) }, () =>
    draw.chance(0.07)
      ? {}
      : { matchExpressions: Array.from({ length: draw.whole(1, 2) }, () => createExpression(draw)) },
  );
}

function createExpression(draw: Draw): object {
  const key = draw.one('gpu', 'gpu', 'tier', 'missing');
  const values = key === 'tier' ? ['1', '10', 'gold'] : ['a100', 'gh200', 'x'];
  switch (draw.whole(0, 5)) {
    case 0:
      return { key, operator: 'In', values: values.slice(0, draw.whole(1, 2)) };
    case 1:
      return { key, operator: 'NotIn', values: values.slice(0, draw.whole(1, 2)) };
    case 2:
      return { key, operator: 'Exists' };
    case 3:
      return { key, operator: 'DoesNotExist' };
    case 4:
      return { key: 'tier', operator: 'Gt', values: [draw.one('0', '2', '6')] };
    default:
      return { key: 'tier', operator: 'Lt', values: [draw.one('3', '8', '011')] };
  }
}

function createToleration(draw: Draw): object {
  const effect = draw.perhaps(0.6, () => ({ effect: draw.one('NoSchedule', 'NoExecute') }));
  return draw.one<object>(
    { key: 'gpu', operator: 'Exists', ...effect },
    { key: 'gpu', operator: 'Equal', value: draw.one('present', 'a100'), ...effect },
    { key: 'gpu', value: 'present', ...effect },
    { key: 'gpu', ...effect },
    { key: 'spot', operator: 'Exists', ...effect },
    { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
    { operator: 'Exists', ...effect },
  );
}

/** Adds to every term that it is this node; an empty term stays empty, since it matches nothing. */
function pinTo(node: string, spec: Record<string, unknown>): Record<string, unknown> {
  const pin = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  const { affinity } = spec as {
    affinity?: { nodeAffinity: Record<typeof required, { nodeSelectorTerms: readonly object[] }> };
  };
  const terms = affinity?.nodeAffinity[required].nodeSelectorTerms ?? [];
  const pinned =
    terms.length === 0
      ? [pin]
      : terms.map((term) => (Object.keys(term).length === 0 ? term : { ...term, ...pin }));
  return { ...spec, affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: pinned } } } };
}

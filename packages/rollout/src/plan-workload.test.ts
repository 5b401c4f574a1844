import { occupyNodes, parseNode, parsePod } from '@sophia/scheduling';
import { describe, expect, it } from 'vitest';
import { planWorkload } from './plan-workload.ts';
import type { PlanInput, WorkloadPlan } from './rollout-plan.ts';

type Fields = Readonly<Record<string, unknown>>;

function node(name: string, fields: { allocatable?: Fields; labels?: Fields; spec?: Fields } = {}) {
  return {
    metadata: {
      name,
      labels: { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'linux', ...fields.labels },
    },
    spec: fields.spec ?? {},
    status: {
      allocatable: { cpu: '16', memory: '64Gi', pods: '110', 'nvidia.com/gpu': '1', ...fields.allocatable },
    },
  };
}

function template(spec: Fields = {}, gpus: number | undefined = 1) {
  const limits = gpus === undefined ? { cpu: '1' } : { 'nvidia.com/gpu': String(gpus) };
  return {
    metadata: {},
    spec: { containers: [{ name: 'vllm', image: 'r/vllm:2', resources: { limits } }], ...spec },
  };
}

function withResources(limits: Fields) {
  return { metadata: {}, spec: { containers: [{ name: 'vllm', image: 'r/vllm:2', resources: { limits } }] } };
}

function withPort(hostPort: number) {
  const container = { name: 'vllm', image: 'r/vllm:2', ports: [{ containerPort: hostPort, hostPort }] };
  return { metadata: {}, spec: { containers: [{ ...container, resources: { limits: { cpu: '1' } } }] } };
}

type Made = { readonly metadata: Fields; readonly spec: Fields };

function held(name: string, nodeName: string, made: Made = template()) {
  return {
    ...made,
    metadata: { name, namespace: 'inference' },
    spec: { ...made.spec, nodeName },
    status: { phase: 'Running' },
  };
}

type World = {
  readonly kind?: string;
  readonly spec?: Fields;
  readonly made?: Made;
  readonly nodes: readonly ReturnType<typeof node>[];
  readonly old?: readonly ReturnType<typeof held>[];
  readonly others?: readonly ReturnType<typeof held>[];
  readonly input?: Partial<PlanInput>;
};

function plan({
  kind = 'Deployment',
  spec = {},
  made = template(),
  nodes,
  old = [],
  others = [],
  input,
}: World) {
  const oldPods = old.map(parsePod);
  const pods = [...oldPods, ...others.map(parsePod)];
  return planWorkload({
    workload: {
      kind,
      metadata: { name: 'vllm', namespace: 'inference' },
      spec: { replicas: 1, template: made, ...spec },
    },
    current: undefined,
    pod: parsePod(made),
    nodes: occupyNodes(nodes.map(parseNode), pods),
    pods,
    oldPods,
    images: [],
    hasAutoscaler: false,
    strategy: 'auto',
    ...input,
  });
}

function lines({ findings }: WorkloadPlan): readonly string[] {
  return findings.map((finding) => `${finding.class} ${finding.code}: ${finding.message}`);
}

const full = { nodes: [node('a100-0')], old: [held('old-1', 'a100-0')] };

describe('planWorkload, how Pods are replaced', () => {
  it('refuses a rolling update that can take no step, and says the change that would work', () => {
    const result = plan({ ...full, input: { strategy: 'rolling' } });
    expect(lines(result)).toEqual([
      'refused gpu-surge-deadlock: Deployment inference/vllm cannot finish: 1 new Pod must start first (maxSurge 1, maxUnavailable 0) and 0 of 1 GPU is free. Set maxUnavailable: 1.',
    ]);
    expect(result.strategyPatch).toBeUndefined();
    expect(result.outlook?.outcome).toBe('surge-deadlock');
  });

  it('takes for auto the gentlest that can end in the place of the default', () => {
    const result = plan(full);
    expect(result.strategy).toEqual({ kind: 'recreate' });
    expect(result.strategyPatch).toEqual({ spec: { strategy: { type: 'Recreate', rollingUpdate: null } } });
    expect(result.strategyReason).toBe(
      'The default (maxSurge 25%, maxUnavailable 25%) cannot end, so Recreate: no Pod serves from the end of the old ones until the new ones are ready.',
    );
    expect(result.findings).toEqual([]);
  });

  it('takes one Pod at a time where there are several', () => {
    const result = plan({
      spec: { replicas: 2 },
      nodes: [node('a'), node('b')],
      old: [held('old-1', 'a'), held('old-2', 'b')],
    });
    expect(result.strategyPatch).toEqual({
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } },
    });
    expect(result.strategyReason).toBe(
      'The default (maxSurge 25%, maxUnavailable 25%) cannot end, so maxSurge 0, maxUnavailable 1: 1 of 2 Pods serves at the worst moment.',
    );
  });

  it('refuses a strategy that the author chose and that cannot end', () => {
    const result = plan({
      ...full,
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    });
    expect(result.findings.map(({ code, class: kind }) => [code, kind])).toEqual([
      ['gpu-surge-deadlock', 'refused'],
    ]);
  });

  it("keeps the manifest's strategy where it can end", () => {
    const result = plan({ ...full, nodes: [node('a100-0'), node('a100-1')] });
    expect(result.strategy).toEqual({ kind: 'rolling', surge: 1, unavailable: 0 });
    expect(result.strategyPatch).toBeUndefined();
    expect(result.strategyReason).toBe("The manifest's strategy can end: 1 Pod serves throughout.");
  });

  it('turns Recreate into a rolling update when asked', () => {
    const result = plan({
      nodes: [node('a')],
      spec: { strategy: { type: 'Recreate' } },
      input: { strategy: 'rolling' },
    });
    expect(result.strategyPatch).toEqual({
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    });
  });

  it('sees that nothing is replaced where the template stays as it is', () => {
    const workload = {
      kind: 'Deployment',
      metadata: { name: 'vllm', uid: 'u' },
      spec: { replicas: 1, template: { a: 1, b: null } },
    };
    const result = plan({
      ...full,
      input: {
        strategy: 'rolling',
        workload,
        current: { ...workload, spec: { replicas: 2, template: { a: 1 } } },
      },
    });
    expect(result.findings).toEqual([]);
  });

  it('says what else keeps a new Pod from starting first where GPUs are free', () => {
    const container = { name: 'vllm', image: 'r/vllm:2', ports: [{ containerPort: 8000, hostPort: 8000 }] };
    const made = {
      metadata: {},
      spec: { containers: [{ ...container, resources: { limits: { 'nvidia.com/gpu': '1' } } }] },
    };
    const nodes = [node('a', { allocatable: { 'nvidia.com/gpu': '4' } })];
    const result = plan({ nodes, made, old: [held('o-1', 'a', made)], input: { strategy: 'rolling' } });
    expect(lines(result)).toEqual([
      'refused gpu-surge-deadlock: Deployment inference/vllm cannot finish: 1 new Pod must start first (maxSurge 1, maxUnavailable 0) and no node has room for it though 3 of 4 GPUs are free. Set maxUnavailable: 1.',
    ]);
  });

  it('counts only the nodes that suit', () => {
    const nodes = [node('a', { labels: { gpu: 'a100' } }), node('b', { labels: { gpu: 'a10' } })];
    const made = template({ nodeSelector: { gpu: 'a100' } });
    const result = plan({ nodes, made, old: [held('o-1', 'a', made)], input: { strategy: 'rolling' } });
    expect(result.findings[0]?.message).toContain(' and 0 of 1 GPU is free. ');
  });

  it('holds back with an autoscaler', () => {
    const result = plan({ ...full, input: { strategy: 'rolling', hasAutoscaler: true } });
    expect(result.findings.map(({ class: kind }) => kind)).toEqual(['waiting']);
  });

  it.each(['Job', 'Pod'])('knows no strategy for a %s', (kind) => {
    expect(plan({ kind, nodes: [node('a')] })).toMatchObject({ strategy: undefined, findings: [] });
  });
});

describe('planWorkload, what is against it', () => {
  const taint = { key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' };
  it.each<{ readonly title: string; readonly world: World; readonly expected: readonly string[] }>([
    {
      title: 'GPUs that others hold',
      world: { nodes: [node('a100-0')], others: [held('train-1', 'a100-0')] },
      expected: [
        'refused gpu-insufficient: Deployment inference/vllm cannot place its Pod: each asks for 1 GPU and 0 of 1 GPU is free on a100-0, held by inference/train-1. Free 1 GPU on a100-0 or add a node.',
      ],
    },
    {
      title: 'more Pods than places',
      world: { nodes: [node('a'), node('b')], spec: { replicas: 3 } },
      expected: [
        'refused gpu-insufficient: Deployment inference/vllm cannot place 1 of 3 Pods: each asks for 1 GPU and 0 of 2 GPUs are free on a and b. Free 1 GPU on these nodes, or set replicas: 2.',
      ],
    },
    {
      title: 'no GPU anywhere',
      world: { nodes: [node('cpu-0', { allocatable: { 'nvidia.com/gpu': '0' } })] },
      expected: [
        'refused gpu-none: Deployment inference/vllm cannot place its Pod: each asks for 1 GPU and no node that suits offers nvidia.com/gpu, nodes cpu-0. Add a node with nvidia.com/gpu, or install its device plugin.',
      ],
    },
    {
      title: 'more GPUs than a node has',
      world: { nodes: [node('a', { allocatable: { 'nvidia.com/gpu': '2' } })], made: template({}, 4) },
      expected: [
        'refused gpu-per-node: Deployment inference/vllm cannot place its Pod: each asks for 4 GPUs and no node that suits has more than 2, node a. Set the limit nvidia.com/gpu: 2.',
      ],
    },
    {
      title: 'free GPUs that are spread',
      world: {
        nodes: ['a', 'b'].map((name) => node(name, { allocatable: { 'nvidia.com/gpu': '2' } })),
        made: template({}, 2),
        others: [held('x', 'a'), held('y', 'b')],
      },
      expected: [
        'refused gpu-fragmented: Deployment inference/vllm cannot place its Pod: each asks for 2 GPUs on one node and 2 GPUs are free only on a and b together. Move Pods that hold 1 GPU away from a.',
      ],
    },
    {
      title: 'a label that is written otherwise',
      world: {
        nodes: [node('a100-0', { labels: { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB' } })],
        made: template({ nodeSelector: { 'nvidia.com/gpu.product': 'A100-SXM4-40GB' } }),
      },
      expected: [
        'refused node-label-missing: Deployment inference/vllm cannot place its Pod: no node has nvidia.com/gpu.product=A100-SXM4-40GB. Set nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB.',
      ],
    },
    {
      title: 'a label that nothing comes near',
      world: { nodes: [node('n1')], made: template({ nodeSelector: { gpu: 'gh200' } }) },
      expected: [
        'refused node-label-missing: Deployment inference/vllm cannot place its Pod: no node has gpu=gh200, nor any node that label. Label a node: kubectl label node n1 gpu=gh200.',
      ],
    },
    {
      title: 'a taint',
      world: {
        nodes: [
          node('a', { spec: { taints: [taint] } }),
          node('cpu', { allocatable: { 'nvidia.com/gpu': '0' } }),
        ],
      },
      expected: [
        'refused taint-not-tolerated: Deployment inference/vllm cannot place its Pod: what would suit has the taint nvidia.com/gpu=present:NoSchedule, a. Add the toleration {key: nvidia.com/gpu, value: present, effect: NoSchedule}.',
      ],
    },
    {
      title: 'a cordon',
      world: { nodes: [node('a', { spec: { unschedulable: true } })] },
      expected: [
        'refused node-cordoned: Deployment inference/vllm cannot place its Pod: what would suit is cordoned, a. Run kubectl uncordon a.',
      ],
    },
    {
      title: 'an image for other processors',
      world: {
        nodes: [node('gh200-0', { labels: { 'kubernetes.io/arch': 'arm64' } })],
        input: { images: [{ image: 'r/vllm:2', platforms: ['linux/amd64'] }] },
      },
      expected: [
        'refused arch-mismatch: Deployment inference/vllm cannot run: image r/vllm:2 is only for linux/amd64, gh200-0 is linux/arm64. Build it for linux/arm64 too.',
      ],
    },
    {
      title: 'too little CPU beside a free GPU',
      world: {
        nodes: [node('a', { allocatable: { cpu: '4' } })],
        made: withResources({ cpu: '8', 'nvidia.com/gpu': '1' }),
      },
      expected: [
        'refused cpu-insufficient: Deployment inference/vllm cannot place its Pod: each asks for 8 CPU and 4 of 4 CPU is free on a. Free 8 CPU on a or add a node.',
      ],
    },
    {
      title: 'too little memory',
      world: {
        nodes: [node('a')],
        others: [held('big', 'a', withResources({ memory: '60Gi' }))],
        made: withResources({ memory: '8Gi' }),
      },
      expected: [
        'refused memory-insufficient: Deployment inference/vllm cannot place its Pod: each asks for 8Gi memory and 4Gi of 64Gi memory is free on a, held by inference/big. Free 8Gi memory on a or add a node.',
      ],
    },
    {
      title: 'no ephemeral storage',
      world: { nodes: [node('a')], made: withResources({ 'ephemeral-storage': '1Gi' }) },
      expected: [
        'refused storage-insufficient: Deployment inference/vllm cannot place its Pod: each asks for 1Gi ephemeral-storage and 0 of 0 ephemeral-storage is free on a. Free 1Gi ephemeral-storage on a or add a node.',
      ],
    },
    {
      title: 'a node full of Pods',
      world: {
        nodes: [node('a', { allocatable: { pods: '1' } })],
        others: [held('x', 'a', withResources({ cpu: '1' }))],
        made: withResources({ cpu: '1' }),
      },
      expected: [
        'refused pods-full: Deployment inference/vllm cannot place its Pod: every node that suits runs as many Pods as it may, a (1). Remove Pods there, or add a node.',
      ],
    },
    {
      title: 'host ports for more Pods than nodes',
      world: { nodes: [node('a')], spec: { replicas: 2 }, made: withPort(8000) },
      expected: [
        'refused ports-conflict: Deployment inference/vllm cannot place 1 of 2 Pods: host port 8000/TCP is taken on a by another Pod of its own. Set replicas: 1, or remove hostPort 8000.',
      ],
    },
    {
      title: 'a node that is lost',
      world: {
        nodes: [
          node('a', { spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }] } }),
        ],
      },
      expected: [
        "refused node-not-ready: Deployment inference/vllm cannot place its Pod: nodes that would suit aren't ready, a, taint node.kubernetes.io/unreachable:NoSchedule. Bring a back.",
      ],
    },
    {
      title: 'a resource that has no code of its own',
      world: { nodes: [node('a')], made: withResources({ 'rdma/hca': '1' }) },
      expected: [
        'refused unknown: Deployment inference/vllm cannot place its Pod: Node a has no rdma/hca, and the Pod asks for 1.',
      ],
    },
    {
      title: 'a node that spec.nodeName demands and that is not',
      world: { nodes: [node('a')], made: template({ nodeName: 'b' }) },
      expected: [
        'refused unknown: Deployment inference/vllm cannot place its Pod: Node a is not the node b that spec.nodeName demands.',
      ],
    },
    {
      title: 'a cluster without nodes',
      world: { nodes: [] },
      expected: [
        'refused unknown: Deployment inference/vllm cannot place its Pod: the cluster has no node. Add a node.',
      ],
    },
    {
      title: 'a paused Deployment',
      world: { nodes: [node('a')], spec: { paused: true } },
      expected: [
        'refused rollout-paused: Deployment inference/vllm will not roll out: spec.paused is true. Set spec.paused: false.',
      ],
    },
    {
      title: 'a DaemonSet that one of its nodes has no room for',
      world: {
        kind: 'DaemonSet',
        nodes: [node('a'), node('b')],
        others: [held('train', 'b')],
      },
      expected: [
        'refused gpu-insufficient: DaemonSet inference/vllm cannot place 1 of 2 Pods: each asks for 1 GPU and 0 of 1 GPU is free on b, held by inference/train. Free 1 GPU on b or add a node.',
      ],
    },
  ])('refuses $title', ({ world, expected }) => {
    expect(lines(plan(world))).toEqual(expected);
  });

  it('lists every node with its reasons, the nearest first, and the toleration as YAML', () => {
    const [finding] = plan({
      nodes: [
        node('cpu', { allocatable: { 'nvidia.com/gpu': '0' } }),
        node('a', { spec: { taints: [taint] } }),
      ],
    }).findings;
    expect(finding?.details).toEqual([
      'tolerations:',
      '  - key: nvidia.com/gpu',
      '    value: present',
      '    effect: NoSchedule',
      'Node a has the taint nvidia.com/gpu=present:NoSchedule, and no toleration of the Pod matches it.',
      'Node cpu has no nvidia.com/gpu, and the Pod asks for 1.',
    ]);
    expect(finding?.nodes.map((verdict) => verdict.node)).toEqual(['cpu', 'a']);
  });

  it('looks for the cause on the nodes that were meant', () => {
    const nodes = [
      node('a10-0', { labels: { gpu: 'a10' } }),
      node('a100-0', { labels: { gpu: 'a100' } }),
      node('cpu', { allocatable: { 'nvidia.com/gpu': '0' } }),
    ];
    const made = template({ nodeSelector: { gpu: 'a100' } });
    const codes = plan({ nodes, made, others: [held('train', 'a100-0')] }).findings.map(({ code }) => code);
    expect(codes).toEqual(['gpu-insufficient']);
  });

  it('lets a StatefulSet of one replace its Pod where it is, and a Job be', () => {
    expect(plan({ ...full, kind: 'StatefulSet', input: { strategy: 'recreate' } })).toMatchObject({
      strategy: { kind: 'rolling', surge: 0, unavailable: 1 },
      strategyPatch: undefined,
      findings: [],
    });
  });

  it("takes what a DaemonSet's Pods tolerate, and their own places", () => {
    const cordoned = node('a', { spec: { unschedulable: true } });
    const result = plan({
      kind: 'DaemonSet',
      nodes: [cordoned, node('b')],
      old: [held('o-1', 'a'), held('o-2', 'b')],
    });
    expect(result).toMatchObject({ replicas: 2, strategy: undefined, findings: [] });
  });

  it('wants a second place on each node for a DaemonSet that surges', () => {
    const world = { kind: 'DaemonSet', nodes: [node('a')], old: [held('o-1', 'a')] };
    const surging = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } };
    expect(plan({ ...world, spec: surging }).findings.map(({ code }) => code)).toEqual(['gpu-insufficient']);
    expect(plan(world).findings).toEqual([]);
  });

  it('has nothing against no Pods', () => {
    expect(plan({ nodes: [], spec: { replicas: 0 } }).findings).toEqual([]);
  });

  it('takes Pods that are ending for gone', () => {
    const going = {
      ...held('train', 'a'),
      metadata: { name: 'train', namespace: 'x', deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    expect(plan({ nodes: [node('a')], others: [going] }).findings).toEqual([]);
  });
});

describe('planWorkload, what it warns of', () => {
  it('a Pod that may land where its image cannot run', () => {
    const result = plan({
      nodes: [node('a'), node('gh200-0', { labels: { 'kubernetes.io/arch': 'arm64' } })],
      input: { images: [{ image: 'r/vllm:2', platforms: ['linux/amd64'] }] },
    });
    expect(lines(result)).toEqual([
      'suspected arch-mismatch: Deployment inference/vllm may land where it cannot run: image r/vllm:2 is only for linux/amd64, gh200-0 would suit otherwise. Set nodeSelector kubernetes.io/arch: amd64.',
    ]);
  });

  it('a toleration of everything, where a node is cordoned', () => {
    const made = template({ tolerations: [{ operator: 'Exists' }] });
    const result = plan({ nodes: [node('a'), node('b', { spec: { unschedulable: true } })], made });
    expect(lines(result)).toEqual([
      'suspected node-cordoned: Deployment inference/vllm may land on a cordoned node: its toleration without a key matches every taint, and b is cordoned. Name the key of the taint that is meant.',
    ]);
    expect(plan({ nodes: [node('a')], made }).findings).toEqual([]);
  });

  it('a fraction of a byte', () => {
    const result = plan({ nodes: [node('a')], made: withResources({ memory: '128m' }) });
    expect(lines(result)).toEqual([
      'suspected memory-insufficient: Deployment inference/vllm asks for a fraction of a byte: memory ends in "m", which is a thousandth. Write M or Mi.',
    ]);
  });

  it('nothing, where only what runs there is evicted by the taint that is tolerated', () => {
    const made = template({ tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] });
    expect(plan({ nodes: [node('a'), node('b', { spec: { unschedulable: true } })], made }).findings).toEqual(
      [],
    );
  });
});

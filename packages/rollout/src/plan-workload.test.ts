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

function held(name: string, nodeName: string, made = template()) {
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
  readonly made?: ReturnType<typeof template>;
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
      'refused gpu-surge-deadlock: Deployment inference/vllm cannot finish: 1 new Pod must start first (maxSurge 1, maxUnavailable 0) and 0 of 1 GPU are free. Set maxUnavailable: 1.',
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
        'refused gpu-insufficient: Deployment inference/vllm cannot place its Pod: each asks for 1 GPU and 0 of 1 GPU are free on a100-0, held by inference/train-1. Free 1 GPU on a100-0 or add a node.',
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
  ])('refuses $title', ({ world, expected }) => {
    expect(lines(plan(world))).toEqual(expected);
  });
});

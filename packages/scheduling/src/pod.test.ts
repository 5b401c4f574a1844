import { describe, expect, it } from 'vitest';
import { parseNode } from './node.ts';
import { parsePod } from './pod.ts';

function unjudgedOf(spec: object): readonly string[] {
  return parsePod({ metadata: { name: 'p' }, spec: { containers: [{ name: 'a' }], ...spec } }).unjudged.map(
    ({ constraint, detail }) => `${constraint}: ${detail}`,
  );
}

const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: {} };
const required = { requiredDuringSchedulingIgnoredDuringExecution: [term] };

describe('parsePod', () => {
  it.each([
    [undefined, "A Pod can't be read: the document: "],
    [{}, "A Pod can't be read: field spec: "],
    [{ metadata: { name: 'vllm' }, spec: {} }, 'Pod "vllm" can\'t be read: field spec.containers: '],
    [
      {
        metadata: { name: 'vllm' },
        spec: { containers: [{ name: 'a', resources: { limits: { 'nvidia.com/gpu': 'one' } } }] },
      },
      'Pod "vllm" can\'t be read: field spec.containers[0].resources.limits["nvidia.com/gpu"]: Quantity "one" can\'t be read: expected a number',
    ],
    [
      {
        metadata: { name: 'vllm' },
        spec: { containers: [{ name: 'a', resources: { requests: { cpu: '-1' } } }] },
      },
      'Pod "vllm" can\'t be read: field spec.containers[0].resources.requests.cpu: Quantity "-1" is negative.',
    ],
    [
      { metadata: { name: 'vllm' }, spec: { containers: [], tolerations: 'all' } },
      'Pod "vllm" can\'t be read: field spec.tolerations: ',
    ],
  ])('%#: names the field it rejects', (document, message) => {
    expect(() => parsePod(document)).toThrow(message);
  });

  it('reads absent lists and maps that are null, as Go writes them', () => {
    const spec = {
      containers: [{ name: 'a', resources: null, ports: null }],
      tolerations: null,
      nodeSelector: null,
    };
    expect(parsePod({ metadata: { name: 'p', labels: null }, spec, status: null })).toMatchObject({
      tolerations: [],
      hostPorts: [],
      unjudged: [],
    });
  });

  it('takes host ports of containers and sidecars, on the host network also those of the container', () => {
    const port = { containerPort: 80, hostPort: 8080 };
    const containers = [{ name: 'a', ports: [port, { containerPort: 81 }] }];
    const initContainers = [
      { name: 'i', ports: [{ containerPort: 82, hostPort: 82 }] },
      {
        name: 's',
        restartPolicy: 'Always',
        ports: [{ containerPort: 83, hostPort: 83, hostIP: '10.0.0.1', protocol: 'UDP' }],
      },
    ];
    const read = (spec: object) => parsePod({ spec: { containers, initContainers, ...spec } }).hostPorts;
    const ports = [
      { ip: '10.0.0.1', protocol: 'UDP', port: 83 },
      { ip: '0.0.0.0', protocol: 'TCP', port: 8080 },
    ];
    expect(read({})).toEqual(ports);
    expect(read({ hostNetwork: true })).toEqual([...ports, { ip: '0.0.0.0', protocol: 'TCP', port: 81 }]);
  });

  it.each([
    [
      { topologySpreadConstraints: [{ topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] },
      'topology-spread: topology spread over zone',
    ],
    [{ affinity: { podAffinity: required } }, 'pod-affinity: required Pod affinity'],
    [{ affinity: { podAntiAffinity: required } }, 'pod-anti-affinity: required Pod anti-affinity'],
    [{ resourceClaims: [{ name: 'gpu' }] }, 'resource-claim: resource claim "gpu"'],
    [
      { volumes: [{ name: 'models', persistentVolumeClaim: { claimName: 'm' } }] },
      'volume: volume "models" from "persistentVolumeClaim"',
    ],
    [{ volumes: [{ name: 'models', ephemeral: {} }] }, 'volume: volume "models" from "ephemeral"'],
    [{ schedulerName: 'volcano' }, 'other-scheduler: scheduler "volcano"'],
    [
      { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] },
      'scheduling-gate: scheduling gate "kueue.x-k8s.io/admission"',
    ],
    [{ schedulingGroup: { podGroupName: 'train' } }, 'scheduling-group: scheduling group'],
  ])("%#: notes what it can't judge", (spec, noted) => {
    expect(unjudgedOf(spec)).toEqual([noted]);
  });

  it('passes over what keeps a Pod from no node', () => {
    expect(
      unjudgedOf({
        schedulerName: 'default-scheduler',
        topologySpreadConstraints: [{ topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
        affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{}] } },
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', configMap: { name: 'b' }, persistentVolumeClaim: null },
        ],
      }),
    ).toEqual([]);
  });
});

describe('parseNode', () => {
  it('names the field it rejects', () => {
    expect(() => parseNode({ metadata: { name: 'n' }, status: { allocatable: { memory: '80GB' } } })).toThrow(
      'Node "n" can\'t be read: field status.allocatable.memory: Quantity "80GB" can\'t be read: expected a number',
    );
    expect(() => parseNode([])).toThrow("A Node can't be read: ");
    expect(() => parseNode({ metadata: { name: 'n' }, spec: { taints: [{ key: 'a' }] } })).toThrow(
      'field spec.taints[0].effect: ',
    );
  });

  it('takes the capacity where nothing is said to be allocatable', () => {
    expect(parseNode({ metadata: { name: 'n' }, status: { capacity: { cpu: '2' } } }).allocatable).toEqual(
      new Map([['cpu', 2_000_000_000n]]),
    );
  });
});

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, sharedCluster, startCluster } from '../harness/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => cluster?.[Symbol.asyncDispose]());

/** Asks kubectl until it answers so, for at most ten seconds; its last answer is what the test then shows. */
async function eventually(args: readonly string[], expected: string | RegExp): Promise<void> {
  const limit = Date.now() + 10_000;
  for (;;) {
    const { stdout, stderr } = await cluster.kubectl(args, { mayFail: true });
    const answer = (stdout + stderr).trim();
    const is = typeof expected === 'string' ? answer === expected : expected.test(answer);
    if (!is && Date.now() < limit) {
      await wait(100);
      continue;
    }
    if (typeof expected === 'string') expect(answer).toBe(expected);
    else expect(answer).toMatch(expected);
    return;
  }
}

function pod(name: string, annotations: Record<string, string>, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: { containers: [{ name: 'app', image: 'registry.test/app:1' }], ...spec },
  };
}

async function apply(...objects: readonly object[]): Promise<void> {
  await cluster.kubectl(['apply', '--filename=-'], {
    input: { apiVersion: 'v1', kind: 'List', items: objects },
  });
}

function gpuDeployment(name: string, labels: Record<string, string>): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: { 'test.sophia.ai/logs': 'loading\nserving' } },
        spec: {
          nodeSelector: labels,
          containers: [
            { name: 'app', image: 'registry.test/app:1', resources: { limits: { 'nvidia.com/gpu': 1 } } },
          ],
        },
      },
    },
  };
}

describe('the cluster of the tests', () => {
  test('has the nodes of the plan, ready, with one GPU each and the architectures that they have', async () => {
    await eventually(
      [
        'get',
        'nodes',
        '--sort-by=.metadata.name',
        '--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.gpu} {.metadata.labels.kubernetes\\.io/arch} {.status.allocatable.nvidia\\.com/gpu} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}',
      ],
      [
        'sophia-ai-core gh200 arm64 1 True',
        'sophia-data-pipeline a100 amd64 1 True',
        'sophia-development a10 amd64 1 True',
        'sophia-mcp-orchestrator a6000 amd64 1 True',
        'sophia-production rtx6000 amd64 1 True',
      ].join('\n'),
    );
  });

  test('brings up a Deployment with a GPU on the node that it asks for, and shows its logs', async () => {
    await apply(gpuDeployment('inference', { gpu: 'a100' }));

    await cluster.kubectl(['rollout', 'status', 'deployment/inference', '--timeout=20s']);

    await eventually(
      ['get', 'pods', '--selector=app=inference', '--output=jsonpath={.items[*].spec.nodeName}'],
      'sophia-data-pipeline',
    );
    const { stdout } = await cluster.kubectl(['logs', 'deployment/inference', '--tail=1']);
    expect(stdout).toBe('serving\n');
  });

  test('says through the scheduler why a pod fits nowhere', async () => {
    await apply(
      gpuDeployment('first', { gpu: 'a6000' }),
      pod(
        'second',
        {},
        {
          nodeSelector: { gpu: 'a6000' },
          containers: [
            { name: 'app', image: 'registry.test/app:1', resources: { limits: { 'nvidia.com/gpu': 2 } } },
          ],
        },
      ),
    );

    await eventually(
      ['get', 'events', '--field-selector=involvedObject.name=second,reason=FailedScheduling'],
      /0\/5 nodes are available: .*1 Insufficient nvidia\.com\/gpu/,
    );
  });

  test('enforces a quota of GPUs', async () => {
    await cluster.kubectl(['create', 'namespace', 'capped']);
    await cluster.kubectl([
      'create',
      'quota',
      'gpus',
      '--namespace=capped',
      '--hard=requests.nvidia.com/gpu=1',
    ]);
    const two = pod(
      'two',
      {},
      {
        containers: [
          { name: 'app', image: 'registry.test/app:1', resources: { limits: { 'nvidia.com/gpu': 2 } } },
        ],
      },
    );
    await eventually(
      ['get', 'quota', 'gpus', '--namespace=capped', '--output=jsonpath={.status.used}'],
      '{"requests.nvidia.com/gpu":"0"}',
    );
    await eventually(['get', 'serviceaccount', 'default', '--namespace=capped', '--output=name'], /default/);

    const { status, stderr } = await cluster.kubectl(
      ['create', '--namespace=capped', '--dry-run=server', '--filename=-'],
      { input: two, mayFail: true },
    );

    expect(status).toBe(1);
    expect(stderr).toContain(
      'exceeded quota: gpus, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=1',
    );
  });

  test.concurrent.each([
    [
      'crash',
      '{.lastState.terminated.reason} {.lastState.terminated.exitCode} {.state.waiting.reason}',
      'Error 3 CrashLoopBackOff',
    ],
    ['oom', '{.lastState.terminated.reason} {.lastState.terminated.exitCode}', 'OOMKilled 137'],
    ['image-not-found', '{.state.waiting.reason}', 'ImagePullBackOff'],
    ['image-denied', '{.state.waiting.reason}', 'ImagePullBackOff'],
    ['config-missing', '{.state.waiting.reason}', 'CreateContainerConfigError'],
    ['unready', '{.ready} {.state.running.startedAt}', /^false 2/],
    ['hang', '{.state.waiting.reason}', 'ContainerCreating'],
    ['ready', '{.ready}', 'true'],
  ])('drives a pod into the state %s', async (state, fields, expected) => {
    await apply(
      pod(state, {
        'test.sophia.ai/state': state,
        'test.sophia.ai/exit-code': '3',
        'test.sophia.ai/back-off': '1m',
      }),
    );

    await eventually(
      ['get', 'pod', state, `--output=jsonpath={range .status.containerStatuses[0]}${fields}{end}`],
      expected,
    );
  });

  test('follows a timeline, restarts what crashed, and shows what it wrote before', async () => {
    await apply(
      pod('timeline', {
        'test.sophia.ai/state': 'ready@100ms,crash@600ms',
        'test.sophia.ai/logs': 'second try',
        'test.sophia.ai/previous-logs': 'out of luck',
      }),
    );

    await eventually(
      ['get', 'pod', 'timeline', '--output=jsonpath={.status.containerStatuses[0].restartCount}'],
      '1',
    );
    const { stdout } = await cluster.kubectl(['logs', 'timeline', '--previous']);
    expect(stdout).toBe('out of luck\n');
    await cluster.kubectl(['annotate', 'pod', 'timeline', '--overwrite', 'test.sophia.ai/state=ready']);
    await cluster.kubectl(['wait', 'pod/timeline', '--for=condition=Ready', '--timeout=10s']);
  });

  test('stops at an init container that crashes', async () => {
    await apply(
      pod(
        'init',
        { 'test.sophia.ai/state': 'crash', 'test.sophia.ai/container': 'prepare' },
        { initContainers: [{ name: 'prepare', image: 'registry.test/prepare:1' }] },
      ),
    );

    await eventually(['get', 'pod', 'init', '--no-headers'], /Init:CrashLoopBackOff/);
  });

  test('holds a pod whose Secret is missing until it is there', async () => {
    await apply(
      pod(
        'wants-secret',
        {},
        {
          containers: [
            { name: 'app', image: 'registry.test/app:1', envFrom: [{ secretRef: { name: 'late' } }] },
          ],
        },
      ),
    );
    await eventually(
      [
        'get',
        'pod',
        'wants-secret',
        '--output=jsonpath={.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}',
      ],
      'CreateContainerConfigError: secret "late" not found',
    );

    await cluster.kubectl(['create', 'secret', 'generic', 'late', '--from-literal=key=value']);

    await cluster.kubectl(['wait', 'pod/wants-secret', '--for=condition=Ready', '--timeout=10s']);
  });

  test('says why a container has no logs, and refuses what is not there', async () => {
    await apply(pod('silent', { 'test.sophia.ai/state': 'hang' }));

    await eventually(
      ['logs', 'silent'],
      'Error from server (BadRequest): container "app" in pod "silent" is waiting to start: ContainerCreating',
    );
  });

  test('ends a pod within its grace period, whatever its containers do', async () => {
    await apply(pod('stubborn', { 'test.sophia.ai/stop': '1h' }, { terminationGracePeriodSeconds: 1 }));
    await cluster.kubectl(['wait', 'pod/stubborn', '--for=condition=Ready', '--timeout=10s']);
    const begin = performance.now();

    await cluster.kubectl(['delete', 'pod', 'stubborn', '--timeout=20s']);

    expect(performance.now() - begin).toBeGreaterThan(1000);
  });

  test('has the node controller taint a node that is lost, and clear it when it is back', async () => {
    const taints = ['get', 'node', 'sophia-development', '--output=jsonpath={.spec.taints[*].key}'];
    await cluster.kubectl(['annotate', 'node', 'sophia-development', 'test.sophia.ai/node-state=lost']);
    await eventually(taints, /node\.kubernetes\.io\/unreachable/);

    await cluster.kubectl(['annotate', 'node', 'sophia-development', 'test.sophia.ai/node-state-']);

    await eventually(taints, '');
  });

  test('knows its administrator by a client certificate as well', async () => {
    const { stdout } = await cluster.kubectl([
      `--kubeconfig=${cluster.certificateKubeconfig}`,
      'auth',
      'whoami',
      '--output=jsonpath={.status.userInfo.username} {.status.userInfo.groups[0]}',
    ]);

    expect(stdout).toBe('admin system:masters');
  });

  test('gives another test nodes and flags of its own, beside the first cluster, and leaves nothing', async () => {
    let kubeconfig: string;
    {
      await using other = await startCluster({
        nodes: [
          {
            name: 'only',
            architecture: 'arm64',
            capacity: { cpu: 2, 'nvidia.com/gpu': 8 },
            taints: [{ key: 'dedicated', effect: 'NoSchedule' }],
          },
        ],
        apiserverFlags: ['--service-cluster-ip-range=10.97.0.0/16'],
      });
      kubeconfig = other.kubeconfig;

      const nodes = await other.kubectl([
        'get',
        'nodes',
        '--output=jsonpath={.items[*].metadata.name} {.items[*].status.capacity.cpu} {.items[*].spec.taints[*].key}',
      ]);
      expect(nodes.stdout).toBe('only 2 dedicated');
      const service = await other.kubectl([
        'create',
        'service',
        'clusterip',
        'some',
        '--tcp=80',
        '--output=jsonpath={.spec.clusterIP}',
      ]);
      expect(service.stdout).toMatch(/^10\.97\./);
    }
    expect(existsSync(dirname(kubeconfig))).toBe(false);
  });

  test('is not made of an existing one that something runs in', async () => {
    await cluster.kubectl(['create', 'namespace', 'production']);

    const refusal = promisify(execFile)('script/cluster', ['up', '--for', String(process.pid)], {
      env: { ...process.env, SOPHIA_CLUSTER_KUBECONFIG: cluster.kubeconfig },
    });

    await expect(refusal).rejects.toMatchObject({
      stderr: expect.stringMatching(
        /^script\/cluster: the cluster of SOPHIA_CLUSTER_KUBECONFIG is in use: it has namespace\/\w+, expected an empty one\. Name a cluster made for tests\.\n$/,
      ),
    });
  });

  test('is one for all where it is shared, until the last lets go', async () => {
    await using second = await sharedCluster();
    {
      await using first = await sharedCluster();
      expect(first.kubeconfig).toBe(second.kubeconfig);
    }

    const { stdout } = await second.kubectl([
      'get',
      'nodes',
      '--selector=gpu',
      '--output=jsonpath={.items[*].metadata.labels.gpu}',
    ]);
    expect(stdout.split(' ').toSorted()).toEqual(['a10', 'a100', 'a6000', 'gh200', 'rtx6000']);
  });
});

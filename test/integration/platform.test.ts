import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod/mini';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, startCluster } from '../harness/cluster.ts';

const overlays = ['development', 'staging', 'production'] as const;
type Overlay = (typeof overlays)[number];

/** The plan's table of nodes (name, GPU, what it is for), by what each overlay brings. */
const nodesOfThePlan: Readonly<Record<Overlay, Readonly<Record<string, string>>>> = {
  development: { backend: 'sophia-development' },
  staging: { backend: 'sophia-development' },
  production: {
    backend: 'sophia-production',
    'mcp-orchestrator': 'sophia-mcp-orchestrator',
    'data-pipeline': 'sophia-data-pipeline',
    'large-inference': 'sophia-ai-core',
  },
};

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => cluster?.[Symbol.asyncDispose]());

/** An overlay as kubectl builds it. */
async function render(overlay: Overlay): Promise<string> {
  const folder = join(import.meta.dirname, '../../platform/kubernetes/overlays', overlay);
  return (await cluster.kubectl(['kustomize', folder])).stdout;
}

/** The same with each image by a digest, that of a text which stands for its version. */
async function build(overlay: Overlay, version = 'one'): Promise<string> {
  const digest = createHash('sha256').update(version).digest('hex');
  return (await render(overlay)).replaceAll(
    /image: sophia\.invalid\/(\S+)/g,
    `image: registry.test/sophia/$1@sha256:${digest}`,
  );
}

const namespaceOf = (overlay: Overlay) => `--namespace=sophia-${overlay}`;

async function apply(manifests: string): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '--filename=-'], { input: manifests });
}

async function waitUntilAvailable(overlay: Overlay): Promise<void> {
  for (const name of Object.keys(nodesOfThePlan[overlay]))
    await cluster.kubectl(['rollout', 'status', `deployment/${name}`, namespaceOf(overlay), '--timeout=30s']);
}

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.object({
        nodeName: z.optional(z.string()),
        containers: z.array(z.object({ image: z.string() })),
      }),
    }),
  ),
});

/** Node by service, for the Pods that run. */
async function placement(overlay: Overlay): Promise<Record<string, string>> {
  const listed = [
    'get',
    'pods',
    namespaceOf(overlay),
    '--field-selector=status.phase=Running',
    '--output=json',
  ];
  const { items } = pods.parse(JSON.parse((await cluster.kubectl(listed)).stdout));
  return Object.fromEntries(
    items.map(({ metadata, spec }) => [metadata.labels['app.kubernetes.io/name'], spec.nodeName ?? '']),
  );
}

/** What the API server says to a Pod in that environment, without keeping it. */
async function askFor(overlay: Overlay, spec: object) {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'asked' }, spec };
  return cluster.kubectl(['create', '--dry-run=server', '--filename=-', namespaceOf(overlay)], {
    input: pod,
    mayFail: true,
  });
}

const restrictedPod = {
  securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
};
const restrictedContainer = {
  name: 'app',
  image: 'registry.test/app',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};

describe.for(overlays)('the manifests of %s', (overlay) => {
  test('name no quota that caps nothing and no image that could be pulled by accident', async () => {
    const stdout = await render(overlay);
    const images = [...stdout.matchAll(/image: (\S+)/g)].map(([, image]) => image);

    expect(parseAllDocuments(stdout).flatMap(({ errors }) => errors)).toEqual([]);
    expect(stdout).not.toContain('limits.nvidia.com/gpu');
    expect(images).toHaveLength(Object.keys(nodesOfThePlan[overlay]).length);
    // RFC 2606 keeps .invalid from ever being a domain.
    for (const image of images) expect(image).toMatch(/^sophia\.invalid\/[a-z-]+$/);
  });
});

describe('the environments on the fleet of the plan', () => {
  test('development runs on its node', async () => {
    await apply(await build('development'));
    await waitUntilAvailable('development');

    expect(await placement('development')).toEqual(nodesOfThePlan.development);
  });

  test('staging takes its turn on the same GPU once development has let go of it', async () => {
    await apply(await build('staging'));
    const early = await cluster.kubectl(
      ['rollout', 'status', 'deployment/backend', namespaceOf('staging'), '--timeout=2s'],
      { mayFail: true },
    );
    expect(early.status).toBe(1);
    expect(await placement('staging')).toEqual({});

    await cluster.kubectl(['scale', 'deployment/backend', '--replicas=0', namespaceOf('development')]);
    await waitUntilAvailable('staging');
    expect(await placement('staging')).toEqual(nodesOfThePlan.staging);
  });

  test('production runs each service on its node', async () => {
    await apply(await build('production'));
    await waitUntilAvailable('production');

    expect(await placement('production')).toEqual(nodesOfThePlan.production);
  });

  test('a change of every image comes to its end though no GPU of the fleet is free', async () => {
    for (const overlay of ['staging', 'production'] as const) {
      await apply(await build(overlay, 'two'));
      await waitUntilAvailable(overlay);
      expect(await placement(overlay)).toEqual(nodesOfThePlan[overlay]);
    }

    const images = await cluster.kubectl([
      'get',
      'pods',
      '--all-namespaces',
      '--output=jsonpath={.items[*].spec.containers[*].image}',
    ]);
    const digest = createHash('sha256').update('two').digest('hex');
    expect(images.stdout.split(' ').map((image) => image.split('@')[1])).toEqual(
      Array.from({ length: 5 }, () => `sha256:${digest}`),
    );
  });

  test('a second apply changes nothing', async () => {
    const before = await cluster.kubectl(['get', 'deployments', namespaceOf('production'), '--output=json']);
    await apply(await build('production', 'two'));
    const after = await cluster.kubectl(['get', 'deployments', namespaceOf('production'), '--output=json']);

    const generations = z.object({
      items: z.array(z.object({ metadata: z.object({ generation: z.int() }) })),
    });
    expect(generations.parse(JSON.parse(after.stdout))).toEqual(generations.parse(JSON.parse(before.stdout)));
  });
});

describe.for(['staging', 'production'] as const)('in %s', (overlay) => {
  test('every line of the quota is counted', async () => {
    const quota = z.object({
      spec: z.object({ hard: z.record(z.string(), z.string()) }),
      status: z.object({ used: z.record(z.string(), z.string()) }),
    });
    const gpus = String(Object.keys(nodesOfThePlan[overlay]).length);
    await vi.waitFor(
      async () => {
        // The controller counts what it had heard of when a Pod went, which may miss the one that came in its place,
        // and counts again when the quota itself is touched.
        const counted = ['resourcequota/environment', namespaceOf(overlay)];
        await cluster.kubectl([
          'annotate',
          ...counted,
          '--overwrite',
          `test.sophia.ai/counted=${Date.now()}`,
        ]);
        const { stdout } = await cluster.kubectl(['get', ...counted, '--output=json']);
        const { spec, status } = quota.parse(JSON.parse(stdout));

        expect(Object.keys(status.used).sort()).toEqual(Object.keys(spec.hard).sort());
        expect(spec.hard['requests.nvidia.com/gpu']).toBe(gpus);
        expect(status.used['requests.nvidia.com/gpu']).toBe(gpus);
      },
      { timeout: 60_000, interval: 500 },
    );
  });

  test('a Pod more than there are GPUs is refused by the name of the quota', async () => {
    const answer = await askFor(overlay, {
      ...restrictedPod,
      containers: [{ ...restrictedContainer, resources: { limits: { 'nvidia.com/gpu': 1 } } }],
    });

    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('exceeded quota: environment, requested: requests.nvidia.com/gpu=1');
  });

  test('a Service may not open a port of the nodes', async () => {
    const answer = await cluster.kubectl(
      ['create', 'service', 'nodeport', 'open', '--tcp=80', '--dry-run=server', namespaceOf(overlay)],
      { mayFail: true },
    );

    expect(answer.stderr).toContain('exceeded quota: environment, requested: services.nodeports=1');
  });

  test('a restricted Pod without a GPU is let in and given bounds, one that may be root is refused', async () => {
    const spec = { ...restrictedPod, containers: [restrictedContainer] };
    const accepted = await askFor(overlay, spec);
    const refused = await askFor(overlay, { ...spec, securityContext: { runAsUser: 0 } });

    expect(accepted.stderr).toBe('');
    expect(accepted.status).toBe(0);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
    expect(refused.stderr).toContain('runAsNonRoot != true');
  });

  test('a drain may evict the only Pod of a service', async () => {
    const budgets = z.object({
      items: z.array(
        z.object({
          metadata: z.object({ name: z.string() }),
          status: z.object({ disruptionsAllowed: z.int(), expectedPods: z.int() }),
        }),
      ),
    });
    const { stdout } = await cluster.kubectl(['get', 'pdb', namespaceOf(overlay), '--output=json']);

    expect(
      budgets
        .parse(JSON.parse(stdout))
        .items.map(({ metadata, status }) => [metadata.name, status.expectedPods, status.disruptionsAllowed]),
    ).toEqual(
      Object.keys(nodesOfThePlan[overlay])
        .sort()
        .map((name) => [name, 1, 1]),
    );
  });

  test('each service is reached by its ready Pod, and nothing else is open', async () => {
    const slices = await cluster.kubectl([
      'get',
      'endpointslices',
      namespaceOf(overlay),
      '--output=jsonpath={range .items[*]}{.metadata.labels.kubernetes\\.io/service-name} {.endpoints[*].conditions.ready} {.ports[*].port}{"\\n"}{end}',
    ]);
    const policy = await cluster.kubectl([
      'get',
      'networkpolicy/default-deny',
      namespaceOf(overlay),
      '--output=jsonpath={.spec}',
    ]);

    expect(slices.stdout.trim().split('\n').sort()).toEqual(
      Object.keys(nodesOfThePlan[overlay])
        .sort()
        .map((name) => `${name} true 8000`),
    );
    expect(JSON.parse(policy.stdout)).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  });
});

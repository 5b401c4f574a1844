import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { writeReleaseTree } from '../../script/release.ts';
import { createGithubFake, type GithubFake } from '../fakes/github/github-fake.ts';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS, runScript, startCluster } from '../harness/cluster.ts';
import { type Prometheus, startPrometheus } from '../harness/prometheus.ts';
import { runWorkflow, type WorkflowRun } from '../harness/workflow/run-workflow.ts';

const root = path.join(import.meta.dirname, '../..');
const fixtures = path.join(root, 'test/fixtures/actions');

let release: string;
let cluster: Cluster;
let github: GithubFake;
/** The PATH of the steps: the workflows run node and kubectl. */
let programs: { readonly PATH: string };
let prometheus: Prometheus;

beforeAll(async () => {
  release = await mkdtemp(path.join(tmpdir(), 'release-'));
  writeReleaseTree({ from: root, to: release, tag: 'v1.0.0' });
  cluster = await startCluster();
  const kubectl = await runScript('tools', ['kubectl']);
  const folders = [process.execPath, kubectl].map((program) => path.dirname(program));
  programs = { PATH: [...folders, process.env['PATH']].join(':') };
  await cluster.kubectl(['create', 'namespace', 'service']);
  github = await createGithubFake();
  const nowSeconds = Math.floor(Date.now() / 1000);
  prometheus = await startPrometheus({
    history: [
      {
        name: 'service_errors:ratio',
        samples: Array.from({ length: 180 }, (_, index) => ({
          timeSeconds: nowSeconds - (179 - index) * 60,
          value: 0.02,
        })),
      },
    ],
  });
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await github?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await rm(release, { recursive: true, force: true });
});

/** `owner/name@commit` of an action that the workflows name, as they name it. */
function pinned(action: string): string {
  const text = readFileSync(path.join(root, '.github/workflows/phase-rollout.yml'), 'utf8');
  const [found] = new RegExp(`${action}@[0-9a-f]{40}`).exec(text) ?? [];
  if (found === undefined) throw new Error(`phase-rollout.yml doesn't use ${action}.`);
  return found;
}

const localRepositories = () => ({
  'sophia/actions@v1': release,
  'sophia/actions@v1.0.0': release,
  [pinned('actions/upload-artifact')]: path.join(fixtures, 'upload-artifact'),
  [pinned('actions/download-artifact')]: path.join(fixtures, 'download-artifact'),
});

const imageOf = (version: string) =>
  `registry.test/service@sha256:${createHash('sha256').update(version).digest('hex')}`;

/** A service on the plan's A10: that GPU is all there is, so that a rollout has to stop the old Pod first. */
function manifests(version: string, annotations: Readonly<Record<string, string>> = {}): string {
  const objects: object[] = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { version },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'app' },
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: { app: 'app' } },
        template: {
          metadata: { labels: { app: 'app' }, annotations },
          spec: {
            nodeSelector: { gpu: 'a10' },
            containers: [{ name: 'app', image: 'service', resources: { limits: { 'nvidia.com/gpu': 1 } } }],
          },
        },
      },
    },
  ];
  if (version !== 'one')
    objects.push({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'app' },
      spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
    });
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('');
}

/** A phase that is decided by a number that Prometheus has at 0.02, and by the labels of the plan's nodes. */
function phase(query: string, most: number): string {
  return `apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: trial }
spec:
  window: { start: "2026-01-01T00:00:00Z", duration: 1h }
  evidence: { maxAge: 1h, maxClockSkew: 30s }
  dataSources:
    - { name: prom, kind: prometheus, address: "http://localhost:9090" }
    - { name: cluster, kind: cluster-snapshot, path: evidence/cluster.json }
  metrics:
    - { name: gpu-labels, dataSource: cluster, check: node-labels, target: { op: "==", value: 1, unit: ratio } }
    - name: errors
      provider: { prometheus: { dataSource: prom, query: '${query}' } }
      target: { op: "<=", value: ${most}, unit: ratio }
  decision: { require: all, onInconclusive: block }
`;
}

const caller = `
name: rollout
on:
  workflow_dispatch:
    inputs:
      mode: { type: string, default: apply }
      phase: { type: string, default: phases/lenient.yml }
      on-inconclusive: { type: string, default: keep }
      version: { type: string }
permissions: {}
jobs:
  trial:
    permissions: { contents: read, checks: write }
    uses: sophia/actions/.github/workflows/phase-rollout.yml@v1
    with:
      phase: \${{ inputs.phase }}
      environment: production
      mode: \${{ inputs.mode }}
      manifests: deploy
      images: service=\${{ inputs.version }}
      namespace: service
      on-inconclusive: \${{ inputs.on-inconclusive }}
      data-sources: prom=\${{ vars.PROMETHEUS }}
    secrets:
      KUBECONFIG: \${{ secrets.KUBECONFIG }}
  after:
    needs: trial
    runs-on: ubuntu-latest
    steps:
      - id: told
        env:
          RESULT: \${{ needs.trial.outputs.result }}
          VERDICT: \${{ needs.trial.outputs.verdict }}
        run: echo "$RESULT|$VERDICT"
`;

const deployer = `
name: deploy
on: { workflow_dispatch: { inputs: { version: { type: string } } } }
permissions: {}
jobs:
  trial:
    permissions: { contents: read }
    uses: sophia/actions/.github/workflows/deploy.yml@v1
    with:
      environment: production
      manifests: deploy
      images: service=\${{ inputs.version }}
      namespace: service
    secrets:
      KUBECONFIG: \${{ secrets.KUBECONFIG }}
  after:
    needs: trial
    runs-on: ubuntu-latest
    steps:
      - id: told
        env:
          STATUS: \${{ needs.trial.outputs.status }}
          PLACEMENT: \${{ needs.trial.outputs.placement }}
        run: echo "$STATUS $PLACEMENT"
`;

type Version = {
  readonly version: string;
  /** Of the Pods: how they fare on the simulated node. */
  readonly annotations?: Readonly<Record<string, string>>;
};

/** Runs a workflow with a version of the service; what it keeps as artifacts is in `artifacts`. */
async function run(
  text: string,
  { version, annotations = {} }: Version,
  inputs: Readonly<Record<string, string>>,
  artifacts: string,
): Promise<WorkflowRun> {
  return runWorkflow({
    workflow: { text },
    inputs: { version: imageOf(version), ...inputs },
    localRepositories: localRepositories(),
    githubApi: github,
    onCommitted: (folder) => github.state.git.git(['fetch', '--quiet', folder, 'HEAD']),
    env: { ARTIFACTS: artifacts, ...programs },
    vars: { PROMETHEUS: prometheus.url },
    secrets: { KUBECONFIG: await readFile(cluster.kubeconfig, 'utf8') },
    files: {
      'deploy/service.yaml': manifests(version, annotations),
      'phases/lenient.yml': phase('service_errors:ratio', 0.05),
      'phases/strict.yml': phase('service_errors:ratio', 0.01),
      'phases/blind.yml': phase('service_latency:seconds', 0.2),
    },
  });
}

/** Rolls a version out by the caller's workflow. */
async function roll(
  version: string,
  inputs: Readonly<Record<string, string>> = {},
  annotations: Readonly<Record<string, string>> = {},
): Promise<WorkflowRun> {
  const artifacts = await mkdtemp(path.join(tmpdir(), 'artifacts-'));
  try {
    return await run(caller, { version, annotations }, inputs, artifacts);
  } finally {
    await rm(artifacts, { recursive: true, force: true });
  }
}

/** Conclusion of each job that ran, by its id; act doesn't tell of those that were skipped. */
function jobs(run: WorkflowRun): Record<string, string> {
  const ran = run.jobs.filter(({ id }) => id !== 'trial' && id !== 'after');
  return Object.fromEntries(ran.map(({ id, conclusion }) => [id, conclusion]));
}

/** Conclusions of the check runs that validate-phase has made since they were last asked for, newest last. */
function newChecks(): readonly string[] {
  const checks = github.state.checkRuns.splice(0);
  return checks.map(({ fields }) => `${fields['name']}: ${fields['conclusion']}`);
}

const resultOf = (run: WorkflowRun) => run.step('outcome').outputs['result'];

/** What is in the namespace, by name, but for what Kubernetes itself puts there. */
async function present(): Promise<readonly string[]> {
  const kinds = 'deployments,services,configmaps,secrets';
  const { stdout } = await cluster.kubectl(['get', kinds, '--namespace=service', '--output=name']);
  return stdout
    .trim()
    .split('\n')
    .filter((name) => name !== '' && name !== 'configmap/kube-root-ca.crt')
    .sort();
}

/** The image of the Pods that serve, and the version in the settings. */
async function serving(): Promise<readonly string[]> {
  const pods = await cluster.kubectl([
    'get',
    'pods',
    '--namespace=service',
    '--output=jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}{.spec.containers[0].image}{"\\n"}{end}',
  ]);
  const settings = await cluster.kubectl([
    'get',
    'configmap/settings',
    '--namespace=service',
    '--output=jsonpath={.data.version}',
  ]);
  return [...pods.stdout.trim().split('\n'), settings.stdout];
}

const managed = z.object({
  metadata: z.object({
    managedFields: z.array(z.object({ manager: z.string(), fieldsV1: z.record(z.string(), z.unknown()) })),
  }),
});

/** Who has set an annotation of the Deployment. */
async function ownersOf(annotation: string): Promise<readonly string[]> {
  const { stdout } = await cluster.kubectl([
    'get',
    'deployment/app',
    '--namespace=service',
    '--show-managed-fields',
    '--output=json',
  ]);
  const { managedFields } = managed.parse(JSON.parse(stdout)).metadata;
  const owning = managedFields.filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes(annotation));
  return owning.map(({ manager }) => manager);
}

it('plans and touches nothing', async () => {
  const rolled = await roll('one', { mode: 'plan' });

  expect(rolled.errors).toEqual([]);
  expect(jobs(rolled)).toEqual({ plan: 'success', outcome: 'success' });
  expect(resultOf(rolled)).toBe('planned');
  expect(rolled.step('told').log).toBe('planned|\n');
  expect(rolled.conclusion).toBe('success');
  expect(rolled.step('plan').outputs['status']).toBe('planned');
  expect(await present()).toEqual([]);
});

it('applies and validates', async () => {
  const rolled = await roll('one');

  expect(rolled.errors).toEqual([]);
  expect(jobs(rolled)).toEqual({
    plan: 'success',
    apply: 'success',
    validate: 'success',
    outcome: 'success',
  });
  expect(resultOf(rolled)).toBe('validated');
  expect(rolled.step('told').log).toBe('validated|pass\n');
  expect(newChecks()).toEqual(['validate-phase / trial: success']);
  expect(rolled.conclusion).toBe('success');
  expect(await present()).toEqual(['configmap/settings', 'deployment.apps/app']);
  expect(await serving()).toEqual([imageOf('one'), 'one']);
});

it('brings back what served where the phase fails, and removes what is new', async () => {
  // Somebody else's field: it stays, and stays theirs.
  const own = ['deployment/app', '--namespace=service', '--field-manager=operator'];
  await cluster.kubectl(['annotate', ...own, 'operator.test/note=kept']);
  const rolled = await roll('two', { phase: 'phases/strict.yml' });

  expect(jobs(rolled)).toEqual({
    plan: 'success',
    apply: 'success',
    validate: 'failure',
    'roll-back': 'success',
    outcome: 'failure',
  });
  expect(rolled.step('apply').outputs['status']).toBe('deployed');
  expect(rolled.step('validate').outputs['failed-metrics']).toBe('errors');
  expect(newChecks()).toEqual(['validate-phase / trial: failure']);
  expect(resultOf(rolled)).toBe('rolled-back');
  expect(rolled.conclusion).toBe('failure');
  expect(await present()).toEqual(['configmap/settings', 'deployment.apps/app']);
  expect(await serving()).toEqual([imageOf('one'), 'one']);
  expect(await ownersOf('operator.test/note')).toEqual(['operator']);
});

it('keeps what can not be judged yet, and fails', async () => {
  const rolled = await roll('two', { phase: 'phases/blind.yml' });

  expect(jobs(rolled)).toEqual({
    plan: 'success',
    apply: 'success',
    validate: 'failure',
    outcome: 'failure',
  });
  expect(rolled.step('validate').outputs['inconclusive-metrics']).toBe('errors');
  expect(newChecks()).toEqual(['validate-phase / trial: action_required']);
  expect(resultOf(rolled)).toBe('inconclusive');
  expect(rolled.conclusion).toBe('failure');
  expect(await serving()).toEqual([imageOf('two'), 'two']);
});

it('judges again without a change', async () => {
  const rolled = await roll('two');

  expect(rolled.step('apply').outputs['status']).toBe('unchanged');
  expect(resultOf(rolled)).toBe('validated');
  expect(rolled.conclusion).toBe('success');
});

it('goes back where it can not be judged and the caller wants that', async () => {
  const rolled = await roll('three', { phase: 'phases/blind.yml', 'on-inconclusive': 'roll-back' });

  expect(rolled.step('validate').outputs['result']).toBe('inconclusive');
  expect(resultOf(rolled)).toBe('rolled-back');
  expect(rolled.conclusion).toBe('failure');
  expect(await serving()).toEqual([imageOf('two'), 'two']);
});

it('leaves the way back to gpu-deploy where the rollout itself fails', async () => {
  const rolled = await roll('three', {}, { 'test.sophia.ai/state': 'image-not-found' });

  expect(jobs(rolled)).toEqual({ plan: 'success', apply: 'failure', outcome: 'failure' });
  expect(rolled.step('apply').outputs['status']).toBe('rolled-back');
  expect(resultOf(rolled)).toBe('rolled-back');
  expect(rolled.conclusion).toBe('failure');
  expect(await serving()).toEqual([imageOf('two'), 'two']);
});

it('ends with the plan where that is refused', async () => {
  await cluster.kubectl(['cordon', 'sophia-development']);
  try {
    const rolled = await roll('three');

    expect(jobs(rolled)).toEqual({ plan: 'failure', outcome: 'failure' });
    expect(resultOf(rolled)).toBe('refused');
    expect(rolled.conclusion).toBe('failure');
    expect(await serving()).toEqual([imageOf('two'), 'two']);
  } finally {
    await cluster.kubectl(['uncordon', 'sophia-development']);
  }
});

it('takes no mode but those that there are', async () => {
  const rolled = await roll('three', { mode: 'aply' });

  expect(jobs(rolled)).toEqual({ plan: 'failure', outcome: 'failure' });
  expect(
    rolled.jobs.find(({ id }) => id === 'plan')?.steps.flatMap(({ annotations }) => annotations),
  ).toMatchObject([{ level: 'error', message: expect.stringContaining('"mode"') }]);
  expect(rolled.conclusion).toBe('failure');
});

it('shows the kubeconfig nowhere, and keeps nothing of it', async () => {
  const config = z.object({ users: z.array(z.object({ user: z.object({ token: z.string() }) })) });
  const { users } = config.parse(parse(await readFile(cluster.kubeconfig, 'utf8')));
  const token = users[0]?.user.token ?? '';
  const artifacts = await mkdtemp(path.join(tmpdir(), 'artifacts-'));
  try {
    const rolled = await run(caller, { version: 'three' }, { phase: 'phases/strict.yml' }, artifacts);
    const kept = globSync('*/*', { cwd: artifacts }).sort();

    expect(token).toMatch(/^\S{8,}$/);
    expect(
      rolled.log + rolled.jobs.flatMap(({ steps }) => steps.map(({ summary }) => summary)).join(),
    ).not.toContain(token);
    expect(kept.map((file) => path.dirname(file))).toEqual([
      'phase-rollout-before-1',
      'phase-rollout-evidence-1',
      'phase-rollout-record-1',
    ]);
    for (const file of kept) expect(readFileSync(path.join(artifacts, file), 'utf8')).not.toContain(token);
  } finally {
    await rm(artifacts, { recursive: true, force: true });
  }
});

it('deploys alone, by deploy.yml, and keeps the record', async () => {
  const artifacts = await mkdtemp(path.join(tmpdir(), 'artifacts-'));
  try {
    const deployed = await run(deployer, { version: 'four' }, {}, artifacts);
    const [name = ''] = await readdir(path.join(artifacts, 'deploy-record-production'));
    const record = JSON.parse(await readFile(path.join(artifacts, 'deploy-record-production', name), 'utf8'));

    expect(deployed.errors).toEqual([]);
    expect(deployed.conclusion).toBe('success');
    expect(deployed.step('told').log).toBe(
      'deployed [{"workload":"Deployment service/app","nodes":{"sophia-development":1}}]\n',
    );
    expect(record).toMatchObject({ kind: 'deploy', status: 'deployed' });
    expect(await serving()).toEqual([imageOf('four'), 'four']);
  } finally {
    await rm(artifacts, { recursive: true, force: true });
  }
});

it('takes the overlay of the environment when it is started by hand in this repository', async () => {
  const overlay = path.join(root, 'platform/kubernetes/overlays/production');
  const { stdout } = await cluster.kubectl(['kustomize', overlay]);
  const names = [...stdout.matchAll(/image: (\S+)/g)].flatMap(([, name]) => name ?? []);
  const platform = globSync('platform/**/*.yaml', { cwd: root });
  const start = async (mode: string) =>
    runWorkflow({
      workflow: { file: path.join(release, '.github/workflows/phase-rollout.yml') },
      inputs: {
        // By hand only numbers can be chosen; act takes what it is given.
        phase: 'phases/lenient.yml',
        environment: 'production',
        mode,
        images: names.map((name) => `${name}=${imageOf(name)}`).join('\n'),
        'data-sources': `prom=${prometheus.url}`,
      },
      localRepositories: localRepositories(),
      env: { ARTIFACTS: await mkdtemp(path.join(release, 'artifacts-')), ...programs },
      secrets: { KUBECONFIG: await readFile(cluster.kubeconfig, 'utf8') },
      files: {
        ...Object.fromEntries(platform.map((file) => [file, readFileSync(path.join(root, file), 'utf8')])),
        'phases/lenient.yml': phase('service_errors:ratio', 0.05),
      },
    });
  const planned = await start('plan');
  const namespaces = await cluster.kubectl(['get', 'namespaces', '--output=name']);
  const applied = await start('apply');

  expect(planned.errors).toEqual([]);
  expect(resultOf(planned)).toBe('planned');
  expect(namespaces.stdout).not.toContain('sophia-production');
  expect(applied.errors).toEqual([]);
  expect(resultOf(applied)).toBe('validated');
  // The plan's table of nodes.
  for (const step of [planned.step('plan'), applied.step('apply')])
    expect(placementOf(step.outputs['placement'])).toEqual({
      'Deployment sophia-production/backend': { 'sophia-production': 1 },
      'Deployment sophia-production/data-pipeline': { 'sophia-data-pipeline': 1 },
      'Deployment sophia-production/large-inference': { 'sophia-ai-core': 1 },
      'Deployment sophia-production/mcp-orchestrator': { 'sophia-mcp-orchestrator': 1 },
    });
});

const placements = z.array(z.object({ workload: z.string(), nodes: z.record(z.string(), z.number()) }));

function placementOf(json: string | undefined): Record<string, Record<string, number>> {
  const parsed = placements.parse(JSON.parse(json ?? ''));
  return Object.fromEntries(parsed.map(({ workload, nodes }) => [workload, nodes]));
}

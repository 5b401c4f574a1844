import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS } from '../harness/cluster.ts';
import {
  deployment,
  imageOf,
  openGround,
  readDeployRecord,
  readField,
  readyImages,
  runDeployStep,
  startPools,
} from './deploy-step.ts';

const validate = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../../schemas/deploy-record.v1.json'), 'utf8')),
);

const POOLS = [
  'first',
  'update',
  'deadlock',
  'auto',
  'crash',
  'none',
  'quota',
  'admission',
  'dry',
  'offline',
  'removed',
  'killed',
  'secret',
  'takeover',
  'autoscaled',
  'newer',
  'joint',
  'set',
  'again',
  'alone',
];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startPools(POOLS);
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

describe('a deployment', () => {
  it('is made, found unchanged, and changed', async () => {
    const ground = await openGround(cluster, 'first');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.annotations).toEqual([]);
    expect(first).toMatchObject({ conclusion: 'success', exitCode: 0, processesLeft: [] });
    expect(first.outputs).toMatchObject({ status: 'deployed', reason: '', message: '' });
    expect(JSON.parse(first.outputs['placement'] ?? '')).toEqual([
      { workload: `Deployment ${ground.namespace}/vllm`, nodes: { 'node-first': 1 } },
    ]);
    const record = await readDeployRecord(first);
    expect(validate(record), JSON.stringify(validate.errors)).toBe(true);
    expect(record.objects).toEqual([{ subject: `Deployment ${ground.namespace}/vllm`, change: 'created' }]);
    expect(record.workloads[0]).toMatchObject({ replicas: 1, gpusPerPod: 1, images: [imageOf('a')] });
    expect(first.summary).toContain('✅ **Deployed after');
    expect(first.summary).toContain('| `node-first` | first |');

    const version = await readField(ground, 'deployment/vllm', '.metadata.resourceVersion');
    await using second = await runDeployStep(ground, [deployment(ground)]);
    expect(second.outputs).toMatchObject({ status: 'unchanged', reason: '' });
    expect(await readField(ground, 'deployment/vllm', '.metadata.resourceVersion')).toBe(version);

    await using third = await runDeployStep(
      ground,
      [deployment(ground, { image: 'vllm', strategy: { type: 'Recreate' } })],
      { inputs: { images: `vllm=${imageOf('b')}` } },
    );
    expect(third.annotations).toEqual([]);
    expect(third.outputs).toMatchObject({ status: 'deployed' });
    expect(await readyImages(ground)).toEqual([imageOf('b')]);
  });

  it('that would be a surge deadlock is refused by name, and nothing is touched', async () => {
    const ground = await openGround(cluster, 'deadlock');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const version = await readField(ground, 'deployment/vllm', '.metadata.resourceVersion');

    await using run = await runDeployStep(ground, [deployment(ground, { image: imageOf('b') })], {
      inputs: { strategy: 'rolling' },
    });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'gpu-surge-deadlock' });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      new RegExp(`^gpu-surge-deadlock: Deployment ${ground.namespace}/vllm cannot finish: `),
    );
    expect(await readField(ground, 'deployment/vllm', '.metadata.resourceVersion')).toBe(version);
    expect(run.summary).toContain('⛔ **Refused; nothing was touched \\(gpu-surge-deadlock\\)');

    await using auto = await runDeployStep(ground, [deployment(ground, { image: imageOf('b') })]);
    expect(auto.outputs).toMatchObject({ status: 'deployed' });
    expect(await readField(ground, 'deployment/vllm', '.spec.strategy.type')).toBe('Recreate');
    expect(await readyImages(ground)).toEqual([imageOf('b')]);
  });

  it('that crashes is rolled back, with its last words saved', async () => {
    const ground = await openGround(cluster, 'crash');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });

    const broken = deployment(ground, {
      image: imageOf('b'),
      play: {
        state: 'crash@200ms',
        'previous-logs': 'RuntimeError: no kernel image is available',
        logs: 'loading',
      },
    });
    await using run = await runDeployStep(ground, [broken]);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.outputs).toMatchObject({ status: 'rolled-back', reason: 'crash-loop' });
    expect(await readyImages(ground)).toEqual([imageOf('a')]);
    // The strategy that got there goes with the rest.
    expect(await readField(ground, 'deployment/vllm', '.spec.strategy.type')).toBe('RollingUpdate');
    const record = await readDeployRecord(run);
    expect(validate(record), JSON.stringify(validate.errors)).toBe(true);
    expect(record.objects).toEqual([{ subject: `Deployment ${ground.namespace}/vllm`, change: 'restored' }]);
    expect(record.evidence.logs.flatMap(({ lines }) => lines)).toContain(
      'RuntimeError: no kernel image is available',
    );
    expect(run.log).toContain('RuntimeError: no kernel image is available');

    // What was rolled back left nothing that the next deployment would trip over.
    await using next = await runDeployStep(ground, [deployment(ground, { image: imageOf('c') })]);
    expect(next.outputs).toMatchObject({ status: 'deployed' });
    expect(await readyImages(ground)).toEqual([imageOf('c')]);
  });

  it('stays as it is where going back is off', async () => {
    const ground = await openGround(cluster, 'none');
    const broken = deployment(ground, { play: { state: 'config-missing' } });
    await using run = await runDeployStep(ground, [broken], { inputs: { rollback: 'off' } });
    expect(run.outputs).toMatchObject({ status: 'failed', reason: 'config-missing' });
    expect(await readField(ground, 'deployment/vllm', '.metadata.name')).toBe('vllm');
  });

  it('that fails at first is removed with all it made but what may hold data', async () => {
    const ground = await openGround(cluster, 'removed');
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a: 'b' } };
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'models' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    await using run = await runDeployStep(ground, [
      config,
      claim,
      deployment(ground, { play: { state: 'oom@200ms' } }),
    ]);
    expect(run.outputs).toMatchObject({ status: 'rolled-back', reason: 'oom-killed' });
    const record = await readDeployRecord(run);
    expect(
      Object.fromEntries(record.objects.map(({ subject, change }) => [subject.split(' ')[0], change])),
    ).toEqual({
      ConfigMap: 'removed',
      PersistentVolumeClaim: 'kept',
      Deployment: 'removed',
    });
  });
});

describe('the plan', () => {
  it('has the quota asked by a Pod that is never made', async () => {
    const ground = await openGround(cluster, 'quota');
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'gpus', namespace: ground.namespace },
      spec: { hard: { 'requests.nvidia.com/gpu': '0' } },
    };
    await cluster.kubectl(['apply', '--filename=-'], { input: quota });
    await using run = await runDeployStep(ground, [deployment(ground)]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'quota-exceeded' });
    expect(run.outputs['message']).toContain('gpus');
    const { stdout } = await cluster.kubectl([
      'get',
      'deployments',
      '--namespace',
      ground.namespace,
      '--output=name',
    ]);
    expect(stdout).toBe('');
  });

  it('finds room in a quota that the old Pods give back', async () => {
    const ground = await openGround(cluster, 'set');
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'gpus', namespace: ground.namespace },
      spec: { hard: { 'requests.nvidia.com/gpu': '1' } },
    };
    await cluster.kubectl(['apply', '--filename=-'], { input: quota });
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    await using second = await runDeployStep(ground, [deployment(ground, { image: imageOf('b') })]);
    expect(second.outputs).toMatchObject({ status: 'deployed' });
  });

  it('has Pod security asked as well', async () => {
    const ground = await openGround(cluster, 'admission');
    await cluster.kubectl([
      'label',
      'namespace',
      ground.namespace,
      'pod-security.kubernetes.io/enforce=restricted',
    ]);
    await using run = await runDeployStep(ground, [deployment(ground)]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'pod-create-denied' });
    expect(run.outputs['message']).toMatch(/Pod Security "restricted:latest" forbids/);
  });

  it('says what would be done, and touches nothing', async () => {
    const ground = await openGround(cluster, 'dry');
    await using run = await runDeployStep(ground, [deployment(ground)], { inputs: { 'dry-run': 'server' } });
    expect(run).toMatchObject({ conclusion: 'success' });
    expect(run.outputs).toMatchObject({ status: 'planned', reason: '' });
    expect(JSON.parse(run.outputs['placement'] ?? '')).toEqual([
      { workload: `Deployment ${ground.namespace}/vllm`, nodes: { 'node-dry': 1 } },
    ]);
    const { stdout } = await cluster.kubectl([
      'get',
      'deployments',
      '--namespace',
      ground.namespace,
      '--output=name',
    ]);
    expect(stdout).toBe('');
  });

  it('needs no cluster but what kubectl printed of one', async () => {
    const ground = await openGround(cluster, 'offline');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const { stdout } = await cluster.kubectl(['get', 'nodes,pods', '--all-namespaces', '--output=yaml']);
    const offline = (strategy: string) =>
      runDeployStep(ground, [deployment(ground, { image: imageOf('b') })], {
        files: { 'inventory.yaml': stdout },
        inputs: { 'dry-run': 'offline', inventory: 'inventory.yaml', kubeconfig: '', strategy },
      });
    await using rolling = await offline('rolling');
    expect(rolling.outputs).toMatchObject({ status: 'refused', reason: 'gpu-surge-deadlock' });
    await using auto = await offline('auto');
    expect(auto.outputs).toMatchObject({ status: 'planned' });
  });

  it('refuses two workloads that fit one by one and not together', async () => {
    const ground = await openGround(cluster, 'joint');
    await using run = await runDeployStep(ground, [deployment(ground), deployment(ground, { name: 'tgi' })]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'gpu-insufficient' });
    expect(run.outputs['message']).toContain(`beside Deployment ${ground.namespace}/`);
  });

  it('refuses what this user may not follow, rather than judge it blind', async () => {
    const ground = await openGround(cluster, 'dry');
    const inNamespace = ['--namespace', ground.namespace];
    await cluster.kubectl(['create', 'serviceaccount', 'deployer', ...inNamespace]);
    await cluster.kubectl([
      'create',
      'role',
      'deployer',
      '--verb=get,create,patch,delete',
      '--resource=deployments.apps,pods',
      ...inNamespace,
    ]);
    const subject = `--serviceaccount=${ground.namespace}:deployer`;
    await cluster.kubectl(['create', 'rolebinding', 'deployer', '--role=deployer', subject, ...inNamespace]);
    const { stdout: token } = await cluster.kubectl(['create', 'token', 'deployer', ...inNamespace]);
    const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8'));
    kubeconfig.users[0].user = { token };
    await using run = await runDeployStep(ground, [deployment(ground)], {
      inputs: { kubeconfig: JSON.stringify(kubeconfig) },
    });
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'rbac-denied' });
    const { stdout } = await cluster.kubectl(['get', 'deployments', ...inNamespace, '--output=name']);
    expect(stdout).toBe('');
  });

  it('names the label that is meant', async () => {
    const ground = await openGround(cluster, 'dry');
    await using run = await runDeployStep(ground, [deployment(ground, { selector: { gpu: 'dryy' } })]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'node-label-missing' });
    expect(run.outputs['message']).toContain('dry');
  });
});

describe('a run that is cut off', () => {
  it('leaves what a second run finishes', async () => {
    const ground = await openGround(cluster, 'killed');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const slow = deployment(ground, { image: imageOf('b'), play: { state: 'ready@4s' } });
    await using cut = await runDeployStep(ground, [slow], {
      signalAfter: { output: /0 of 1 Pods|1 of 1 Pods updated, 0 available/, send: 'SIGTERM' },
    });
    expect(cut).toMatchObject({ exitCode: 143, processesLeft: [] });
    expect(cut.annotations.at(-1)?.message).toContain('The run was canceled');
    expect(cut.outputs).toMatchObject({ status: 'failed' });
    await using second = await runDeployStep(ground, [slow]);
    expect(second.annotations).toEqual([]);
    expect(second).toMatchObject({ conclusion: 'success' });
    expect(await readyImages(ground)).toEqual([imageOf('b')]);
  });

  it('goes back behind the run that was cut off where the second run fails', async () => {
    const ground = await openGround(cluster, 'update');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const broken = deployment(ground, { image: imageOf('b'), play: { state: 'unready' } });
    await using cut = await runDeployStep(ground, [broken], {
      signalAfter: { output: /1 of 1 Pods updated, 0 available/, send: 'SIGTERM' },
    });
    expect(cut.exitCode).toBe(143);
    const worse = deployment(ground, { image: imageOf('c'), play: { state: 'crash@100ms' } });
    await using second = await runDeployStep(ground, [worse]);
    expect(second.outputs).toMatchObject({ status: 'rolled-back', reason: 'crash-loop' });
    expect(await readyImages(ground)).toEqual([imageOf('a')]);
  });

  it('goes back where the second run finds nothing to change and sees it fail', async () => {
    const ground = await openGround(cluster, 'again');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const broken = deployment(ground, { image: imageOf('b'), play: { state: 'crash@1s' } });
    await using cut = await runDeployStep(ground, [broken], {
      signalAfter: { output: /1 of 1 Pods updated, 0 available/, send: 'SIGTERM' },
    });
    expect(cut.exitCode).toBe(143);
    await using second = await runDeployStep(ground, [broken]);
    expect(second.outputs).toMatchObject({ status: 'rolled-back', reason: 'crash-loop' });
    expect(await readyImages(ground)).toEqual([imageOf('a')]);

    await using third = await runDeployStep(ground, [broken], { inputs: { rollback: 'off' } });
    expect(third.outputs).toMatchObject({ status: 'failed', reason: 'crash-loop' });
  });

  it('never says that it went back where there is nothing to go back to', async () => {
    const ground = await openGround(cluster, 'alone');
    const broken = deployment(ground, { play: { state: 'crash@100ms' } });
    await using first = await runDeployStep(ground, [broken], { inputs: { rollback: 'off' } });
    expect(first.outputs).toMatchObject({ status: 'failed', reason: 'crash-loop' });
    await using second = await runDeployStep(ground, [broken]);
    expect(second.outputs).toMatchObject({ status: 'failed', reason: 'crash-loop' });
    expect(second.outputs['message']).toContain('no earlier revision is known to have served');
  });
});

describe('what others hold', () => {
  it('is taken over from kubectl', async () => {
    const ground = await openGround(cluster, 'takeover');
    await cluster.kubectl(['apply', '--namespace', ground.namespace, '--filename=-'], {
      input: deployment(ground),
    });
    await using run = await runDeployStep(ground, [
      deployment(ground, { image: imageOf('b'), strategy: { type: 'Recreate' } }),
    ]);
    expect(run.annotations).toEqual([]);
    expect(run.outputs).toMatchObject({ status: 'deployed' });
    expect(await readyImages(ground)).toEqual([imageOf('b')]);
  });

  it('is left to what manages it', async () => {
    const ground = await openGround(cluster, 'autoscaled');
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    await cluster.kubectl(
      [
        'apply',
        '--server-side',
        '--field-manager=keda',
        '--force-conflicts',
        '--namespace',
        ground.namespace,
        '--filename=-',
      ],
      {
        input: {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'vllm' },
          spec: { replicas: 0 },
        },
      },
    );
    await using run = await runDeployStep(ground, [deployment(ground)]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'field-conflict' });
    expect(run.outputs['message']).toContain('keda');
  });

  it('supersedes: a newer deployment is not rolled back', async () => {
    const ground = await openGround(cluster, 'newer');
    const hanging = deployment(ground, { play: { state: 'hang' }, gpus: 0 });
    let isSent = false;
    await using run = await runDeployStep(ground, [hanging], {
      onOutput: (line) => {
        if (isSent || !line.includes('Pods updated')) return;
        isSent = true;
        void cluster.kubectl([
          'set',
          'image',
          'deployment/vllm',
          `vllm=${imageOf('c')}`,
          '--namespace',
          ground.namespace,
        ]);
      },
    });
    expect(run.outputs).toMatchObject({ status: 'failed', reason: 'superseded' });
    expect(await readField(ground, 'deployment/vllm', '.spec.template.spec.containers[0].image')).toBe(
      imageOf('c'),
    );
  });
});

describe('secrets', () => {
  it('are in no log, record or summary', async () => {
    const ground = await openGround(cluster, 'secret');
    const value = 'hf_verySecretToken0123456789';
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'token' },
      stringData: { token: value },
    };
    const broken = deployment(ground, {
      play: {
        state: 'crash@100ms',
        logs: `login with ${value} failed`,
        'previous-logs': `login with ${value} failed`,
      },
      env: [{ name: 'HF_TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'token' } } }],
    });
    await using run = await runDeployStep(ground, [secret, broken]);
    expect(run.outputs).toMatchObject({ status: 'rolled-back', reason: 'crash-loop' });
    const record = await readFile(run.outputs['record'] ?? '', 'utf8');
    const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8'));
    const token: string = kubeconfig.users[0].user.token;
    for (const text of [run.log, run.summary, record, JSON.stringify(run.outputs)]) {
      expect(text).not.toContain(value);
      expect(text).not.toContain(Buffer.from(value).toString('base64'));
      expect(text).not.toContain(token);
    }
    expect(record).toContain('login with *** failed');
    expect(run.masks).toContain(token);
  });
});

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS } from '../harness/cluster.ts';
import {
  type DeployStepOptions,
  deployment,
  type Ground,
  imageOf,
  openGround,
  readDeployRecord,
  runDeployStep,
  startPools,
} from './deploy-step.ts';

let cluster: Cluster;
let ground: Ground;
beforeAll(async () => {
  cluster = await startPools(['inputs', 'warned']);
  ground = await openGround(cluster, 'inputs');
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

interface WrongInput extends DeployStepOptions {
  readonly what: string;
  readonly message: string;
  /** Where the annotation points. */
  readonly at?: { readonly file: string; readonly line: number };
}

/** Told before anything is read or asked; such a run writes no record. */
const wrongValues: readonly WrongInput[] = [
  {
    what: 'no manifests',
    inputs: { manifests: '' },
    message: 'Input "manifests" is missing. Set it under "with:".',
  },
  {
    what: 'an image by its tag',
    inputs: { images: 'vllm=registry.invalid/vllm:v2' },
    message:
      'Input "images" has the line "vllm=registry.invalid/vllm:v2": it has no digest, and a tag may name another image tomorrow, expected name=registry/name@sha256:….',
  },
  {
    what: 'a part of a GPU',
    inputs: { 'gpu-count': '0.5' },
    message:
      'Input "gpu-count" is "0.5": expected a whole number from 1 to 1024; a GPU can\'t be shared by parts.',
  },
  {
    what: 'a strategy that is none',
    inputs: { strategy: 'recrate' },
    message:
      'Input "strategy" is "recrate": expected one of "auto", "rolling", "recreate". Did you mean "recreate"?',
  },
  {
    what: 'no time at all',
    inputs: { timeout: '0' },
    message: 'Input "timeout" is less than 1s: expected a time such as 90s or 10m.',
  },
  {
    what: 'a dry run that is none',
    inputs: { 'dry-run': 'ofline' },
    message:
      'Input "dry-run" is "ofline": expected one of "none", "server", "offline". Did you mean "offline"?',
  },
  {
    what: 'offline without an inventory',
    inputs: { 'dry-run': 'offline' },
    message:
      'Input "inventory" is missing, and "dry-run: offline" reads it. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
  },
  {
    what: 'an inventory that nobody reads',
    inputs: { inventory: 'inventory.yaml' },
    message: 'Input "inventory" is read with "dry-run: offline" only. Set that, or remove it.',
  },
  {
    what: 'a namespace that is no name',
    inputs: { namespace: 'Inference_Prod' },
    message:
      'Input "namespace" is "Inference_Prod": expected a name of small letters, digits and "-", at most 63 characters.',
  },
];

/** Text of a secret that was damaged on its way. */
const GARBAGE = 'YXBpVmVyc2lvbjogdjEKa2luZDogQ29u';

/** A token where the kubeconfig belongs; its dots make it no path. */
const JSON_WEB_TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkZXBsb3kifQ.c2lnbmF0dXJl';

/** Told by what they lead to; the record says the same. */
const wrongPlaces: readonly WrongInput[] = [
  {
    what: 'a path that is not there',
    inputs: { manifests: 'deploi' },
    message: 'deploi: is not there. Correct the path.',
  },
  {
    what: 'YAML that is none',
    files: { 'deploy/broken.yaml': 'kind: Pod\nmetadata: {name: a}\nspec: a: b\nstatus: {}\n' },
    message: 'deploy/broken.yaml:3: Nested mappings are not allowed in compact mappings. Correct the YAML.',
    at: { file: 'deploy/broken.yaml', line: 3 },
  },
  {
    what: 'an object without a kind',
    files: { 'deploy/broken.yaml': '# ours\napiVersion: v1\nmetadata: {name: a}\n' },
    message: 'deploy/broken.yaml:2: kind is missing. Add it.',
    at: { file: 'deploy/broken.yaml', line: 2 },
  },
  {
    what: 'a GPU that no node has',
    inputs: { gpu: 'imputs' },
    message: 'Input "gpu" is "imputs", and no node has such a GPU. Did you mean "inputs"?',
  },
  {
    what: 'an inventory that is a web page',
    files: { 'inventory.yaml': '<!DOCTYPE html>\n<html><body>502 Bad Gateway: try later</body></html>\n' },
    inputs: { 'dry-run': 'offline', inventory: 'inventory.yaml' },
    message:
      'Input "inventory" is "inventory.yaml": it is no YAML or JSON: Implicit keys need to be on a single line at line 1, column 1. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
  },
  {
    what: 'an inventory that is not there',
    inputs: { 'dry-run': 'offline', inventory: 'inventori.yaml' },
    message:
      'Input "inventory" is "inventori.yaml": it can\'t be read (ENOENT). Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
  },
  {
    what: 'an inventory with an amount that is none',
    files: {
      'inventory.yaml':
        'kind: List\nitems: [{ kind: Node, metadata: { name: n1 }, status: { allocatable: { cpu: 1KB } } }]\n',
    },
    inputs: { 'dry-run': 'offline', inventory: 'inventory.yaml' },
    message:
      'Input "inventory" is "inventory.yaml": Node "n1" can\'t be read: field status.allocatable.cpu: Quantity "1KB" can\'t be read: expected a number with one of the suffixes n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, such as 500m or 1.5Gi. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
  },
  {
    what: 'a kubeconfig that is garbage',
    inputs: { kubeconfig: GARBAGE },
    message:
      'the kubeconfig is neither the path of a file nor YAML or JSON. Give a path, or the text of a kubeconfig.',
  },
  {
    what: 'a token in place of a kubeconfig',
    inputs: { kubeconfig: JSON_WEB_TOKEN },
    message:
      'the kubeconfig is neither the path of a file nor YAML or JSON. Give a path, or the text of a kubeconfig.',
  },
  {
    what: 'a kubeconfig file that is not there',
    inputs: { kubeconfig: 'ci/kubeconfig.yaml' },
    message: 'kubeconfig ci/kubeconfig.yaml is not there. Give a path, or the text of a kubeconfig.',
  },
];

const STACK = /^\s+at .+:\d+/m;

describe('a wrong input is told in one line', () => {
  it.concurrent.for(wrongValues)('$what', async ({ message, what: _, ...options }, { expect }) => {
    await using run = await runDeployStep(ground, [deployment(ground)], options);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.annotations).toEqual([{ level: 'error', message }]);
    expect(run.log).toBe(`##[error]${message}`);
  });

  it.concurrent.for(wrongPlaces)('$what', async ({ message, at, what: _, ...options }, { expect }) => {
    await using run = await runDeployStep(ground, [deployment(ground)], options);
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.annotations).toEqual([{ level: 'error', message, ...at }]);
    expect(run.log).not.toMatch(STACK);
    expect(run.outputs).toMatchObject({ status: 'failed', reason: '', message, placement: '[]' });
    const record = await readFile(run.outputs['record'] ?? '', 'utf8');
    for (const text of [run.rawLog.replace(/^::add-mask::.*$/gm, ''), run.summary, record]) {
      expect(text).not.toContain(GARBAGE);
      expect(text).not.toContain(JSON_WEB_TOKEN);
    }
  });

  it('a context that is not there', async () => {
    const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8'));
    const [{ context }] = kubeconfig.contexts;
    kubeconfig.contexts = ['staging', 'production'].map((name) => ({ name, context }));
    await using run = await runDeployStep(ground, [deployment(ground)], {
      inputs: { kubeconfig: JSON.stringify(kubeconfig), context: 'prodction' },
    });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      /^the kubeconfig has no context "prodction": expected one of "production"/,
    );
    expect(run.log).not.toContain(kubeconfig.users[0].user.token);
  });

  it('a namespace that is not there', async () => {
    await using run = await runDeployStep(ground, [deployment(ground)], {
      inputs: { namespace: 'inferense' },
    });
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1 });
    const message =
      'Deployment inferense/vllm is refused: namespace inferense is not there. Run kubectl create namespace inferense, or add it to the manifests.';
    expect(run.annotations).toEqual([
      {
        level: 'error',
        message: `dependency-missing: ${message}\nWritten in deploy/all.yaml, document 1, line 1.`,
      },
    ]);
    expect(run.outputs).toMatchObject({ status: 'refused', reason: 'dependency-missing', message });
    expect((await readDeployRecord(run)).objects).toEqual([
      { subject: 'Deployment inferense/vllm', change: 'planned' },
    ]);
  });
});

describe('what may be a mistake is warned of, and the rest is done', () => {
  it('an image that nothing uses, and an input that does not exist', async () => {
    const warned = await openGround(cluster, 'warned');
    await using run = await runDeployStep(warned, [deployment(warned)], {
      inputs: { images: `tgi=${imageOf('b')}`, 'gpu-cuont': '1' },
    });
    expect(run).toMatchObject({ conclusion: 'success', exitCode: 0 });
    expect(run.outputs).toMatchObject({ status: 'deployed', reason: '', message: '' });
    // The first is the runner's own.
    expect(run.annotations).toEqual([
      { level: 'warning', message: expect.stringMatching(/^Unexpected input\(s\) 'gpu-cuont', valid/) },
      {
        level: 'warning',
        message: 'Input "gpu-cuont" does not exist and is ignored. Did you mean "gpu-count"?',
      },
      {
        level: 'warning',
        message: 'Input "images" names "tgi", and no manifest has such an image. Nothing was replaced by it.',
      },
    ]);
    const [workload] = (await readDeployRecord(run)).workloads;
    expect(workload?.images).toEqual([imageOf('a')]);
  });
});

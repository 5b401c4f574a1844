import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { DeployRecord } from '@sophia/records';
import { stringify } from 'yaml';
import { type Cluster, type SimulatedNode, startCluster } from '../harness/cluster.ts';
import { type ActionRun, type RunActionOptions, runAction } from '../harness/runner/run-action.ts';
import { createWorkspace } from './build-step.ts';

/** The folder of the action whose bundle these tests run. */
const DEPLOY_FOLDER = path.join(import.meta.dirname, '../../actions/gpu-deploy');

/** What a container image is called where nothing is pulled. */
export const imageOf = (letter: string): string =>
  `registry.invalid/inference/vllm@sha256:${letter.repeat(64)}`;

/** A pool of nodes that only one test uses, and a namespace of its own. */
export interface Ground {
  readonly pool: string;
  readonly namespace: string;
  readonly cluster: Cluster;
}

/** A cluster whose nodes come in pools, each for one test: nobody waits for another's GPU. */
export async function startPools(names: readonly string[], gpus = 1): Promise<Cluster> {
  const nodes = names.map(
    (name): SimulatedNode => ({
      name: `node-${name}`,
      capacity: { cpu: 8, memory: '32Gi', 'nvidia.com/gpu': gpus },
      labels: { gpu: name },
    }),
  );
  return startCluster({ nodes });
}

export async function openGround(cluster: Cluster, pool: string): Promise<Ground> {
  const namespace = `${pool}-${randomUUID().slice(0, 6)}`;
  await cluster.kubectl(['create', 'namespace', namespace]);
  return { pool, namespace, cluster };
}

export interface DeploymentOptions {
  readonly name?: string;
  readonly image?: string;
  readonly replicas?: number;
  readonly gpus?: number;
  /** State that the simulated kubelet plays, and its other annotations. */
  readonly play?: Readonly<Record<string, string>>;
  readonly strategy?: unknown;
  readonly selector?: Readonly<Record<string, string>>;
  readonly env?: readonly unknown[];
  readonly pod?: Readonly<Record<string, unknown>>;
  readonly container?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** A Deployment on the pool of a test. */
export function deployment({ pool }: Ground, options: DeploymentOptions = {}): object {
  const { name = 'vllm', image = imageOf('a'), replicas = 1, gpus = 1, play = {} } = options;
  const annotations = Object.fromEntries(
    Object.entries(play).map(([key, value]) => [`test.sophia.ai/${key}`, value]),
  );
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
      ...options.spec,
      template: {
        metadata: { labels: { app: name }, annotations },
        spec: {
          nodeSelector: options.selector ?? { gpu: pool },
          terminationGracePeriodSeconds: 2,
          ...options.pod,
          containers: [
            {
              name: 'vllm',
              image,
              ...(options.env === undefined ? {} : { env: options.env }),
              resources: { limits: gpus === 0 ? { cpu: '1' } : { 'nvidia.com/gpu': gpus } },
              ...options.container,
            },
          ],
        },
      },
    },
  };
}

export interface DeployStepOptions extends Omit<RunActionOptions, 'actionFolder' | 'workspace'> {
  readonly files?: Readonly<Record<string, string>>;
}

/** Runs the bundle on these objects, as a workflow would, with the test cluster's kubeconfig as a secret's text. */
export async function runDeployStep(
  { cluster, namespace }: Ground,
  objects: readonly object[],
  { files, inputs, ...rest }: DeployStepOptions = {},
): Promise<ActionRun> {
  await using workspace = await createWorkspace({
    'deploy/all.yaml': objects.map((object) => stringify(object)).join('---\n'),
    ...files,
  });
  const kubeconfig = await readFile(cluster.kubeconfig, 'utf8');
  return await runAction({
    ...rest,
    actionFolder: DEPLOY_FOLDER,
    workspace: workspace.path,
    inputs: { manifests: 'deploy', namespace, kubeconfig, timeout: '60s', ...inputs },
  });
}

export async function readDeployRecord(run: ActionRun): Promise<DeployRecord> {
  return JSON.parse(await readFile(run.outputs['record'] ?? 'no record was written', 'utf8'));
}

/** A field of what the API holds, by kubectl's JSONPath. */
export async function readField(
  { cluster, namespace }: Ground,
  what: string,
  jsonPath: string,
): Promise<string> {
  const { stdout } = await cluster.kubectl([
    'get',
    what,
    '--namespace',
    namespace,
    `--output=jsonpath={${jsonPath}}`,
  ]);
  return stdout;
}

/** Pods of the namespace that are ready, by image. */
export async function readyImages({ cluster, namespace }: Ground): Promise<readonly string[]> {
  const { stdout } = await cluster.kubectl([
    'get',
    'pods',
    '--namespace',
    namespace,
    '--output=jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}{.spec.containers[0].image}{"\\n"}{end}',
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Cluster, startCluster } from '../../test/harness/cluster.ts';
import { type ActionRun, runAction } from '../../test/harness/runner/run-action.ts';
import { type Act, DemoError, type Stage } from './act.ts';
import { nameImage, type PipelineRun, shortId } from './pipeline-run.ts';

const gpuDeploy = path.join(import.meta.dirname, '../../actions/gpu-deploy');
const NAMESPACE = 'demo';

/** The service as it would run on the fleet: one Pod, and the only GPU of its kind. */
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: python-api, namespace: ${NAMESPACE} }
spec:
  replicas: 1
  selector: { matchLabels: { app: python-api } }
  template:
    metadata: { labels: { app: python-api } }
    spec:
      containers:
        - name: api
          image: python-api
          resources: { limits: { nvidia.com/gpu: 1 } }
`;

type Deployment = {
  readonly title: string;
  readonly image: PipelineRun;
  readonly inputs: Readonly<Record<string, string>>;
  /** What the demo shows; anything else is a defect of it. */
  readonly status: string;
};

/**
 * The image goes to the simulated fleet of the plan: once well, once into a rolling update that would wait for itself
 * and is refused by name, and once more by the strategy that can end.
 */
export const deployImages: Act = async (stage) => {
  const [first, second] = stage.runs.filter(({ example }) => example === 'python-api');
  if (first === undefined || second === undefined) throw new TypeError('python-api was not built twice.');
  await using cluster = await stage.progress.during('a Kubernetes control plane with the five nodes', () =>
    startCluster(),
  );
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
  const deployments: readonly Deployment[] = [
    { title: 'the first image', image: first, inputs: {}, status: 'deployed' },
    {
      title: 'the next one, by a rolling update, though the only A100 is taken',
      image: second,
      inputs: { strategy: 'rolling' },
      status: 'refused',
    },
    { title: 'the next one, by a strategy that can end', image: second, inputs: {}, status: 'deployed' },
  ];
  for (const deployment of deployments) {
    const name = `python-api at ${shortId(deployment.image.commit)} to the A100`;
    const run = await stage.progress.during(name, () => deploy(cluster, deployment));
    const summary = await keep(run, deployment, stage);
    stage.show(`## Deploying ${deployment.title}\n\n${summary}`);
  }
  return stage;
};

type Kept = {
  readonly summary: string;
  readonly status: string;
  readonly record: string;
  readonly log: string;
};

async function deploy(cluster: Cluster, { image, inputs }: Deployment): Promise<Kept> {
  const workspace = await mkdtemp(path.join(tmpdir(), 'demo-deploy-'));
  try {
    await writeFile(path.join(workspace, 'python-api.yaml'), manifest);
    await using run: ActionRun = await runAction({
      actionFolder: gpuDeploy,
      workspace,
      inputs: {
        manifests: 'python-api.yaml',
        images: `python-api=${nameImage(image)}@${image.record.image?.digest ?? ''}`,
        gpu: 'a100',
        kubeconfig: cluster.kubeconfig,
        timeout: '60s',
        ...inputs,
      },
    });
    const file = run.outputs['record'];
    return {
      summary: run.summary,
      status: run.outputs['status'] ?? 'nothing',
      record: file === undefined ? '' : await readFile(file, 'utf8'),
      log: run.log,
    };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function keep(run: Kept, { image, status }: Deployment, { resultsFolder }: Stage): Promise<string> {
  const place = path.join(resultsFolder, `deploy-${shortId(image.commit)}-${run.status}`);
  await Promise.all([
    writeFile(`${place}.log`, `${run.log}\n`),
    writeFile(`${place}.json`, run.record),
    writeFile(`${place}.md`, run.summary),
  ]);
  if (run.status === status) return run.summary;
  throw new DemoError(
    `Deploying python-api at ${shortId(image.commit)} came to "${run.status}", expected "${status}". Its log is ${place}.log.`,
  );
}

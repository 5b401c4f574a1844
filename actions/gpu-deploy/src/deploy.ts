import {
  type ActionRun,
  attempt,
  findUnknownInputs,
  InputError,
  isOutsideError,
  messageOf,
  quoteValue,
  type RunContext,
  type Runner,
  writeRecordFile,
} from '@sophia/action';
import type { Cluster, Manifest } from '@sophia/kubernetes';
import type { DeployRecord } from '@sophia/records';
import { renderDeploySummary, renderDeployVerdict } from '@sophia/report';
import { type Carried, carryOut } from './carry-out.ts';
import { inputTable, type OutputName } from './inputs.generated.ts';
import type { DeployInputs } from './inputs.ts';
import { type DeployPlan, isRefusal } from './plan.ts';
import { planOffline, readInventory } from './plan-offline.ts';
import { planOnCluster, readNodes } from './plan-on-cluster.ts';
import type { ImageReader } from './read-images.ts';
import type { ReadObjects } from './read-objects.ts';
import { findGpuSelector, requestGpus } from './request-gpus.ts';
import { secretValuesOf } from './save-evidence.ts';
import { inNamespace, placeInNamespaces, surveyCluster } from './survey-cluster.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { type DeployFindings, renderStrategy, toDeployRecord } from './to-deploy-record.ts';

/** The outside of one deployment. */
export type DeployEdges = ActionRun<OutputName> & {
  readonly context: RunContext;
  /** The objects of the manifests, with their images replaced. */
  readonly readObjects: (
    inputs: DeployInputs,
    how: { readonly signal: AbortSignal; readonly log: (line: string) => void },
  ) => Promise<ReadObjects>;
  readonly connect: (target: {
    readonly kubeconfig: string;
    readonly context: string;
    readonly log: (line: string) => void;
    readonly mask: (secret: string) => void;
  }) => Promise<Cluster>;
  readonly images: ImageReader;
};

/** The parts of a record as far as they are known; what stops a deployment leaves the rest as it is here. */
type Progress = Pick<
  DeployFindings,
  'namespace' | 'plan' | 'also' | 'rollouts' | 'placement' | 'taken' | 'evidence'
> & {
  readonly planMs: number;
};

const NOTHING: Progress = {
  namespace: '',
  plan: undefined,
  also: [],
  rollouts: [],
  placement: [],
  taken: [],
  evidence: { events: [], logs: [] },
  planMs: 0,
};

/** Plans, carries out what can work, and tells. The one error it ends with is the cause, by its code. */
export async function deploy(inputs: DeployInputs, edges: DeployEdges): Promise<void> {
  const startedAtMs = Date.now();
  const startMs = performance.now();
  const runnerLater = edges.loadRunner();
  const log = (line: string) => void runnerLater.then((runner) => runner.info(line));
  const reading = edges.readObjects(inputs, { signal: edges.signal, log });
  // It is awaited below; until then its failure is nobody's.
  reading.catch(() => undefined);
  const runner = await runnerLater;
  for (const problem of findUnknownInputs(inputTable, edges.environment)) {
    runner.annotate({ level: 'warning', message: problem });
  }
  const timeline = createTimeline(() => performance.now(), runner.info);
  const run: DeployRun = { inputs, edges, runner, timeline, reading, progress: NOTHING };
  const ended = await endOf(run);
  const record = toDeployRecord({
    inputs,
    context: edges.context,
    startedAtMs,
    durationMs: performance.now() - startMs,
    outcome: ended.outcome,
    timeline: [...timeline.entries()],
    ...run.progress,
  });
  await report(record, run);
  if (ended.error !== undefined) throw ended.error;
}

/** One deployment under way. */
export type DeployRun = {
  readonly inputs: DeployInputs;
  readonly edges: DeployEdges;
  readonly runner: Runner<OutputName>;
  readonly timeline: Timeline;
  readonly reading: Promise<ReadObjects>;
  progress: Progress;
};

type Ended = { readonly outcome: DeployFindings['outcome']; readonly error: unknown };

/** Runs it to its end, whatever that is. What isn't known here is thrown on, when the record is written. */
async function endOf(run: DeployRun): Promise<Ended> {
  try {
    const outcome = await planAndCarryOut(run);
    const isWell =
      outcome.status === 'deployed' || outcome.status === 'unchanged' || outcome.status === 'planned';
    return { outcome, error: isWell ? undefined : new InputError(toError(outcome)) };
  } catch (error) {
    if (run.edges.signal.aborted) {
      const message =
        'The run was canceled. What was applied stays, and the rollout goes on in the cluster; run it again to finish it.';
      return { outcome: { status: 'canceled', finding: undefined, message }, error: new InputError(message) };
    }
    const message =
      isOutsideError(error) || error instanceof InputError ? messageOf(error) : 'A bug in gpu-deploy.';
    return { outcome: { status: 'failed', finding: undefined, message: firstLine(message) }, error };
  }
}

function toError({ status, finding, message }: DeployFindings['outcome']): string {
  const details = finding?.details ?? [];
  const head = finding === undefined ? message : `${finding.code}: ${message}`;
  const words = status === 'rolled-back' ? ' Rolled back.' : '';
  return [`${head}${words}`, ...details].join('\n');
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

async function planAndCarryOut(run: DeployRun): Promise<DeployFindings['outcome']> {
  const { target } = run.inputs;
  if (target.kind === 'inventory') return planByInventory(run, target.path);
  const { edges, runner, timeline, inputs } = run;
  const startMs = performance.now();
  const cluster = await edges.connect({
    kubeconfig: target.kubeconfig,
    context: target.context,
    log: runner.info,
    mask: runner.mask,
  });
  const manifests = await placeInNamespaces(
    cluster,
    await readMasked(run),
    inputs.namespace || cluster.namespace,
  );
  run.progress = { ...run.progress, namespace: inputs.namespace || cluster.namespace };
  using watching = stoppable(edges.signal);
  const view = await surveyCluster(
    cluster,
    manifests.map(({ object }) => object),
    watching.signal,
  );
  const plan = await runner.group('Plan', async () => {
    const selector = findGpuSelector(inputs.gpu, readNodes(view));
    const made = await planOnCluster({
      cluster,
      view,
      manifests: requestGpus(manifests, { selector, count: inputs.gpuCount }),
      strategy: inputs.strategy,
      images: edges.images,
      signal: edges.signal,
    });
    for (const note of made.notes) timeline.note(`The plan knows less: ${note}`);
    tellPlan(made, timeline);
    return made;
  });
  run.progress = { ...run.progress, plan, placement: plan.placement, planMs: performance.now() - startMs };
  const refusal = plan.findings.find(isRefusal);
  if (refusal !== undefined) return { status: 'refused', finding: refusal, message: refusal.message };
  if (target.isDryRun) return { status: 'planned', finding: undefined, message: '' };
  const carried: Carried = await carryOut({
    cluster,
    view,
    plan,
    inputs,
    images: edges.images,
    runner,
    timeline,
    signal: edges.signal,
  });
  const { outcome, ...rest } = carried;
  run.progress = { ...run.progress, ...rest };
  return outcome;
}

async function planByInventory(run: DeployRun, path: string): Promise<DeployFindings['outcome']> {
  const { inputs, edges, runner, timeline } = run;
  const startMs = performance.now();
  const [inventory, read] = await Promise.all([readInventory(path), readMasked(run)]);
  const namespace = inputs.namespace || 'default';
  const manifests = read.map((manifest) => inNamespace(manifest, namespace));
  const selector = findGpuSelector(inputs.gpu, inventory.nodes);
  const plan = await runner.group('Plan', async () => {
    const made = await planOffline(requestGpus(manifests, { selector, count: inputs.gpuCount }), inventory, {
      strategy: inputs.strategy,
      images: edges.images,
      signal: edges.signal,
    });
    tellPlan(made, timeline);
    return made;
  });
  const planMs = performance.now() - startMs;
  run.progress = { ...run.progress, namespace, plan, placement: plan.placement, planMs };
  const refusal = plan.findings.find(isRefusal);
  if (refusal !== undefined) return { status: 'refused', finding: refusal, message: refusal.message };
  return { status: 'planned', finding: undefined, message: '' };
}

/** The objects, once the values of their Secrets are hidden from the log. */
async function readMasked({ reading, runner }: DeployRun): Promise<readonly Manifest[]> {
  const { manifests, unused } = await reading;
  if (unused.length > 0) {
    const message = `Input "images" names ${unused.map((name) => quoteValue(name)).join(', ')}, and no manifest has such an image. Nothing was replaced by it.`;
    runner.annotate({ level: 'warning', message });
  }
  for (const value of secretValuesOf(manifests.map(({ object }) => object))) runner.mask(value);
  return manifests;
}

/** A signal of its own that ends with the given one, or when it is let go of. */
function stoppable(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const own = new AbortController();
  return {
    signal: AbortSignal.any([signal, own.signal]),
    [Symbol.dispose]: () => own.abort(),
  };
}

function tellPlan(plan: DeployPlan, { note }: Timeline): void {
  for (const [index, { plan: workload }] of plan.workloads.entries()) {
    const places = [...(plan.placement[index] ?? [])]
      .map(([node, count]) => `${count} on ${node}`)
      .join(', ');
    const strategy = workload.strategy === undefined ? '' : `, ${renderStrategy(workload.strategy)}`;
    const reason = workload.strategyReason === '' ? '' : `: ${workload.strategyReason}`;
    note(
      `${workload.subject}: ${workload.replicas} ${workload.replicas === 1 ? 'Pod' : 'Pods'}${places === '' ? '' : ` (${places})`}${strategy}${reason}`,
    );
  }
  for (const finding of plan.findings) note(`${finding.class} ${finding.code}: ${finding.message}`);
}

async function report(record: DeployRecord, { runner, edges }: DeployRun): Promise<void> {
  const status = record.status === 'canceled' ? 'failed' : record.status;
  const placement = record.workloads.map(({ subject, placement: nodes }) => ({ workload: subject, nodes }));
  runner.setOutputs({
    status,
    reason: record.reason,
    message: record.message,
    placement: JSON.stringify(placement),
  });
  const lossOf = (what: string) => `The deployment's ${what} was not written`;
  runner.info(renderDeployVerdict(record));
  const path = await attempt(runner, lossOf('record'), () =>
    writeRecordFile('deploy', record, edges.context.temporaryFolder),
  );
  if (path !== undefined) runner.setOutputs({ record: path });
  await attempt(runner, lossOf('step summary'), () => runner.appendSummary(renderDeploySummary(record)));
}

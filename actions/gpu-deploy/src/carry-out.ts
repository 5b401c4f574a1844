import { isOutsideError, messageOf, type Runner } from '@sophia/action';
import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import type { Finding } from '@sophia/rollout';
import { type AppliedObject, applyObjects } from './apply-objects.ts';
import type { ClusterView } from './cluster-view.ts';
import {
  type FollowedRollout,
  type Following,
  followRollouts,
  type RolloutTarget,
} from './follow-rollouts.ts';
import type { OutputName } from './inputs.generated.ts';
import type { DeployInputs } from './inputs.ts';
import { COMPLETED_ANNOTATION } from './last-good.ts';
import type { ClusterPlan } from './plan-on-cluster.ts';
import { isOwnedBy } from './plan-on-cluster.ts';
import { createObjectReader } from './read-asked-objects.ts';
import type { ImageReader } from './read-images.ts';
import { restoreStrategies, rollBack, type TakenBack, toFollow } from './roll-back.ts';
import { type Evidence, saveEvidence, secretValuesOf } from './save-evidence.ts';
import type { Watched } from './survey-cluster.ts';
import type { Timeline } from './timeline.ts';
import type { DeployFindings } from './to-deploy-record.ts';
import { toRefusal } from './try-objects.ts';
import { isWorkload } from './workload.ts';

/** A plan that can work, and all it takes to carry it out. */
export type Carrying = {
  readonly cluster: Cluster;
  readonly view: ClusterView<Watched>;
  readonly plan: ClusterPlan;
  readonly inputs: DeployInputs;
  readonly images: ImageReader;
  readonly runner: Runner<OutputName>;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
};

/** What came of it, for the record. */
export type Carried = Pick<
  DeployFindings,
  'outcome' | 'also' | 'rollouts' | 'placement' | 'taken' | 'evidence'
>;

const NO_EVIDENCE: Evidence = { events: [], logs: [] };

/** Applies the plan, follows the rollouts to their verdict and, where that is a failure, goes back. */
export async function carryOut(carrying: Carrying): Promise<Carried> {
  const { plan, runner } = carrying;
  const applied: AppliedObject[] = [];
  const failure = await runner.group('Apply', () => applyAll(carrying, applied));
  if (failure !== undefined) return fail(failure, [], [], applied, carrying);
  const targets = toTargets(plan, applied);
  const following = toFollowing(carrying, applied);
  const { outcome, rollouts } = await runner.group('Roll out', () => followRollouts(targets, following));
  if (outcome.kind !== 'complete') {
    const { finding, also } = outcome;
    return fail(finding, also, rollouts, applied, carrying, outcome.kind === 'superseded');
  }
  await sealRevisions(rollouts, carrying);
  const isChanged = plan.objects.some(({ change }) => change !== 'unchanged');
  return {
    outcome: { status: isChanged ? 'deployed' : 'unchanged', finding: undefined, message: '' },
    also: [],
    rollouts,
    placement: placementOf(carrying, rollouts),
    taken: [],
    evidence: NO_EVIDENCE,
  };
}

/** @returns Why a write was refused; undefined where all were taken. */
async function applyAll(
  { cluster, plan, timeline, signal }: Carrying,
  applied: AppliedObject[],
): Promise<Finding | undefined> {
  const changed = plan.objects.filter(({ change }) => change !== 'unchanged');
  if (changed.length === 0) timeline.note('Nothing to change');
  try {
    await applyObjects(changed, {
      cluster,
      signal,
      note: timeline.note,
      onApplied: (object) => applied.push(object),
    });
    return undefined;
  } catch (error) {
    if (signal.aborted || !isOutsideError(error)) throw error;
    const subject = error.operation.replace(/^(?:apply|patch) /, '');
    const known = toRefusal(error, subject, undefined);
    return { ...(known ?? unknownFailure(subject, messageOf(error))), class: 'failed' };
  }
}

function unknownFailure(subject: string, message: string): Finding {
  return {
    code: 'unknown',
    class: 'failed',
    subject,
    message,
    details: [],
    nodes: [],
    container: undefined,
  };
}

function toTargets(plan: ClusterPlan, applied: readonly AppliedObject[]): readonly RolloutTarget[] {
  return plan.objects
    .filter(({ object }) => isWorkload(object))
    .map(({ key, before }) => {
      const written = applied.find(({ planned }) => planned.key === key);
      return {
        key,
        generation: (written?.after ?? before)?.metadata.generation ?? 1,
        appliedMs: written?.answeredMs ?? Date.now(),
        written: written?.after,
      };
    });
}

function toFollowing(carrying: Carrying, applied: readonly AppliedObject[]): Following {
  const { cluster, view, images, plan, inputs, timeline, signal } = carrying;
  return {
    view,
    images,
    objects: createObjectReader(cluster),
    hasAutoscaler: plan.hasAutoscaler,
    timeoutMs: inputs.timeoutMs,
    clockAheadMs: findClockDifference(applied),
    note: timeline.note,
    readNow: (key) => cluster.read(key, signal),
    signal,
  };
}

/** Times of objects are whole seconds, so a smaller difference can't be told from none. */
const LEAST_DIFFERENCE_MS = 2_000;

/** How far the cluster's clock is ahead of this machine's, from the times it gave to our own writes. */
function findClockDifference(applied: readonly AppliedObject[]): number {
  const differences = applied.flatMap(({ after, answeredMs }) => {
    const times = fieldTimesOf(after).filter((time) => Number.isFinite(time));
    return times.length === 0 ? [] : [Math.max(...times) + 500 - answeredMs];
  });
  const ahead = Math.max(...differences);
  return Number.isFinite(ahead) && Math.abs(ahead) > LEAST_DIFFERENCE_MS ? ahead : 0;
}

function fieldTimesOf({ metadata }: KubernetesObject): readonly number[] {
  const entries = metadata['managedFields'];
  if (!Array.isArray(entries)) return [];
  return entries.map((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'time' in entry && typeof entry.time === 'string'
      ? Date.parse(entry.time)
      : Number.NaN,
  );
}

async function fail(
  finding: Finding,
  also: readonly Finding[],
  rollouts: readonly FollowedRollout[],
  applied: readonly AppliedObject[],
  carrying: Carrying,
  isSuperseded = false,
): Promise<Carried> {
  const { view, inputs, runner, cluster, plan, signal, timeline } = carrying;
  const evidence = await saveEvidence({
    cluster,
    events: view.objectsOf('events'),
    finding,
    pods: rollouts.flatMap(({ assessment }) => assessment?.newPods ?? []),
    redact: createRedaction(secretValuesOf(plan.objects.map(({ object }) => object))),
    signal,
  });
  for (const { pod, container, lines } of evidence.logs) {
    await runner.group(`Last lines of ${pod}/${container}`, async () => {
      for (const line of lines) runner.info(line);
    });
  }
  const failed = { also, rollouts, evidence, placement: placementOf(carrying, rollouts) };
  const done = (status: 'failed' | 'rolled-back', message: string, taken: readonly TakenBack[]) => ({
    ...failed,
    taken,
    outcome: { status, finding, message },
  });
  if (isSuperseded || inputs.rollback === 'off') return done('failed', finding.message, []);
  const taken: TakenBack[] = [];
  const broken = await runner.group('Roll back', () => goBack(applied, carrying, taken));
  if (broken === undefined) return done('rolled-back', finding.message, taken);
  timeline.note(broken);
  return done('failed', `${finding.message} Going back failed as well: ${broken}`, taken);
}

/** Workloads that were as wanted already, and may be in the middle of the rollout that a canceled run began. */
function toUnchanged(plan: ClusterPlan): readonly AppliedObject[] {
  return plan.objects.flatMap((planned) => {
    const { before, change, object } = planned;
    if (before === undefined || change !== 'unchanged' || !isWorkload(object)) return [];
    return [{ planned, after: before, answeredMs: Date.now() }];
  });
}

/** @returns Why it failed; undefined where what was there before serves again. */
async function goBack(
  applied: readonly AppliedObject[],
  carrying: Carrying,
  taken: TakenBack[],
): Promise<string | undefined> {
  const { cluster, view, timeline, signal } = carrying;
  try {
    const back = await rollBack([...applied, ...toUnchanged(carrying.plan)], {
      cluster,
      replicaSets: view.objectsOf('ReplicaSet'),
      note: timeline.note,
      signal,
    });
    taken.push(...back);
    if (back.length === 0) return 'nothing was changed, and no earlier revision is known to have served.';
    const targets = toFollow(back).map(({ planned, after, answeredMs }) => ({
      key: planned.key,
      generation: after?.metadata.generation ?? 1,
      appliedMs: answeredMs,
      written: after,
    }));
    const { outcome } = await followRollouts(targets, toFollowing(carrying, []));
    if (outcome.kind !== 'complete') return `${outcome.finding.code}: ${outcome.finding.message}`;
    await restoreStrategies(back, cluster, signal);
    return undefined;
  } catch (error) {
    if (signal.aborted || !isOutsideError(error)) throw error;
    return messageOf(error);
  }
}

function createRedaction(values: readonly string[]): (text: string) => string {
  const longestFirst = values.toSorted((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((line, value) => line.replaceAll(value, '***'), text);
}

/** Where the Pods of each workload run now. */
function placementOf(
  { view, plan }: Carrying,
  rollouts: readonly FollowedRollout[],
): readonly ReadonlyMap<string, number>[] {
  const pods = view.objectsOf('pods');
  return plan.workloads.map(({ planned }) => {
    const followed = rollouts.find(({ target }) => target.key === planned.key);
    const names = new Set(followed?.assessment?.newPods ?? []);
    const nodes = new Map<string, number>();
    for (const pod of pods) {
      const node = nodeOf(pod);
      if (
        node === undefined ||
        pod.metadata.namespace !== planned.key.namespace ||
        !names.has(pod.metadata.name)
      )
        continue;
      nodes.set(node, (nodes.get(node) ?? 0) + 1);
    }
    return nodes;
  });
}

function nodeOf(pod: KubernetesObject): string | undefined {
  const spec = pod['spec'];
  if (typeof spec !== 'object' || spec === null || !('nodeName' in spec)) return undefined;
  return typeof spec.nodeName === 'string' && spec.nodeName !== '' ? spec.nodeName : undefined;
}

/**
 * Marks the revisions that were seen complete, so that a later run knows what is worth going back to even after one
 * that was canceled half-way. Without the right to do so nothing is lost but that.
 */
async function sealRevisions(
  rollouts: readonly FollowedRollout[],
  { view, cluster, signal, timeline }: Carrying,
): Promise<void> {
  const annotations = { [COMPLETED_ANNOTATION]: new Date().toISOString() };
  const revisionOf = ({ metadata }: KubernetesObject) =>
    metadata.annotations?.['deployment.kubernetes.io/revision'];
  const sets = rollouts.flatMap(({ target }) => {
    const owner = view
      .objectsOf('Deployment')
      .find(
        ({ metadata }) => metadata.name === target.key.name && metadata.namespace === target.key.namespace,
      );
    const uid = owner?.metadata.uid;
    if (target.key.kind !== 'Deployment' || owner === undefined || uid === undefined) return [];
    return view
      .objectsOf('ReplicaSet')
      .filter((set) => isOwnedBy(set, new Set([uid])) && revisionOf(set) === revisionOf(owner))
      .filter(({ metadata }) => metadata.annotations?.[COMPLETED_ANNOTATION] === undefined);
  });
  try {
    await Promise.all(
      sets.map(({ apiVersion, kind, metadata }) =>
        cluster.patch(
          { apiVersion, kind, namespace: metadata.namespace, name: metadata.name },
          { metadata: { annotations } },
          { signal },
        ),
      ),
    );
  } catch (error) {
    if (!isOutsideError(error)) throw error;
    timeline.note(`The revision could not be marked as good: ${error.message}`);
  }
}

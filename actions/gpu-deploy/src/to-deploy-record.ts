import { describeRun, type RunContext } from '@sophia/action';
import { DEPLOY_RECORD_SCHEMA_URL, DEPLOY_RECORD_VERSION, type DeployRecord } from '@sophia/records';
import type { Finding } from '@sophia/rollout';
import {
  allocatableOf,
  NANOS_PER_UNIT,
  type OccupiedNode,
  podRequest,
  renderReason,
  type Strategy,
  usedOf,
} from '@sophia/scheduling';
import type { FollowedRollout } from './follow-rollouts.ts';
import type { DeployInputs } from './inputs.ts';
import type { DeployPlan, PlannedWorkload } from './plan.ts';
import type { TakenBack } from './roll-back.ts';
import type { Evidence } from './save-evidence.ts';
import { imagesOf, subjectOf } from './workload.ts';

const GPU = 'nvidia.com/gpu';

/** What a deployment came to. */
export type DeployOutcome = {
  readonly status: DeployRecord['status'];
  /** The cause that decided it. */
  readonly finding: Finding | undefined;
  /** One sentence; empty where all is well. */
  readonly message: string;
};

/** All that a record is made of. */
export type DeployFindings = {
  readonly inputs: DeployInputs;
  readonly context: RunContext;
  readonly namespace: string;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly planMs: number;
  readonly outcome: DeployOutcome;
  /** Undefined where it failed before there was one. */
  readonly plan: DeployPlan | undefined;
  /** What was seen beside: `suspected` and `waiting`. */
  readonly also: readonly Finding[];
  readonly rollouts: readonly FollowedRollout[];
  /** Pods of each workload by node, in the order of the plan's workloads. */
  readonly placement: readonly ReadonlyMap<string, number>[];
  readonly taken: readonly TakenBack[];
  readonly timeline: DeployRecord['timeline'];
  readonly evidence: Evidence;
};

/** Makes the record of one deployment. */
export function toDeployRecord(findings: DeployFindings): DeployRecord {
  const { inputs, context, outcome, plan } = findings;
  return {
    $schema: DEPLOY_RECORD_SCHEMA_URL,
    version: DEPLOY_RECORD_VERSION,
    kind: 'deploy',
    status: outcome.status,
    reason: outcome.finding?.code ?? '',
    message: outcome.message,
    commit: context.sha,
    ref: context.ref,
    run: describeRun(context),
    inputs: describeInputs(inputs),
    namespace: findings.namespace,
    startedAt: new Date(findings.startedAtMs).toISOString(),
    durationMs: findings.durationMs,
    planMs: findings.planMs,
    objects: (plan?.objects ?? []).map((planned) => {
      const back = findings.taken.find(({ planned: { key } }) => subjectOf(key) === subjectOf(planned.key));
      const isDone = outcome.status !== 'planned' && outcome.status !== 'refused';
      return {
        subject: subjectOf(planned.key),
        change: back?.change ?? (isDone ? planned.change : 'planned'),
      };
    }),
    workloads: (plan?.workloads ?? []).map((workload, index) =>
      describeWorkload(workload, findings.placement[index], findings.rollouts),
    ),
    nodes: (plan?.nodes ?? []).map(describeNode),
    findings: collectFindings(findings).map(describeFinding),
    timeline: [...findings.timeline],
    evidence: findings.evidence,
  };
}

function describeInputs(inputs: DeployInputs): DeployRecord['inputs'] {
  const { target } = inputs;
  return {
    manifests: [...inputs.manifests],
    images: inputs.images.map(({ name, reference }) => `${name}=${reference}`),
    gpu: inputs.gpu,
    ...(inputs.gpuCount === undefined ? {} : { gpuCount: inputs.gpuCount }),
    strategy: inputs.strategy,
    timeoutMs: inputs.timeoutMs,
    dryRun: target.kind === 'inventory' ? 'offline' : target.isDryRun ? 'server' : 'none',
    rollback: inputs.rollback,
  };
}

function describeWorkload(
  { planned, plan, pod }: PlannedWorkload,
  placement: ReadonlyMap<string, number> | undefined,
  rollouts: readonly FollowedRollout[],
): DeployRecord['workloads'][number] {
  const followed = rollouts.find(({ target }) => subjectOf(target.key) === plan.subject);
  return {
    subject: plan.subject,
    replicas: plan.replicas,
    images: [...imagesOf(planned.object)],
    gpusPerPod: toUnits(podRequest(pod).get(GPU) ?? 0n),
    ...(plan.strategy === undefined ? {} : { strategy: renderStrategy(plan.strategy) }),
    strategyReason: plan.strategyReason,
    nodes: plan.nodes.map(({ node, kind, reasons }) => ({
      node,
      verdict: kind,
      reasons: reasons.map((reason) => renderReason(node, reason)),
    })),
    placement: Object.fromEntries(placement ?? []),
    ...(followed?.availableMs === undefined ? {} : { availableMs: followed.availableMs }),
  };
}

export function renderStrategy(strategy: Strategy): string {
  if (strategy.kind === 'recreate') return 'recreate';
  return `rolling, maxSurge ${strategy.surge}, maxUnavailable ${strategy.unavailable}`;
}

function describeNode(occupied: OccupiedNode): DeployRecord['nodes'][number] {
  const { node } = occupied;
  return {
    name: node.name,
    gpu: node.labels.get('gpu') ?? node.labels.get('nvidia.com/gpu.product') ?? '',
    architecture: node.labels.get('kubernetes.io/arch') ?? '',
    allocatableGpus: toUnits(allocatableOf(GPU, node)),
    usedGpus: toUnits(usedOf(GPU, occupied)),
    isCordoned: node.isCordoned,
  };
}

function toUnits(nanos: bigint): number {
  return Number(nanos / NANOS_PER_UNIT);
}

/** What decided it first, then the rest, each once. */
function collectFindings({ outcome, plan, also }: DeployFindings): readonly Finding[] {
  const all = [
    ...(outcome.finding === undefined ? [] : [outcome.finding]),
    ...(plan?.findings ?? []),
    ...also,
  ];
  const seen = new Set<string>();
  return all.filter(({ code, subject, message }) => {
    const identity = `${code} ${subject} ${message}`;
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
}

function describeFinding(finding: Finding): DeployRecord['findings'][number] {
  const { code, subject, message, details } = finding;
  return { code, class: finding.class, subject, message, details: [...details] };
}

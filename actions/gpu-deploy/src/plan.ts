import type { KubernetesObject, ManifestSource, ObjectKey } from '@sophia/kubernetes';
import type { CauseCode, Finding, ImageAnswer, WorkloadPlan } from '@sophia/rollout';
import { planWorkload } from '@sophia/rollout';
import {
  explainPod,
  type ImagePlatforms,
  type JointPlacement,
  type NodeVerdict,
  type OccupiedNode,
  type Pod,
  placeJointly,
  type Strategy,
} from '@sophia/scheduling';
import * as z from 'zod/mini';
import { applyMergePatch } from './merge-patch.ts';
import { imagesOf, subjectOf } from './workload.ts';

const GPU = 'nvidia.com/gpu';

/** An object of the manifests as it would be applied. */
export type PlannedObject = {
  readonly key: ObjectKey;
  readonly object: KubernetesObject;
  readonly source: ManifestSource;
  /** As it is; undefined where there is none, or none can be asked for. */
  readonly before: KubernetesObject | undefined;
  /** Takes over fields from tools that people deploy with; nothing else's. */
  readonly isForced: boolean;
  readonly change: 'created' | 'changed' | 'unchanged' | 'planned';
};

/** A workload before it is planned, with what the server or the inventory says of it. */
export type WorkloadFacts = {
  readonly planned: PlannedObject;
  /** The Deployment as the server would have it; of the manifest where it wasn't asked. */
  readonly workload: KubernetesObject;
  /** As the server would make it; of the template where it wasn't asked. */
  readonly pod: Pod;
  readonly oldPods: readonly Pod[];
  /** A quota has no room for one more Pod, but has for all once the old ones are gone. */
  readonly fullQuota: Finding | undefined;
};

export type PlannedWorkload = WorkloadFacts & { readonly plan: WorkloadPlan };

/** All that would be done, and all that is against it. */
export type DeployPlan = {
  /** In the order of the manifests. */
  readonly objects: readonly PlannedObject[];
  readonly workloads: readonly PlannedWorkload[];
  /** Refusals first. */
  readonly findings: readonly Finding[];
  readonly nodes: readonly OccupiedNode[];
  /** For each workload its Pods by node. */
  readonly placement: readonly ReadonlyMap<string, number>[];
};

/** What a plan is made of. */
export type PlanFacts = {
  readonly objects: readonly PlannedObject[];
  readonly workloads: readonly WorkloadFacts[];
  readonly nodes: readonly OccupiedNode[];
  /** Every Pod that can be seen. */
  readonly pods: readonly Pod[];
  /** Nodes that can't be seen say nothing about whether there is room. */
  readonly areNodesSeen: boolean;
  readonly images: ReadonlyMap<string, ImageAnswer>;
  readonly hasAutoscaler: boolean;
  readonly strategy: 'auto' | 'rolling' | 'recreate';
  /** Found by asking: refusals of a dry-run, things that aren't there. */
  readonly findings: readonly Finding[];
};

/** Plans every workload by itself and all of them together. */
export function planDeploy(facts: PlanFacts): DeployPlan {
  const workloads = facts.workloads.map((workload) => ({
    ...workload,
    plan: planOne(workload, facts),
  }));
  const ownFindings = workloads.flatMap(({ plan }) => plan.findings);
  const joint = placeAll(workloads, facts);
  const all = [...facts.findings, ...ownFindings, ...findJointShortage(workloads, joint, ownFindings, facts)];
  return {
    objects: facts.objects.map((planned) => withStrategy(planned, workloads)),
    workloads,
    findings: [...all.filter(isRefusal), ...all.filter((finding) => !isRefusal(finding))],
    nodes: facts.nodes,
    placement: joint.byGroup,
  };
}

export function isRefusal(finding: Finding): boolean {
  return finding.class === 'refused';
}

function planOne(workload: WorkloadFacts, facts: PlanFacts): WorkloadPlan {
  const plan = planAs(workload, facts, undefined);
  const { fullQuota } = workload;
  if (fullQuota === undefined || !needsOneMore(plan.strategy)) return plan;
  // No new Pod may begin before an old one has ended, as if no GPU were free.
  const isChosen = z.safeParse(z.object({ strategy: z.unknown() }), workload.planned.object['spec']).data
    ?.strategy;
  const gentle =
    facts.strategy === 'auto' && isChosen === undefined ? planWithin(workload, facts, plan) : undefined;
  return gentle ?? { ...plan, findings: [fullQuota, ...plan.findings] };
}

function needsOneMore(strategy: Strategy | undefined): boolean {
  return strategy?.kind === 'rolling' && strategy.unavailable === 0;
}

const ONE_LESS = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };

/** The gentlest strategy that never has more Pods than replicas. */
function planWithin(workload: WorkloadFacts, facts: PlanFacts, plan: WorkloadPlan): WorkloadPlan | undefined {
  const strategies = [...(plan.replicas > 1 ? [ONE_LESS] : []), { type: 'Recreate', rollingUpdate: null }];
  for (const strategy of strategies) {
    const planned = planAs(workload, facts, strategy);
    if (planned.findings.some(isRefusal)) continue;
    const reason = `The quota has no room for one Pod more. ${planned.strategyReason}`.trim();
    return { ...planned, strategyPatch: { spec: { strategy } }, strategyReason: reason };
  }
  return undefined;
}

/** @param strategy `spec.strategy` in place of the manifest's. */
function planAs(workload: WorkloadFacts, facts: PlanFacts, strategy: unknown): WorkloadPlan {
  const patch = { spec: { strategy } };
  const plan = planWorkload({
    workload: strategy === undefined ? workload.workload : applyMergePatch(workload.workload, patch),
    current: workload.planned.before,
    pod: workload.pod,
    nodes: facts.nodes,
    pods: facts.pods,
    oldPods: workload.oldPods,
    images: platformsOf(workload.planned.object, facts.images),
    hasAutoscaler: facts.hasAutoscaler,
    strategy: facts.strategy,
  });
  if (facts.areNodesSeen) return plan;
  // Without nodes every place is missing; only what was found without them counts.
  return { ...plan, outlook: undefined, nodes: [], findings: [], strategyPatch: undefined };
}

function platformsOf(
  object: KubernetesObject,
  answers: ReadonlyMap<string, ImageAnswer>,
): readonly ImagePlatforms[] {
  return imagesOf(object).flatMap((image) => {
    const answer = answers.get(image);
    return answer?.kind === 'found' && answer.platforms.length > 0
      ? [{ image, platforms: answer.platforms }]
      : [];
  });
}

function withStrategy(planned: PlannedObject, workloads: readonly PlannedWorkload[]): PlannedObject {
  const patch = workloads.find((workload) => workload.planned === planned)?.plan.strategyPatch;
  if (patch === undefined) return planned;
  return {
    ...planned,
    object: applyMergePatch(planned.object, patch) as KubernetesObject,
    change: planned.change === 'unchanged' ? 'changed' : planned.change,
  };
}

type Joint = JointPlacement & { readonly emptied: readonly OccupiedNode[] };

/** Places all new Pods beside what stays: every workload's old Pods are gone by then. */
function placeAll(workloads: readonly PlannedWorkload[], facts: PlanFacts): Joint {
  if (!facts.areNodesSeen) {
    return { kind: 'unknown', byGroup: workloads.map(() => new Map()), emptied: [] };
  }
  const replaced = new Set(
    workloads.flatMap(({ oldPods }) => oldPods.map(({ namespace, name }) => `${namespace}/${name}`)),
  );
  const emptied = facts.nodes.map(({ node, pods }) => ({
    node,
    pods: pods.filter(
      ({ namespace, name, isTerminating }) => !isTerminating && !replaced.has(`${namespace}/${name}`),
    ),
  }));
  const groups = workloads.map(({ plan, pod, planned }) => ({
    pod,
    // A DaemonSet has one Pod on each node that suits, not any number anywhere.
    count: planned.object.kind === 'DaemonSet' ? 0 : plan.replicas,
    images: platformsOf(planned.object, facts.images),
  }));
  return { ...placeJointly(groups, emptied), emptied };
}

/** Workloads that fit one by one and not together. */
function findJointShortage(
  workloads: readonly PlannedWorkload[],
  joint: Joint,
  own: readonly Finding[],
  { hasAutoscaler }: PlanFacts,
): readonly Finding[] {
  if (joint.kind !== 'none' || own.some(isRefusal) || workloads.length < 2) return [];
  const short = workloads.findIndex(
    ({ plan, planned }, index) =>
      planned.object.kind !== 'DaemonSet' && placedOf(joint, index) < plan.replicas,
  );
  const workload = workloads[short];
  if (workload === undefined) return [];
  const subject = subjectOf(workload.planned.key);
  const rivals = workloads.filter((other) => other !== workload && competes(other, workload));
  const names = rivals.map(({ planned }) => subjectOf(planned.key)).slice(0, 3);
  const beside = names.length === 0 ? 'the other workloads' : names.join(', ');
  const filled = fill(workloads, joint);
  const nodes = explainPod(workload.pod, filled);
  return [
    {
      code: shortageOf(nodes),
      class: hasAutoscaler ? 'waiting' : 'refused',
      subject,
      message: `${subject} has places for ${placedOf(joint, short)} of ${workload.plan.replicas} Pods beside ${beside} of the same manifests. Deploy fewer replicas, or add a node.`,
      details: workloads.map(
        ({ planned, plan }, index) =>
          `${subjectOf(planned.key)}: ${placedOf(joint, index)} of ${plan.replicas} Pods placed`,
      ),
      nodes,
      container: undefined,
    },
  ];
}

function fill(workloads: readonly PlannedWorkload[], joint: Joint): readonly OccupiedNode[] {
  return joint.emptied.map(({ node, pods }) => ({
    node,
    pods: [
      ...pods,
      ...workloads.flatMap(({ pod }, index) =>
        Array.from({ length: joint.byGroup[index]?.get(node.name) ?? 0 }, (_, copy) => ({
          ...pod,
          name: `planned-${index}-${copy}`,
          nodeName: node.name,
        })),
      ),
    ],
  }));
}

const SHORTAGES: Readonly<Record<string, CauseCode>> = {
  [GPU]: 'gpu-insufficient',
  memory: 'memory-insufficient',
  'ephemeral-storage': 'storage-insufficient',
};

/** What there is too little of on the nodes that else would suit. */
function shortageOf(nodes: readonly NodeVerdict[]): CauseCode {
  const reasons = nodes.flatMap((verdict) => verdict.reasons);
  const resources = reasons.flatMap((reason) => (reason.kind === 'resource' ? [reason.resource] : []));
  if (resources.includes(GPU)) return 'gpu-insufficient';
  if (reasons.some(({ kind }) => kind === 'host-port')) return 'ports-conflict';
  if (resources.length === 0 && reasons.some(({ kind }) => kind === 'pods-full')) return 'pods-full';
  return SHORTAGES[resources[0] ?? ''] ?? 'cpu-insufficient';
}

function placedOf(joint: JointPlacement, index: number): number {
  return [...(joint.byGroup[index]?.values() ?? [])].reduce((sum, count) => sum + count, 0);
}

function competes(other: PlannedWorkload, workload: PlannedWorkload): boolean {
  const suitable = new Set(
    workload.plan.nodes.filter(({ kind }) => kind !== 'misfit').map(({ node }) => node),
  );
  return other.plan.nodes.some(({ node, kind }) => kind !== 'misfit' && suitable.has(node));
}

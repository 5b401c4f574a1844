import {
  countPlaces,
  explainPod,
  isMilliBytes,
  type OccupiedNode,
  type Pod,
  podRequest,
  predictRollout,
  type RolloutOutlook,
  type RolloutPlan,
  type Strategy,
} from '@sophia/scheduling';
import { explainSurgeDeadlock } from './causes/gpu-surge-deadlock.ts';
import { sayPaused } from './causes/rollout-paused.ts';
import { toDaemonPod } from './daemon-pod.ts';
import type { Finding } from './finding.ts';
import { list, shorten, type Words, writeLine } from './finding-text.ts';
import type { PlanInput, WorkloadPlan } from './rollout-plan.ts';
import { findPlacementCause, type PlacementCause } from './shortage.ts';
import { chooseStrategy, toPatch } from './strategy-choice.ts';
import { isSameTemplate } from './template.ts';
import { nameWorkload, readWorkload, replicasOf, type Workload } from './workload.ts';

/**
 * Plans the rollout of a workload on a cluster as it is: where its Pods would go, by which strategy, and what is
 * against it.
 *
 * `auto` keeps the strategy of the manifest where that can end. Where it can't, and it is the API server's default, the
 * gentlest takes its place that can; one that the author chose isn't overruled but refused, with what would work.
 *
 * With an autoscaler, what a new node can help isn't refused but `waiting`.
 */
export function planWorkload(input: PlanInput): WorkloadPlan {
  const workload = readWorkload(input.workload);
  if (workload === undefined) return planNothing();
  const subject = nameWorkload(workload, input.pod.namespace);
  const pod = workload.kind === 'DaemonSet' ? toDaemonPod(input.pod) : input.pod;
  const images = input.images.filter(({ platforms }) => platforms.length > 0);
  const nodes = explainPod(pod, input.nodes, images);
  const context: Planning = { input, workload, subject, pod, images };
  const warnings = [...warnOfAmounts(context), ...warnOfTolerations(context), ...warnOfForeignNodes(context)];
  const paused = sayPaused(workload);
  const refusals =
    paused === undefined
      ? []
      : [
          toFinding(
            context,
            'rollout-paused',
            workload.kind === 'Deployment' ? 'refused' : 'suspected',
            paused,
          ),
        ];
  const base = { subject, nodes };
  if (workload.kind === 'DaemonSet') {
    const { replicas, findings } = planDaemons(context);
    return {
      ...base,
      replicas,
      strategy: undefined,
      strategyPatch: undefined,
      strategyReason: '',
      outlook: undefined,
      findings: order([...refusals, ...findings, ...warnings]),
    };
  }
  const replicas = replicasOf(workload);
  const isReplaced = !isSameTemplate(input.workload, input.current);
  const plan: RolloutPlan = {
    replicas: isReplaced ? replicas : Math.max(0, replicas - input.oldPods.filter(isLasting).length),
    newPod: pod,
    oldPods: isReplaced ? input.oldPods : [],
    nodes: input.nodes,
    images,
  };
  const choice = chooseStrategy(workload, plan, input.strategy, isReplaced);
  const strategy = choice?.strategy;
  const outlook = predictRollout(plan, strategy ?? { kind: 'rolling', surge: plan.replicas, unavailable: 0 });
  return {
    ...base,
    replicas,
    strategy,
    strategyPatch: strategy === undefined || choice === undefined ? undefined : toPatch(workload, choice),
    strategyReason: choice?.reason ?? '',
    outlook: plan.replicas === 0 ? { ...outlook, outcome: 'ends' } : outlook,
    findings: order([...refusals, ...findObstacles(context, plan, strategy, outlook), ...warnings]),
  };
}

type Planning = {
  readonly input: PlanInput;
  readonly workload: Workload;
  readonly subject: string;
  readonly pod: Pod;
  readonly images: PlanInput['images'];
};

function planNothing(): WorkloadPlan {
  return {
    subject: 'The workload',
    replicas: 0,
    strategy: undefined,
    strategyPatch: undefined,
    strategyReason: '',
    outlook: undefined,
    nodes: [],
    findings: [
      {
        code: 'manifest-invalid',
        class: 'refused',
        subject: 'The workload',
        message: 'The workload is no object with metadata. Correct the manifest.',
        details: [],
        nodes: [],
        container: undefined,
      },
    ],
  };
}

function isLasting({ isTerminating, phase }: Pod): boolean {
  return !isTerminating && phase !== 'Succeeded' && phase !== 'Failed';
}

function findObstacles(
  context: Planning,
  plan: RolloutPlan,
  strategy: Strategy | undefined,
  outlook: RolloutOutlook,
): readonly Finding[] {
  if (plan.replicas === 0) return [];
  if (outlook.outcome === 'too-few-places') {
    const emptied = without(plan.oldPods, plan.nodes);
    const places = countPlaces(plan.newPod, emptied, context.images);
    const found = findPlacementCause(
      plan.newPod,
      plan.replicas,
      emptied,
      places,
      context.images,
      context.workload.kind,
    );
    return [toPlacementFinding(context, found)];
  }
  if (outlook.outcome !== 'surge-deadlock' || strategy === undefined) return [];
  const words = explainSurgeDeadlock(plan, strategy);
  return [
    toFinding(context, 'gpu-surge-deadlock', context.input.hasAutoscaler ? 'waiting' : 'refused', words),
  ];
}

/** The nodes once these Pods and all that are ending are gone. */
function without(pods: readonly Pod[], nodes: readonly OccupiedNode[]): readonly OccupiedNode[] {
  const names = new Set(pods.map(({ namespace, name }) => `${namespace}/${name}`));
  return nodes.map(({ node, pods: held }) => ({
    node,
    pods: held.filter(
      ({ namespace, name, isTerminating }) => !isTerminating && !names.has(`${namespace}/${name}`),
    ),
  }));
}

function toPlacementFinding(context: Planning, { cause, facet, shortage, words }: PlacementCause): Finding {
  const mayEnd = context.input.hasAutoscaler && facet.endsWithNewNode;
  return {
    ...toFinding(context, cause.code, mayEnd ? 'waiting' : 'refused', words),
    nodes: shortage.nodes.map(({ verdict }) => verdict),
  };
}

function toFinding(
  { subject, pod, input, images }: Planning,
  code: Finding['code'],
  kind: Finding['class'],
  words: Words,
): Finding {
  return {
    code,
    class: kind,
    subject,
    message: writeLine(subject, words),
    details: words.details ?? [],
    nodes: code === 'gpu-surge-deadlock' ? explainPod(pod, input.nodes, images) : [],
    container: undefined,
  };
}

function order(findings: readonly Finding[]): readonly Finding[] {
  const rank = { refused: 0, failed: 0, waiting: 1, timeout: 1, suspected: 2 };
  return findings.toSorted((left, right) => rank[left.class] - rank[right.class]);
}

/** A DaemonSet wants a Pod on each node that its Pods may be on; room is a matter of each node by itself. */
function planDaemons(context: Planning): {
  readonly replicas: number;
  readonly findings: readonly Finding[];
} {
  const { input, workload, pod, images } = context;
  const surge = workload.spec?.updateStrategy?.rollingUpdate?.maxSurge ?? 0;
  const isSurging = surge !== 0 && surge !== '0%';
  const nodes = isSurging ? input.nodes : without(input.oldPods, input.nodes);
  const verdicts = explainPod(pod, nodes, images);
  const short = nodes.filter((_, index) => {
    const reasons = verdicts[index]?.reasons ?? [];
    return reasons.length > 0 && reasons.every(({ kind }) => isAboutRoom(kind));
  });
  const replicas = verdicts.filter(({ reasons }) => reasons.every(({ kind }) => isAboutRoom(kind))).length;
  // A node without any GPU that a GPU DaemonSet is let onto will never have its Pod ready: the same finding.
  if (short.length === 0) return { replicas, findings: [] };
  const places = { count: replicas - short.length, isUpperBound: false, byNode: new Map<string, number>() };
  return {
    replicas,
    findings: [
      toPlacementFinding(context, findPlacementCause(pod, replicas, short, places, images, workload.kind)),
    ],
  };
}

function isAboutRoom(kind: string): boolean {
  return kind === 'resource' || kind === 'pods-full' || kind === 'host-port' || kind === 'unknown';
}

function warnOfAmounts(context: Planning): readonly Finding[] {
  return [...podRequest(context.pod)].flatMap(([resource, amount]) =>
    isMilliBytes(resource, amount)
      ? [
          toFinding(
            context,
            resource === 'memory' ? 'memory-insufficient' : 'storage-insufficient',
            'suspected',
            {
              wrong: 'asks for a fraction of a byte',
              seen: [`${resource} ends in "m", which is a thousandth`],
              fix: 'Write M or Mi',
            },
          ),
        ]
      : [],
  );
}

/** A toleration of everything tolerates cordons as well. */
function warnOfTolerations(context: Planning): readonly Finding[] {
  const { workload, pod, input } = context;
  const cordoned = input.nodes.filter(({ node }) => node.isCordoned).map(({ node }) => node.name);
  const isBlanket = pod.tolerations.some(
    ({ key, operator, effect }) =>
      key === '' && operator === 'Exists' && (effect === '' || effect === 'NoSchedule'),
  );
  if (workload.kind === 'DaemonSet' || !isBlanket || cordoned.length === 0) return [];
  return [
    toFinding(context, 'node-cordoned', 'suspected', {
      wrong: 'may land on a cordoned node',
      seen: [`its toleration without a key matches every taint, and ${list(cordoned)} is cordoned`],
      fix: 'Name the key of the taint that is meant',
    }),
  ];
}

/** The scheduler doesn't look at an image's platforms, so a Pod may be placed where it can't run though it could elsewhere. */
function warnOfForeignNodes(context: Planning): readonly Finding[] {
  const { pod, input, images } = context;
  const nodes = without(input.oldPods, input.nodes);
  const placed = explainPod(pod, nodes);
  const runs = explainPod(pod, nodes, images);
  const foreign = runs.filter(
    (verdict, index) => verdict.kind === 'misfit' && placed[index]?.kind !== 'misfit',
  );
  const [first] = foreign.flatMap(({ reasons }) =>
    reasons.filter((reason) => reason.kind === 'architecture'),
  );
  if (first?.kind !== 'architecture' || runs.every(({ kind }) => kind === 'misfit')) return [];
  const platform = first.platforms.find((candidate) => candidate.startsWith('linux/')) ?? first.platforms[0];
  const architecture = platform?.split('/')[1] ?? 'amd64';
  return [
    toFinding(context, 'arch-mismatch', 'suspected', {
      wrong: 'may land where it cannot run',
      seen: [
        `image ${shorten(first.image, 50)} is only for ${list(first.platforms)}`,
        `${list(
          foreign.map(({ node }) => node),
          2,
        )} would suit otherwise`,
      ],
      fix: `Set nodeSelector kubernetes.io/arch: ${architecture}`,
    }),
  ];
}

import {
  explainPod,
  type NodeVerdict,
  occupyNodes,
  parseNode,
  parsePod,
  type Reason,
  renderReason,
} from '@sophia/scheduling';
import { createRandom, createWorld, type World } from './random-worlds.ts';
import { type ClusterApi, judgeWorlds, type SchedulerVerdict } from './real-scheduler.ts';

/** How far our verdicts on nodes and the scheduler's are the same. */
export type Agreement = {
  readonly worlds: number;
  readonly verdicts: number;
  /** Of the verdicts, those in which the scheduler placed the Pod. */
  readonly placed: number;
  readonly disagreements: readonly Difference[];
  /** Verdicts `misfit` on both sides whose first failing filter is not the one that the scheduler names. */
  readonly otherReasons: readonly Difference[];
};

/** The scheduler's verdict beside ours, which is in sentences. */
type Difference = SchedulerVerdict & { readonly ours: readonly string[] };

type Comparison = SchedulerVerdict & {
  readonly ours: NodeVerdict;
  /** Whether the scheduler's message is about the one node only. */
  readonly isAboutOneNode: boolean;
};

/** Few enough that nodes without a heartbeat are gone before they are taken for lost (50 s). */
const batchSize = 100;

/**
 * Compares `explainPod` with the scheduler of a cluster on random small clusters.
 *
 * @param options.seed Decides all worlds.
 * @param options.namespace Is there, and no earlier comparison in this cluster was made in it: its name goes before those
 *   of the nodes, since the node controller takes a new node by the name of a lost one for lost.
 * @param onBatch Called with the worlds compared so far.
 */
export async function compareWithScheduler(
  api: ClusterApi,
  options: { readonly seed: number; readonly worlds: number; readonly namespace: string },
  onBatch: (done: number) => void = () => {},
): Promise<Agreement> {
  const random = createRandom(options.seed);
  const worlds = Array.from({ length: options.worlds }, (_, index) =>
    createWorld(`${options.namespace}-w${index}`, random),
  );
  const compared: Comparison[] = [];
  for (let start = 0; start < worlds.length; start += batchSize) {
    const batch = worlds.slice(start, start + batchSize);
    const judged = await judgeWorlds(api, options.namespace, batch);
    const theirs = new Map(judged.map((verdict) => [verdict.candidate, verdict]));
    for (const ours of batch.flatMap(explainWorld)) {
      const verdict = theirs.get(ours.candidate);
      if (verdict !== undefined) compared.push({ ...verdict, ...ours });
    }
    onBatch(Math.min(start + batchSize, worlds.length));
  }
  const disagreements = compared.filter(({ isPlaced, ours }) => ours.kind !== (isPlaced ? 'fits' : 'misfit'));
  const otherReasons = compared.filter(
    ({ isPlaced, isAboutOneNode, ours, message }) =>
      !isPlaced && isAboutOneNode && ours.kind === 'misfit' && !namesSameFilter(ours.reasons, message),
  );
  return {
    worlds: worlds.length,
    verdicts: compared.length,
    placed: compared.filter(({ isPlaced }) => isPlaced).length,
    disagreements: disagreements.map(toDifference),
    otherReasons: otherReasons.map(toDifference),
  };
}

function toDifference({ candidate, isPlaced, message, ours }: Comparison): Difference {
  const sentences = ours.reasons.map((reason) => renderReason(ours.node, reason));
  return { candidate, isPlaced, message, ours: [ours.kind, ...sentences] };
}

/** Our verdict on each Pod of a world against the one node that may take it. */
function explainWorld({
  nodes,
  existing,
  candidates,
}: World): readonly Pick<Comparison, 'candidate' | 'ours' | 'isAboutOneNode'>[] {
  const occupied = occupyNodes(nodes.map(parseNode), existing.map(parsePod));
  return candidates.flatMap((document, index) => {
    const pod = parsePod(document);
    // A term without requirements makes the scheduler look at every node, though it matches none.
    const isAboutOneNode = pod.nodeAffinity?.every((term) => term.length > 0) ?? false;
    return explainPod(pod, occupied.slice(index, index + 1)).map((ours) => ({
      candidate: pod.name,
      ours,
      isAboutOneNode,
    }));
  });
}

/** The scheduler's filters in their order, with the reasons that each gives. */
const filters: readonly (readonly Reason['kind'][])[] = [
  ['cordoned'],
  ['taint'],
  ['node-selector', 'node-affinity'],
  ['host-port'],
  ['pods-full', 'resource'],
];

/** The scheduler names the first filter that fails a node, and all that this filter has to say. */
function namesSameFilter(reasons: readonly Reason[], message: string): boolean {
  const first = filters.find((kinds) => reasons.some(({ kind }) => kinds.includes(kind))) ?? [];
  const own = reasons.filter(({ kind }) => first.includes(kind)).map(wordingOf);
  // The Pods are kept to one node by their affinity, so that filter is named for all other nodes.
  const others = wordings.filter((text) => !own.some((said) => said.startsWith(text)));
  return own.every((text) => message.includes(text)) && !others.some((text) => message.includes(text));
}

const wordings = [
  'were unschedulable',
  'had untolerated taint',
  "didn't have free ports for the requested pod ports",
  'Too many pods',
  'Insufficient ',
];

function wordingOf(reason: Reason): string {
  switch (reason.kind) {
    case 'cordoned':
      return 'were unschedulable';
    case 'taint':
      return 'had untolerated taint';
    case 'host-port':
      return "didn't have free ports for the requested pod ports";
    case 'pods-full':
      return 'Too many pods';
    case 'resource':
      return `Insufficient ${reason.resource}`;
    default:
      return "didn't match Pod's node affinity/selector";
  }
}

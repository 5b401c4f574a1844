import { explainPod, InvalidObjectError, type NodeVerdict, parsePod } from '@sophia/scheduling';
import type { Stage } from './cause.ts';
import type { LivePod } from './live-pod.ts';
import { occupy, type RolloutView } from './rollout-view.ts';

/**
 * Whether what hits these Pods, and may be a matter of their nodes, hits the rollout: all new Pods that have got as far,
 * or Pods on every node that another could still be placed on.
 */
export function isSpeakingForAll(view: RolloutView, stage: Stage, hit: ReadonlySet<LivePod>): boolean {
  const reached = view.newPods.filter((pod) => hasReached(pod, stage));
  if (reached.length > 0 && reached.every((pod) => hit.has(pod))) return true;
  const [example] = hit;
  if (example === undefined) return false;
  const fitting = explainElsewhere(view, example).filter(({ kind }) => kind !== 'misfit');
  const hitNodes = new Set([...hit].map(({ nodeName }) => nodeName));
  const wellNodes = new Set(reached.filter((pod) => !hit.has(pod)).map(({ nodeName }) => nodeName));
  return fitting.length > 0 && fitting.every(({ node }) => hitNodes.has(node) && !wellNodes.has(node));
}

function explainElsewhere(view: RolloutView, { document }: LivePod): readonly NodeVerdict[] {
  try {
    const copy = { ...parsePod(document), name: '', nodeName: undefined };
    return explainPod(
      copy,
      occupy(view, () => true),
    );
  } catch (error) {
    if (error instanceof InvalidObjectError) return [];
    throw error;
  }
}

function hasReached({ nodeName, containers }: LivePod, stage: Stage): boolean {
  if (nodeName === undefined) return false;
  const isPast = containers.some(
    ({ runningSinceMs, terminated, lastTerminated }) =>
      runningSinceMs !== undefined || terminated !== undefined || lastTerminated !== undefined,
  );
  const isBeginning = containers.every(
    ({ waiting }) => waiting === undefined || /^(?:ContainerCreating|PodInitializing|)$/.test(waiting.reason),
  );
  switch (stage) {
    case 'image':
    case 'config':
      return isPast || !isBeginning;
    case 'container':
    case 'probe':
      return isPast;
    default:
      return true;
  }
}

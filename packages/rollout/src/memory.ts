import * as z from 'zod/mini';
import type { LiveContainer, LivePod } from './live-pod.ts';
import type { RolloutMemory } from './rollout-assessment.ts';

const containerMemory = z.object({
  /** Pulls that failed, and since when. */
  pulls: z.number(),
  pullsSinceMs: z.number(),
  /** What the last of them said; a kubelet in back-off may not repeat it. */
  pullText: z.string(),
  lastWaiting: z.string(),
  exitCodes: z.array(z.number()),
  /** Ends by the kernel for lack of memory, by container id or time. */
  outOfMemory: z.array(z.string()),
  /** Restarts that progress has made up for. */
  forgivenRestarts: z.number(),
  wasReady: z.boolean(),
  startedMs: z.optional(z.number()),
});

const memorySchema = z.object({
  /** The template that was written, to know another's by. */
  template: z.optional(z.string()),
  /** Replicas at first: what an autoscaler adds later is not what was asked for. */
  replicas: z.optional(z.number()),
  /** Since when each sign has been seen without a break. */
  since: z.record(z.string(), z.number()),
  completeSinceMs: z.optional(z.number()),
  /** When a Pod of the workload last went. */
  podLeftMs: z.optional(z.number()),
  podUids: z.array(z.string()),
  containers: z.record(z.string(), containerMemory),
});

export type Memory = z.output<typeof memorySchema>;
export type ContainerMemory = z.output<typeof containerMemory>;

/** A memory that isn't ours is none. */
export function readMemory(memory: RolloutMemory | undefined): Memory {
  return z.safeParse(memorySchema, memory).data ?? { since: {}, podUids: [], containers: {} };
}

export function recall(memory: Memory, pod: LivePod, container: LiveContainer): ContainerMemory {
  return (
    memory.containers[keyOf(pod, container)] ?? {
      pulls: 0,
      pullsSinceMs: 0,
      pullText: '',
      lastWaiting: '',
      exitCodes: [],
      outOfMemory: [],
      forgivenRestarts: 0,
      wasReady: false,
    }
  );
}

function keyOf(pod: LivePod, container: LiveContainer): string {
  return `${pod.uid}/${container.name}`;
}

/** Adds what is seen of the new Pods' containers to what was. Those of Pods that are gone are forgotten. */
export function remember(memory: Memory, pods: readonly LivePod[], nowMs: number): Memory['containers'] {
  return Object.fromEntries(
    pods.flatMap((pod) =>
      pod.containers.map((container) => [
        keyOf(pod, container),
        rememberContainer(recall(memory, pod, container), container, nowMs),
      ]),
    ),
  );
}

/** A container that has run for so long has got past what made it fail. */
const pastItsStartMs = 30_000;

const mostKept = 8;

function rememberContainer(seen: ContainerMemory, container: LiveContainer, nowMs: number): ContainerMemory {
  const waiting = container.waiting?.reason ?? '';
  const isProgress = hasProgressed(container, nowMs);
  const ends = [container.terminated, container.lastTerminated].flatMap((end) => end ?? []);
  const oom = ends
    .filter(({ reason }) => reason === 'OOMKilled')
    .map(({ containerID, finishedAt }) => containerID ?? finishedAt ?? '');
  return {
    ...rememberPulls(seen, container, nowMs),
    lastWaiting: waiting,
    exitCodes: isProgress ? [] : keep([...seen.exitCodes, ...ends.flatMap(({ exitCode }) => exitCode ?? [])]),
    outOfMemory: isProgress ? [] : keep([...seen.outOfMemory, ...oom]),
    forgivenRestarts: isProgress ? container.restarts : seen.forgivenRestarts,
    wasReady: seen.wasReady || container.isReady,
    ...(container.isStarted ? { startedMs: seen.startedMs ?? nowMs } : {}),
  };
}

function keep<T>(values: readonly T[]): T[] {
  return [...new Set(values)].slice(-mostKept);
}

/** Without a probe a container is ready and started as soon as it runs, which says nothing. */
function hasProgressed(container: LiveContainer, nowMs: number): boolean {
  if (container.runningSinceMs === undefined) return false;
  if (nowMs - container.runningSinceMs >= pastItsStartMs) return true;
  if (container.readinessProbe !== undefined && container.isReady) return true;
  return container.startupProbe !== undefined && container.isStarted;
}

export function isPullFailure(reason: string): boolean {
  return reason === 'ErrImagePull' || reason === 'ImagePullBackOff';
}

function rememberPulls(
  seen: ContainerMemory,
  { waiting, hasImage }: LiveContainer,
  nowMs: number,
): Pick<ContainerMemory, 'pulls' | 'pullsSinceMs' | 'pullText'> {
  if (waiting === undefined || !isPullFailure(waiting.reason)) {
    return hasImage ? { pulls: 0, pullsSinceMs: 0, pullText: '' } : pick(seen);
  }
  const isFirst = seen.pulls === 0;
  const isNext = waiting.reason === 'ErrImagePull' && seen.lastWaiting !== 'ErrImagePull';
  // "Back-off pulling image" alone tells no cause.
  const isTelling = waiting.message !== '' && !/^Back-off pulling image "[^"]*"\.?$/.test(waiting.message);
  return {
    pulls: isFirst || isNext ? seen.pulls + 1 : seen.pulls,
    pullsSinceMs: isFirst ? nowMs : seen.pullsSinceMs,
    pullText: isTelling ? waiting.message : seen.pullText,
  };
}

function pick({ pulls, pullsSinceMs, pullText }: ContainerMemory) {
  return { pulls, pullsSinceMs, pullText };
}

/** Times a container has ended, its present state among them. */
export function countExits({ restarts, runningSinceMs, terminated, lastTerminated }: LiveContainer): number {
  if (runningSinceMs !== undefined) return restarts;
  return restarts + (terminated !== undefined || lastTerminated !== undefined ? 1 : 0);
}

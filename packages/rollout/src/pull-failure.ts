import type { ContainerSighting } from './cause.ts';
import { shorten } from './finding-text.ts';
import { isPullFailure } from './memory.ts';
import type { Proof } from './sign.ts';

/** What a failed pull says. */
type PullFailure = 'foreign' | 'denied' | 'not-found' | 'other';

/** Reads the text of a container runtime; runtimes word it differently. */
function classifyPull(text: string): PullFailure {
  // Its text also ends in "not found".
  if (/no match for platform|no matching manifest for|does not match the specified platform/i.test(text)) {
    return 'foreign';
  }
  const isDenied =
    /unauthorized|\b401\b|\b403\b|forbidden|denied|authorization failed|insufficient_scope|no basic auth credentials|authentication required/i;
  if (isDenied.test(text)) return 'denied';
  if (/not found|manifest unknown|name unknown|does not exist|\b404\b/i.test(text)) return 'not-found';
  return 'other';
}

/** Undefined where the container isn't failing to pull. */
export function findPullFailure({ container, seen }: ContainerSighting): PullFailure | undefined {
  if (container.waiting === undefined || !isPullFailure(container.waiting.reason)) return undefined;
  return classifyPull(seen.pullText === '' ? container.waiting.message : seen.pullText);
}

/** A kubelet in back-off pulls again after ten seconds, so by then it has, though nobody saw it. */
const secondPullMs = 15_000;

/** That it failed so often. */
export function provePulls({ seen, view }: ContainerSighting, needed: number): Proof {
  const nextLookMs = seen.pullsSinceMs + secondPullMs;
  const byTime = view.observed.nowMs >= nextLookMs ? 2 : 1;
  return { kind: 'repeated', needed, times: Math.max(seen.pulls, byTime), nextLookMs };
}

/** The registry has the image only for other processors than the node's. */
export function isForeignToNode({ answer, platform }: ContainerSighting): boolean {
  return (
    platform !== undefined &&
    answer?.kind === 'found' &&
    answer.platforms.length > 0 &&
    !answer.platforms.some((one) => one === platform || one.startsWith(`${platform}/`))
  );
}

/** Of more than one Pod the image has come, so that it is a matter of the node. */
export function hasComeElsewhere({ container, pod, view }: ContainerSighting): boolean {
  return view.newPods.some(
    (other) =>
      other !== pod && other.containers.some(({ name, hasImage }) => name === container.name && hasImage),
  );
}

/** `image registry.example/app:2` */
export function sayImage({ container }: ContainerSighting): string {
  return `image ${shorten(container.image, 80)}`;
}

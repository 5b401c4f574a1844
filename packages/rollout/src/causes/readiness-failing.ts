import type { Cause, ContainerSighting } from '../cause.ts';
import { shorten } from '../finding-text.ts';
import type { Probe } from '../live-pod.ts';
import type { Proof } from '../sign.ts';

/** A container runs and doesn't become ready. */
export const readinessFailing: Cause = {
  code: 'readiness-failing',
  stage: 'probe',
  inContainer: (sighting) => {
    const { container, pod, seen, view } = sighting;
    if (container.runningSinceMs === undefined || container.isReady || container.isInit) return undefined;
    const proof = prove(sighting);
    const answer = findAnswer(sighting);
    const seconds = Math.round((view.observed.nowMs - container.runningSinceMs) / 1_000);
    const lacksProbe = container.usesGpu && container.startupProbe === undefined;
    return {
      words: {
        wrong: 'does not become ready',
        seen: [
          `container ${container.name} of Pod ${pod.name} has run for ${seconds} s and is not ready`,
          ...(answer === undefined ? [] : [shorten(answer, 90)]),
        ],
        fix: seen.wasReady ? 'See its log lines' : `Check ${sayProbe(container.readinessProbe)}`,
        details:
          proof.kind === 'open' && lacksProbe
            ? [
                'Without a startupProbe nothing says how long loading may take: add one to have this told sooner.',
              ]
            : [],
      },
      proof,
      isNodeBound: true,
      container: { name: container.name, isPrevious: false },
    };
  },
};

function sayProbe(probe: Probe | undefined): string {
  const get = probe?.httpGet;
  if (get === undefined) return 'its readinessProbe';
  return `its readinessProbe, GET ${shorten(get.path ?? '/', 40)} on port ${get.port ?? '?'}`;
}

/**
 * All the time that the manifest grants: its startup probe's, then `initialDelay + max(3, failureThreshold) × period` of
 * the readiness probe, and never before a whole round of it after the container started. Where a container uses a GPU
 * and has no startup probe, nothing says how long loading its model may take, and only the rollout's deadline ends it.
 */
function prove({ container, seen }: ContainerSighting): Proof {
  const { readinessProbe, startupProbe, runningSinceMs = 0 } = container;
  if (seen.wasReady || readinessProbe === undefined) return { kind: 'open' };
  if (startupProbe === undefined && container.usesGpu) return { kind: 'open' };
  const startupMs =
    startupProbe === undefined
      ? 0
      : delayMs(startupProbe) + roundMs(startupProbe, 1) + timeoutMs(startupProbe);
  const round = roundMs(readinessProbe, 3);
  const byGrantMs = runningSinceMs + startupMs + delayMs(readinessProbe) + round;
  const afterStartMs = seen.startedMs === undefined ? 0 : seen.startedMs + round;
  return { kind: 'budget', untilMs: Math.max(byGrantMs, afterStartMs) };
}

function delayMs({ initialDelaySeconds }: Probe): number {
  return (initialDelaySeconds ?? 0) * 1_000;
}

function timeoutMs({ timeoutSeconds }: Probe): number {
  return (timeoutSeconds ?? 1) * 1_000;
}

function roundMs({ failureThreshold, periodSeconds }: Probe, least: number): number {
  return Math.max(least, failureThreshold ?? 3) * (periodSeconds ?? 10) * 1_000;
}

/** What the probe was answered last, where an event tells. */
function findAnswer({ pod, view }: ContainerSighting): string | undefined {
  return view.events
    .filter(({ uid, reason }) => uid === pod.uid && reason === 'Unhealthy')
    .toSorted((left, right) => right.lastMs - left.lastMs)[0]?.message;
}

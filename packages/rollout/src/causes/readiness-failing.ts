import type { Cause, ContainerSighting } from '../cause.ts';
import { shorten } from '../finding-text.ts';
import type { Probe } from '../live-pod.ts';
import type { Proof } from '../sign.ts';

/** A container runs and doesn't become ready. */
export const readinessFailing: Cause = {
  code: 'readiness-failing',
  stage: 'probe',
  inContainer: (sighting) => {
    const { container, pod, seen } = sighting;
    if (container.runningSinceMs === undefined || container.isReady || container.isInit) return undefined;
    const proof = prove(sighting);
    if (proof === undefined) return undefined;
    const answer = findAnswer(sighting);
    return {
      words: {
        wrong: proof.kind === 'waiting' ? 'is not ready yet' : 'does not become ready',
        seen: [
          `container ${container.name} of Pod ${pod.name} runs and is not ready`,
          ...(answer === undefined ? [] : [shorten(answer, 90)]),
        ],
        fix: seen.wasReady ? 'See its log lines' : `Check ${sayProbe(container.readinessProbe)}`,
        details: [...sayGranted(sighting, proof), ...(answer === undefined ? [] : [shorten(answer, 1_000)])],
      },
      proof,
      isNodeBound: true,
      container: { name: container.name, isPrevious: false },
    };
  },
};

function sayGranted({ container }: ContainerSighting, proof: Proof): readonly string[] {
  if (proof.kind === 'waiting' && proof.untilMs !== undefined) {
    return [`Its probes grant it until ${new Date(proof.untilMs).toISOString()}.`];
  }
  if (proof.kind !== 'open' || container.startupProbe !== undefined) return [];
  return ['Without a startupProbe nothing says how long loading may take: add one to have this told sooner.'];
}

function sayProbe(probe: Probe | undefined): string {
  const get = probe?.httpGet;
  if (get === undefined) return 'its readinessProbe';
  return `its readinessProbe, GET ${shorten(get.path ?? '/', 40)} on port ${get.port ?? '?'}`;
}

/** Without a probe a container is ready as soon as it runs; a readiness gate may hold its Pod. */
const unprobedMs = 10_000;

/**
 * All the time that the manifest grants: its startup probe's, then `initialDelay + max(3, failureThreshold) × period` of
 * the readiness probe, and never before a whole round of it after the container started. Where a container uses a GPU
 * and has no startup probe, nothing says how long loading its model may take, and only the rollout's deadline ends it.
 */
function prove({ container, seen, view }: ContainerSighting): Proof | undefined {
  const { readinessProbe, startupProbe, runningSinceMs = 0 } = container;
  const { nowMs } = view.observed;
  if (readinessProbe === undefined) {
    return nowMs - runningSinceMs < unprobedMs ? undefined : { kind: 'open' };
  }
  const startupMs =
    startupProbe === undefined
      ? 0
      : delayMs(startupProbe) + roundMs(startupProbe, 1) + timeoutMs(startupProbe);
  const round = roundMs(readinessProbe, 3);
  const byGrantMs = runningSinceMs + startupMs + delayMs(readinessProbe) + round;
  const afterStartMs = seen.startedMs === undefined ? 0 : seen.startedMs + round;
  const untilMs = Math.max(byGrantMs, afterStartMs);
  if (nowMs < untilMs) return { kind: 'waiting', untilMs };
  const isUnbounded = seen.wasReady || (startupProbe === undefined && container.usesGpu);
  return isUnbounded ? { kind: 'open' } : { kind: 'settled' };
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
    .toSorted((left, right) => right.lastMs - left.lastMs)[0]
    ?.message.replace(/^Readiness probe failed: /, '');
}

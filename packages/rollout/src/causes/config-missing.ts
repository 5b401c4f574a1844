import type { Cause, ContainerSighting } from '../cause.ts';
import { shorten } from '../finding-text.ts';
import type { AskedObject, ObjectAnswer } from '../rollout-assessment.ts';
import type { Proof } from '../sign.ts';

/** A ConfigMap or Secret, or a key of it, that a container is to be made with and that isn't there. */
export const configMissing: Cause = {
  code: 'config-missing',
  stage: 'config',
  inContainer: (sighting) => {
    const { container, pod } = sighting;
    const text = findComplaint(sighting);
    if (text === undefined) return undefined;
    const missed = readMissed(text);
    const what = missed === undefined ? shorten(text, 120) : sayMissed(missed);
    return {
      words: {
        wrong: 'cannot start',
        seen: [what, `container ${container.name} of Pod ${pod.name}`],
        fix: missed === undefined ? 'Correct its env or volumes' : sayFix(missed, pod.namespace),
        details: [shorten(text, 1_000)],
      },
      proof: prove(sighting, missed),
      isNodeBound: false,
    };
  },
};

/** What a kubelet misses. */
export type Missed = Pick<AskedObject, 'kind' | 'name' | 'key'>;

/** The object that a container waits for; undefined where it waits for none that can be asked about. */
export function findMissed(sighting: ContainerSighting): Missed | undefined {
  const text = findComplaint(sighting);
  return text === undefined ? undefined : readMissed(text);
}

function findComplaint({ container, pod, view }: ContainerSighting): string | undefined {
  const { waiting } = container;
  if (waiting?.reason === 'CreateContainerConfigError') {
    // A busy kubelet that hasn't read it yet; and what isn't about configuration.
    return /failed to sync|runAsNonRoot|non-root/i.test(waiting.message) ? undefined : waiting.message;
  }
  if (waiting?.reason !== 'ContainerCreating' && waiting?.reason !== 'PodInitializing') return undefined;
  if (pod.containers[0]?.name !== container.name) return undefined;
  // A volume of it keeps all containers, which only an event tells.
  return view.events
    .filter(({ uid, reason }) => uid === pod.uid && reason === 'FailedMount')
    .toSorted((left, right) => right.lastMs - left.lastMs)
    .find(({ message }) => readMissed(message) !== undefined)?.message;
}

const kinds = { configmap: 'ConfigMap', secret: 'Secret' } as const;

function readMissed(text: string): Missed | undefined {
  if (/failed to sync/i.test(text)) return undefined;
  const whole = /\b(configmap|secret) "([^"]{1,253})" not found/i.exec(text);
  if (whole !== null) {
    const kind = whole[1]?.toLowerCase() === 'secret' ? kinds.secret : kinds.configmap;
    return { kind, name: whole[2] ?? '', key: undefined };
  }
  const part = /couldn't find key (\S{1,253}) in (ConfigMap|Secret) (?:[^/\s]+\/)?(\S{1,253})/i.exec(text);
  if (part === null) return undefined;
  const kind = part[2]?.toLowerCase() === 'secret' ? kinds.secret : kinds.configmap;
  return { kind, name: part[3] ?? '', key: part[1] };
}

function sayMissed({ kind, name, key }: Missed): string {
  return key === undefined ? `${kind} ${name} is not there` : `${kind} ${name} has no key ${key}`;
}

function sayFix({ kind, name, key }: Missed, namespace: string): string {
  const place = namespace === '' ? '' : ` in namespace ${namespace}`;
  return key === undefined
    ? `Create ${kind} ${name}${place}`
    : `Add the key ${key} to ${kind} ${name}${place}`;
}

/** A kubelet tries again after ten to fifteen seconds; only then is its complaint new. */
const secondTryMs = 16_000;

function prove({ findObject, view, pod }: ContainerSighting, missed: Missed | undefined): Proof {
  const answer: ObjectAnswer | undefined =
    missed === undefined ? undefined : findObject(missed.kind, missed.name, missed.key);
  if (answer === 'there') return { kind: 'waiting' };
  if (answer === 'missing') return { kind: 'lasting', forMs: 2_000 };
  const isRepeated = view.events.some(
    (event) =>
      event.uid === pod.uid &&
      (event.reason === 'Failed' || event.reason === 'FailedMount') &&
      readMissed(event.message)?.name === missed?.name &&
      event.count > 1 &&
      event.lastMs - event.firstMs >= 2_000,
  );
  return { kind: 'lasting', forMs: isRepeated ? 2_000 : secondTryMs };
}

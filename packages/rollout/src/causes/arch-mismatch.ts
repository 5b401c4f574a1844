import type { Cause, ContainerSighting, Shortage } from '../cause.ts';
import { list, shorten, type Words } from '../finding-text.ts';
import { findPullFailure, isForeignToNode, sayImage } from '../pull-failure.ts';
import type { Proof } from '../sign.ts';

/** The image isn't built for the node's processor. */
export const archMismatch: Cause = {
  code: 'arch-mismatch',
  stage: 'image',
  placement: {
    weigh: (reason) => (reason.kind === 'architecture' ? 20 : undefined),
    endsWithNewNode: true,
    describe: describeShortage,
  },
  inContainer: (sighting) => {
    const proof = prove(sighting);
    if (proof === undefined) return undefined;
    const { container, pod, platform, answer } = sighting;
    const has = answer?.kind === 'found' ? ` and is for ${list(answer.platforms)}` : '';
    const node = `node ${pod.nodeName ?? ''} is ${platform ?? 'of another architecture'}`;
    return {
      words: {
        wrong: 'cannot start',
        seen: [`${sayImage(sighting)} has nothing for its node${has}`, node, `Pod ${pod.name}`],
        fix:
          platform === undefined
            ? "Build it for the node's platform too"
            : `Build it for ${platform} too, or select nodes by kubernetes.io/arch`,
        details: [shorten(textOf(sighting), 1_000)],
      },
      proof,
      isNodeBound: true,
      ...(answer === undefined ? { askedImage: container.image } : {}),
    };
  },
};

function textOf({ container, seen }: ContainerSighting): string {
  const { waiting, terminated, lastTerminated } = container;
  if (seen.pullText !== '') return seen.pullText;
  return terminated?.message ?? lastTerminated?.message ?? waiting?.message ?? '';
}

function prove(sighting: ContainerSighting): Proof | undefined {
  const { container, answer } = sighting;
  const failure = findPullFailure(sighting);
  if (failure === 'foreign') return { kind: 'settled' };
  if (failure !== undefined) {
    return failure !== 'other' && isForeignToNode(sighting) ? { kind: 'settled' } : undefined;
  }
  const end = container.terminated ?? container.lastTerminated;
  if (container.runningSinceMs !== undefined || end === undefined || end.exitCode === 0) return undefined;
  const isFormat = /exec format error/i.test(`${end.message ?? ''} ${container.waiting?.message ?? ''}`);
  if (isForeignToNode(sighting)) return { kind: 'settled' };
  // A script without an interpreter line says the same on the right processor.
  if (!isFormat || answer?.kind === 'found') return undefined;
  return answer === undefined ? { kind: 'lasting', forMs: 4_000 } : { kind: 'lasting', forMs: 2_000 };
}

function describeShortage(shortage: Shortage): Words | undefined {
  const foreign = shortage.nearest.flatMap(({ occupied, verdict }) =>
    verdict.reasons.flatMap((reason) =>
      reason.kind === 'architecture' ? [{ ...reason, name: occupied.node.name }] : [],
    ),
  );
  const [first] = foreign;
  if (first === undefined) return undefined;
  const names = [...new Set(foreign.map(({ name }) => name))];
  return {
    wrong: 'cannot run',
    seen: [
      `image ${shorten(first.image, 60)} is only for ${list(first.platforms)}`,
      `${list(names, 2)} ${names.length === 1 ? 'is' : 'are'} ${first.node}`,
    ],
    fix: `Build it for ${first.node} too`,
  };
}

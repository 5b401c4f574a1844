import type { Cause, ContainerSighting } from '../cause.ts';
import { shorten } from '../finding-text.ts';
import { findPullFailure, hasComeElsewhere, isForeignToNode, provePulls, sayImage } from '../pull-failure.ts';
import type { Proof, Sign } from '../sign.ts';

/** The registry has no such image. */
export const imageNotFound: Cause = {
  code: 'image-not-found',
  stage: 'image',
  inContainer: (sighting) => {
    const { container, answer } = sighting;
    const reason = container.waiting?.reason;
    if (reason === 'InvalidImageName') return sayUnusable(sighting, 'no reference of an image');
    if (reason === 'ErrImageNeverPull')
      return sayUnusable(sighting, 'not on the node, and imagePullPolicy is Never');
    const failure = findPullFailure(sighting);
    // A registry that tells strangers "denied" for what it doesn't have has told us.
    const isMeant = failure === 'not-found' || (failure === 'denied' && answer?.kind === 'not-found');
    if (!isMeant || isForeignToNode(sighting)) return undefined;
    return {
      words: {
        wrong: 'cannot start',
        seen: [`${sayImage(sighting)} is not in its registry`, sayWho(sighting)],
        fix: 'Push it, or correct the reference',
        details: [shorten(sighting.seen.pullText, 1_000)],
      },
      proof: prove(sighting),
      isNodeBound: hasComeElsewhere(sighting),
      ...(answer === undefined ? { askedImage: container.image } : {}),
    };
  },
};

function sayWho({ answer, container, pod }: ContainerSighting): string {
  const who = answer?.kind === 'not-found' ? 'the kubelet and the registry say' : 'the kubelet says';
  return `${who} of container ${container.name} of Pod ${pod.name}`;
}

function prove(sighting: ContainerSighting): Proof {
  switch (sighting.answer?.kind) {
    case 'not-found':
      return { kind: 'settled' };
    case 'found':
      // A mirror may lag behind the registry.
      return provePulls(sighting, 3);
    default:
      return provePulls(sighting, 2);
  }
}

function sayUnusable(sighting: ContainerSighting, what: string): Sign {
  const { container, pod } = sighting;
  return {
    words: {
      wrong: 'cannot start',
      seen: [`${sayImage(sighting)} is ${what}`, `container ${container.name} of Pod ${pod.name}`],
      fix: 'Correct the reference',
    },
    proof: { kind: 'settled' },
    isNodeBound: container.waiting?.reason === 'ErrImageNeverPull',
  };
}

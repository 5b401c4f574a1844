import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';
import { findPullFailure, hasComeElsewhere, isForeignToNode, provePulls, sayImage } from '../pull-failure.ts';

/** The registry wants to know who asks, or doesn't let the node have the image. */
export const imagePullDenied: Cause = {
  code: 'image-pull-denied',
  stage: 'image',
  inContainer: (sighting) => {
    const { container, pod, answer } = sighting;
    if (findPullFailure(sighting) !== 'denied' || answer?.kind === 'not-found' || isForeignToNode(sighting)) {
      return undefined;
    }
    const [host = ''] = container.image.split('/');
    const isAmbiguous = /may require authorization|does not exist/i.test(sighting.seen.pullText);
    return {
      words: {
        wrong: 'cannot start',
        seen: [
          `the registry denies ${sayImage(sighting)}`,
          ...(isAmbiguous && answer?.kind !== 'found' ? ['or has no such repository'] : []),
          `container ${container.name} of Pod ${pod.name}`,
        ],
        fix: `Add an imagePullSecret for ${host.includes('.') || host.includes(':') ? host : 'docker.io'}`,
        details: [withoutUser(shorten(sighting.seen.pullText, 1_000))],
      },
      proof: provePulls(sighting, 2),
      isNodeBound: hasComeElsewhere(sighting),
      ...(answer === undefined ? { askedImage: container.image } : {}),
    };
  },
};

/** Some registries name the account in their refusal. */
function withoutUser(text: string): string {
  return text.replace(/\b(?:user(?:name)?|account)[ :=]+["']?[\w.@-]+["']?/gi, 'user …');
}

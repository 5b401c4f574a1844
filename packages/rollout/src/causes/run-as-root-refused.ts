import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** The Pod forbids root and the image would run as root, or as a user whose number isn't known. */
export const runAsRootRefused: Cause = {
  code: 'run-as-root-refused',
  stage: 'config',
  inContainer: ({ container, pod }) => {
    const { waiting } = container;
    if (waiting?.reason !== 'CreateContainerConfigError') return undefined;
    if (!/runAsNonRoot|non-root/i.test(waiting.message)) return undefined;
    return {
      words: {
        wrong: 'cannot start',
        seen: [
          `container ${container.name} of Pod ${pod.name} must not run as root`,
          shorten(waiting.message, 90),
        ],
        fix: 'Set securityContext.runAsUser to a number above 0',
      },
      proof: { kind: 'settled' },
      isNodeBound: false,
    };
  },
};

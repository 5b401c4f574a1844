import type { Cause } from '../cause.ts';
import { proveExits, sayExitCode } from '../exits.ts';
import { shorten } from '../finding-text.ts';
import { countExits } from '../memory.ts';

/** An init container fails, so that the Pod's containers never begin. */
export const initFailed: Cause = {
  code: 'init-failed',
  stage: 'container',
  inContainer: (sighting) => {
    const { container, pod, view } = sighting;
    const end = container.terminated ?? container.lastTerminated;
    if (!container.isInit || container.runningSinceMs !== undefined || end === undefined) return undefined;
    if ((end.exitCode ?? 0) === 0 || end.reason === 'OOMKilled') return undefined;
    const exits = countExits(container);
    return {
      words: {
        wrong: 'cannot start',
        seen: [
          `init container ${container.name} of Pod ${pod.name} ends with exit code ${sayExitCode(end.exitCode ?? 0)}, ${exits === 1 ? 'once' : `${exits} times`} so far`,
          ...(end.message === undefined ? [] : [shorten(end.message, 80)]),
        ],
        fix: 'See its last log lines',
      },
      proof:
        view.workload.kind === 'Job'
          ? { kind: 'open' }
          : pod.restartPolicy === 'Never'
            ? { kind: 'settled' }
            : proveExits(sighting),
      isNodeBound: true,
      container: {
        name: container.name,
        isPrevious: container.terminated === undefined && container.restarts > 0,
      },
    };
  },
};

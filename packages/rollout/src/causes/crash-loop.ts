import type { Cause, ContainerSighting } from '../cause.ts';
import { proveExits, sayExitCode } from '../exits.ts';
import { shorten } from '../finding-text.ts';
import { countExits } from '../memory.ts';
import type { Proof } from '../sign.ts';

/** A container ends again and again. */
export const crashLoop: Cause = {
  code: 'crash-loop',
  stage: 'container',
  inContainer: (sighting) => {
    const { container, pod } = sighting;
    const end = container.terminated ?? container.lastTerminated;
    if (container.isInit || container.runningSinceMs !== undefined || end === undefined) return undefined;
    if (end.reason === 'OOMKilled' || !isWrong(sighting, end.exitCode ?? 0)) return undefined;
    const exits = countExits(container);
    const code = end.exitCode ?? 0;
    const said = end.message ?? container.waiting?.message ?? '';
    return {
      words: {
        wrong: 'cannot stay up',
        seen: [
          `container ${container.name} of Pod ${pod.name} ends with exit code ${sayExitCode(code)}, ${exits === 1 ? 'once' : `${exits} times`} so far`,
          ...(end.message === undefined ? [] : [shorten(end.message, 80)]),
        ],
        fix: code === 0 ? 'Let its process go on, or make it a Job' : 'See its last log lines',
        details: said === '' ? [] : [shorten(said, 1_000)],
      },
      proof: prove(sighting),
      isNodeBound: true,
      container: {
        name: container.name,
        isPrevious: container.terminated === undefined && container.restarts > 0,
      },
    };
  },
};

function isWrong({ pod, view }: ContainerSighting, code: number): boolean {
  if (code !== 0) return true;
  // An end is what Jobs and Pods that aren't restarted are for.
  return pod.restartPolicy === 'Always' && view.workload.kind !== 'Job';
}

function prove(sighting: ContainerSighting): Proof {
  const { pod, view } = sighting;
  // How many failures a Job may have is its own to say, and it says when they are spent.
  if (view.workload.kind === 'Job') return { kind: 'open' };
  return pod.restartPolicy === 'Never' ? { kind: 'settled' } : proveExits(sighting);
}

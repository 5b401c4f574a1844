import type { Cause, ContainerSighting } from '../cause.ts';
import { countExits } from '../memory.ts';
import type { Proof } from '../sign.ts';

/** A container is killed because it uses more memory than its limit. */
export const oomKilled: Cause = {
  code: 'oom-killed',
  stage: 'container',
  inContainer: (sighting) => {
    const { container, pod } = sighting;
    const end = container.terminated ?? container.lastTerminated;
    if (container.runningSinceMs !== undefined || end?.reason !== 'OOMKilled') return undefined;
    const { memoryLimit } = container;
    const limit = memoryLimit === undefined ? 'it has no memory limit' : `its memory limit is ${memoryLimit}`;
    const exits = countExits(container);
    return {
      words: {
        wrong: 'cannot stay up',
        seen: [
          `container ${container.name} of Pod ${pod.name} is killed for lack of memory (exit code 137), ${exits === 1 ? 'once' : `${exits} times`} so far`,
          limit,
        ],
        fix:
          memoryLimit === undefined
            ? 'Set a memory request that its node can give'
            : 'Raise the memory limit',
        details: ["This is the host's memory, not the GPU's."],
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

function prove({ container, pod, seen, view }: ContainerSighting): Proof {
  if (view.workload.kind === 'Job') return { kind: 'open' };
  if (pod.restartPolicy === 'Never') return { kind: 'settled' };
  // Ends between two looks are only counted, so all that were seen must be of this kind.
  const isAlways = seen.exitCodes.every((code) => code === 137);
  const exits = isAlways ? countExits(container) - seen.forgivenRestarts : 0;
  return { kind: 'repeated', times: Math.max(seen.outOfMemory.length, exits), needed: 2 };
}

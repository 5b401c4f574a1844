import type { Cause, Shortage } from '../cause.ts';
import { list } from '../finding-text.ts';
import { isGpu, lackedResources, sayAmount, sayUnplaced } from '../resource-words.ts';

/** A device plugin that restarts takes the GPUs out of `allocatable` for some seconds. */
const pluginRestartMs = 30_000;

/** No node that was meant has a GPU at all, or none that is offered. */
export const gpuNone: Cause = {
  code: 'gpu-none',
  stage: 'scheduling',
  placement: {
    weigh: (reason) =>
      reason.kind === 'resource' && isGpu(reason.resource) && reason.allocatable === 0n ? 40 : undefined,
    endsWithNewNode: true,
    settleMs: (shortage) => (findSilentPlugins(shortage).length > 0 ? pluginRestartMs : undefined),
    describe: (shortage) => {
      const [resource] = lackedResources(shortage, isGpu);
      if (resource === undefined) return undefined;
      const names = shortage.nearest.map(({ occupied }) => occupied.node.name);
      const silent = findSilentPlugins(shortage);
      const asked = sayAmount(resource, shortage.request.get(resource) ?? 0n);
      return {
        wrong: sayUnplaced(shortage),
        seen: [`each asks for ${asked} and no node that suits offers ${resource}`, `nodes ${list(names, 2)}`],
        fix:
          silent.length > 0
            ? `Start the device plugin on ${list(silent, 2)}`
            : `Add a node with ${resource}, or install its device plugin`,
      };
    },
  },
};

/** Nodes that are labelled as having a GPU and offer none. */
function findSilentPlugins({ nearest }: Shortage): readonly string[] {
  return nearest
    .filter(({ occupied }) => {
      const { labels } = occupied.node;
      return (
        labels.get('nvidia.com/gpu.present') === 'true' || Number(labels.get('nvidia.com/gpu.count') ?? 0) > 0
      );
    })
    .map(({ occupied }) => occupied.node.name);
}

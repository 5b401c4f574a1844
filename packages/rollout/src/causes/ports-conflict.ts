import type { Cause } from '../cause.ts';
import { sayUnplaced } from '../resource-words.ts';

/** The nodes that were meant have the Pod's host ports taken. */
export const portsConflict: Cause = {
  code: 'ports-conflict',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'host-port' ? 1 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const [taken] = shortage.nearest.flatMap(({ occupied, verdict }) =>
        verdict.reasons.flatMap((reason) =>
          reason.kind === 'host-port' ? [{ ...reason, node: occupied.node.name }] : [],
        ),
      );
      if (taken === undefined) return undefined;
      const { port, holder, node } = taken;
      // A copy that was placed for the sake of the count has no name.
      const by = holder === '' || holder.endsWith('/') ? 'by another Pod of its own' : `by Pod ${holder}`;
      return {
        wrong: sayUnplaced(shortage),
        seen: [`host port ${port.port}/${port.protocol} is taken on ${node} ${by}`],
        fix:
          shortage.placed > 0 && shortage.hasReplicas
            ? `Set replicas: ${shortage.placed}, or remove hostPort ${port.port}`
            : `Choose another hostPort, or remove it`,
      };
    },
  },
};

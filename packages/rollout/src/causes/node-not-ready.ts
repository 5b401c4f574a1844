import { renderTaint, type Taint } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';
import { sayUnplaced } from '../resource-words.ts';

/** Taints that the cluster adds and takes away by itself. */
const passing: ReadonlySet<string> = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/network-unavailable',
  'node.kubernetes.io/disk-pressure',
  'node.kubernetes.io/memory-pressure',
  'node.kubernetes.io/pid-pressure',
  'node.cloudprovider.kubernetes.io/uninitialized',
  'ToBeDeletedByClusterAutoscaler',
]);

export function isPassing({ key }: Taint): boolean {
  return passing.has(key);
}

/** The nodes that were meant are starting, lost or under pressure: it may end by itself. */
export const nodeNotReady: Cause = {
  code: 'node-not-ready',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'taint' && isPassing(reason.taint) ? 6 : undefined),
    endsWithNewNode: true,
    settleMs: () => Number.POSITIVE_INFINITY,
    describe: (shortage) => {
      const nodes = shortage.nearest.flatMap(({ occupied, verdict }) => {
        const taint = verdict.reasons.find((reason) => reason.kind === 'taint' && isPassing(reason.taint));
        return taint?.kind === 'taint' ? [{ name: occupied.node.name, taint: taint.taint }] : [];
      });
      const [first] = nodes;
      if (first === undefined) return undefined;
      return {
        wrong: sayUnplaced(shortage),
        seen: [
          `nodes that would suit aren't ready, ${list(nodes.map(({ name }) => name))}`,
          `taint ${renderTaint(first.taint)}`,
        ],
        fix: `Bring ${first.name} back`,
      };
    },
  },
};

import { renderTaint, type Taint } from '@sophia/scheduling';
import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';
import { sayUnplaced } from '../resource-words.ts';
import { isPassing } from './node-not-ready.ts';

/** The nodes that were meant keep Pods away that don't tolerate their taint. */
export const taintNotTolerated: Cause = {
  code: 'taint-not-tolerated',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'taint' && !isPassing(reason.taint) ? 5 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const [nearest] = shortage.nearest.filter(({ verdict }) =>
        verdict.reasons.some(({ kind }) => kind === 'taint'),
      );
      if (nearest === undefined) return undefined;
      const taints = nearest.verdict.reasons.flatMap((reason) =>
        reason.kind === 'taint' && !isPassing(reason.taint) ? [reason.taint] : [],
      );
      const [first] = taints;
      if (first === undefined) return undefined;
      const names = shortage.nearest.map(({ occupied }) => occupied.node.name);
      return {
        wrong: sayUnplaced(shortage),
        seen: [`what would suit has the taint ${renderTaint(first)}`, list(names, 2)],
        fix:
          taints.length === 1
            ? `Add the toleration {${fieldsOf(first).join(', ')}}`
            : `Tolerate all ${taints.length} taints`,
        details: ['tolerations:', ...taints.flatMap(toYaml)],
      };
    },
  },
};

function fieldsOf({ key, value, effect }: Taint): readonly string[] {
  const match =
    value === ''
      ? 'operator: Exists'
      : `value: ${/^(?:true|false|yes|no|on|off|[\d.-].*)$/i.test(value) ? JSON.stringify(value) : value}`;
  return [`key: ${key}`, match, `effect: ${effect}`];
}

function toYaml(taint: Taint): readonly string[] {
  return fieldsOf(taint).map((field, index) => `${index === 0 ? '  - ' : '    '}${field}`);
}

import {
  type FailedRequirement,
  findNearestLabel,
  type NearestLabel,
  type NodeIdentity,
} from '@sophia/scheduling';
import type { Candidate, Cause, Shortage } from '../cause.ts';
import { list, shorten } from '../finding-text.ts';
import { sayUnplaced } from '../resource-words.ts';

/** No node has the labels that the Pod demands. */
export const nodeLabelMissing: Cause = {
  code: 'node-label-missing',
  stage: 'scheduling',
  placement: {
    weigh: (reason) => (reason.kind === 'node-selector' || reason.kind === 'node-affinity' ? 50 : undefined),
    endsWithNewNode: true,
    describe: (shortage) => {
      const requirement = findWantedRequirement(shortage);
      if (requirement === undefined) {
        return {
          wrong: sayUnplaced(shortage),
          seen: ['its node affinity has no term that a node can meet'],
          fix: 'Correct nodeSelectorTerms',
        };
      }
      const nodes = shortage.nodes.map(({ occupied }) => occupied.node);
      const nearest = findNearestLabel(requirement, nodes);
      return {
        wrong: sayUnplaced(shortage),
        seen: [
          sayLacking(requirement, nodes),
          ...(nearest === undefined ? [] : [sayNearest(nearest)]),
          ...sayPresent(requirement, nodes),
        ],
        fix: sayFix(requirement, nearest, shortage),
      };
    },
  },
};

/** The requirement that fails on most of the nodes that come nearest. */
function findWantedRequirement({ nearest }: Shortage): FailedRequirement | undefined {
  const failed = nearest.flatMap(failedOn);
  const byText = Map.groupBy(failed, ({ key, operator, values }) => JSON.stringify([key, operator, values]));
  const [most] = [...byText.values()].sort((left, right) => right.length - left.length);
  return most?.[0];
}

function failedOn({ verdict }: Candidate): readonly FailedRequirement[] {
  return verdict.reasons.flatMap((reason) => {
    if (reason.kind === 'node-selector') return [reason.failed];
    if (reason.kind !== 'node-affinity') return [];
    const [shortest] = reason.terms
      .filter((term) => term.length > 0)
      .toSorted((left, right) => left.length - right.length);
    return shortest ?? [];
  });
}

function sayLacking(requirement: FailedRequirement, nodes: readonly NodeIdentity[]): string {
  const wanted = shorten(write(requirement), 60);
  if (nodes.length === 0) return `${wanted} is wanted and there is no node`;
  const isMet =
    requirement.operator === 'In' &&
    valuesOf(requirement, nodes).some((value) => requirement.values.includes(value));
  return isMet ? `no node has ${wanted} and the other labels that are wanted` : `no node has ${wanted}`;
}

function valuesOf({ key }: FailedRequirement, nodes: readonly NodeIdentity[]): readonly string[] {
  return [...new Set(nodes.flatMap(({ labels }) => labels.get(key) ?? []))].toSorted();
}

function sayPresent(requirement: FailedRequirement, nodes: readonly NodeIdentity[]): readonly string[] {
  if (nodes.length === 0) return [];
  const values = valuesOf(requirement, nodes);
  return [values.length === 0 ? 'nor any node that label' : `the label's values are ${list(values, 4)}`];
}

function write({ key, operator, values }: FailedRequirement): string {
  if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
  return values.length === 0 ? `${key} ${operator}` : `${key} ${operator} (${values.join(', ')})`;
}

function sayNearest({ key, value, nodes }: NearestLabel): string {
  return `nearest is ${key}=${value} on ${list(nodes, 2)}`;
}

function sayFix(
  requirement: FailedRequirement,
  nearest: NearestLabel | undefined,
  { nodes, nearest: candidates }: Shortage,
): string {
  if (nearest !== undefined) return `Set ${nearest.key}: ${nearest.value}`;
  const [candidate] = candidates.length > 0 ? candidates : nodes;
  if (candidate === undefined) return 'Add a node';
  if (requirement.operator !== 'In') return 'Change the node affinity';
  return `Label a node: kubectl label node ${candidate.occupied.node.name} ${requirement.key}=${requirement.values[0] ?? ''}`;
}

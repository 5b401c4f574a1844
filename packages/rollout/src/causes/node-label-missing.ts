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
        seen: [saySeen(requirement, nodes), ...(nearest === undefined ? [] : [sayNearest(nearest)])],
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

function saySeen(requirement: FailedRequirement, nodes: readonly NodeIdentity[]): string {
  const wanted = shorten(write(requirement), 60);
  const having = [...new Set(nodes.flatMap(({ labels }) => labels.get(requirement.key) ?? []))].toSorted();
  if (nodes.length === 0) return `no node is there, and ${wanted} is wanted`;
  const isMet = having.some((value) => requirement.operator === 'In' && requirement.values.includes(value));
  if (isMet) return `no node has ${wanted} and the other labels that are wanted`;
  const present = having.length === 0 ? 'no node has the label' : `nodes have ${list(having, 4)}`;
  return `no node has ${wanted}, ${present}`;
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

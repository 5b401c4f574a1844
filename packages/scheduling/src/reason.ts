import { type FailedRequirement, renderRequirement } from './node-affinity.ts';
import type { HostPort, UnjudgedConstraint } from './pod.ts';
import { formatQuantity } from './quantity.ts';
import { renderTaint, type Taint } from './taints.ts';

/** Why a Pod can't be placed on a node, or, with `unknown`, why that can't be told. Amounts are nano-units. */
export type Reason =
  | { readonly kind: 'cordoned' }
  | { readonly kind: 'other-node'; readonly wanted: string }
  | { readonly kind: 'taint'; readonly taint: Taint }
  | { readonly kind: 'node-selector'; readonly failed: FailedRequirement }
  /** For each term what fails of it; a term that no node can meet has an empty list. */
  | { readonly kind: 'node-affinity'; readonly terms: readonly (readonly FailedRequirement[])[] }
  | { readonly kind: 'host-port'; readonly port: HostPort; readonly holder: string }
  | { readonly kind: 'pods-full'; readonly allocatable: bigint; readonly used: bigint }
  | {
      readonly kind: 'resource';
      readonly resource: string;
      readonly requested: bigint;
      readonly allocatable: bigint;
      readonly used: bigint;
      /** Even the empty node is too small. */
      readonly isUnresolvable: boolean;
    }
  | {
      readonly kind: 'architecture';
      readonly image: string;
      readonly platforms: readonly string[];
      readonly node: string;
    }
  | { readonly kind: 'unknown'; readonly constraint: UnjudgedConstraint; readonly detail: string };

/**
 * Says a reason in one sentence.
 *
 * @param node The node's name.
 */
export function renderReason(node: string, reason: Reason): string {
  switch (reason.kind) {
    case 'cordoned':
      return `Node ${node} is cordoned (spec.unschedulable).`;
    case 'other-node':
      return `Node ${node} is not the node ${reason.wanted} that spec.nodeName demands.`;
    case 'taint':
      return `Node ${node} has the taint ${renderTaint(reason.taint)}, and no toleration of the Pod matches it.`;
    case 'node-selector':
      return `Node ${node} doesn't match the nodeSelector: ${renderFailed(reason.failed)}.`;
    case 'node-affinity':
      return renderAffinity(node, reason.terms);
    case 'host-port':
      return `Node ${node} has host port ${reason.port.port}/${reason.port.protocol} taken by Pod ${reason.holder}.`;
    case 'pods-full':
      return `Node ${node} has ${formatQuantity('pods', reason.used)} of at most ${formatQuantity('pods', reason.allocatable)} Pods.`;
    case 'resource':
      return renderShortage(node, reason);
    case 'architecture':
      return `Node ${node} is ${reason.node}, and image ${reason.image} is only for ${reason.platforms.join(', ')}.`;
    case 'unknown':
      return `Node ${node} may or may not suit the Pod's ${reason.detail}, which isn't judged here.`;
  }
}

function renderShortage(node: string, reason: Extract<Reason, { kind: 'resource' }>): string {
  const { resource, requested, allocatable, used } = reason;
  const write = (amount: bigint) => formatQuantity(resource, amount);
  if (allocatable === 0n) return `Node ${node} has no ${resource}, and the Pod asks for ${write(requested)}.`;
  if (reason.isUnresolvable) {
    return `Node ${node} has ${write(allocatable)} ${resource} in all, and the Pod asks for ${write(requested)}.`;
  }
  const free = allocatable > used ? allocatable - used : 0n;
  return `Node ${node} has ${write(free)} of ${write(allocatable)} ${resource} free, and the Pod asks for ${write(requested)}.`;
}

function renderAffinity(node: string, terms: readonly (readonly FailedRequirement[])[]): string {
  const [first, ...others] = terms;
  if (first === undefined)
    return `Node ${node} can't meet the node affinity: it has no terms, so no node can.`;
  const said = terms.map((failed) =>
    failed.length === 0 ? 'a term is empty or invalid' : failed.map(renderFailed).join(' and '),
  );
  if (others.length === 0) return `Node ${node} can't meet the node affinity: ${said[0]}.`;
  return `Node ${node} meets none of the ${terms.length} terms of the node affinity: ${said.join('; ')}.`;
}

function renderFailed(failed: FailedRequirement): string {
  const has = failed.actual === undefined ? 'is absent' : `is "${failed.actual}"`;
  return `${failed.on} ${failed.key} ${has}, wanted ${renderRequirement(failed)}`;
}

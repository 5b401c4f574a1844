import * as z from 'zod/mini';
import { absentable } from './api-object.ts';

/** One requirement on a label, or with `field` on a field, of a node. */
export type Requirement = {
  readonly on: 'label' | 'field';
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
};

/** Requirements that must hold together; one term that holds is enough. */
export type Term = readonly Requirement[];

/** What node affinity and the node selector look at. */
export type NodeIdentity = { readonly name: string; readonly labels: ReadonlyMap<string, string> };

/** A requirement that doesn't hold on a node, with what the node has instead; undefined when it has nothing. */
export type FailedRequirement = Requirement & { readonly actual: string | undefined };

const requirement = z.object({
  key: z.string(),
  operator: z.string(),
  values: absentable(z.array(z.string())),
});

const term = z.pipe(
  z.object({
    matchExpressions: absentable(z.array(requirement)),
    matchFields: absentable(z.array(requirement)),
  }),
  z.transform(({ matchExpressions, matchFields }): Term => {
    const read = (on: Requirement['on']) => (entry: z.output<typeof requirement>) => ({
      on,
      key: entry.key,
      operator: entry.operator,
      values: entry.values ?? [],
    });
    return [...(matchExpressions ?? []).map(read('label')), ...(matchFields ?? []).map(read('field'))];
  }),
);

/** `requiredDuringSchedulingIgnoredDuringExecution` ▶ its terms. */
export const nodeSelectorSchema = z.pipe(
  z.object({ nodeSelectorTerms: absentable(z.array(term)) }),
  z.transform(({ nodeSelectorTerms }): readonly Term[] => nodeSelectorTerms ?? []),
);

/** Entries of `spec.nodeSelector` that a node doesn't meet. */
export function findSelectorMismatches(
  selector: ReadonlyMap<string, string>,
  node: NodeIdentity,
): readonly FailedRequirement[] {
  return [...selector]
    .filter(([key, value]) => node.labels.get(key) !== value)
    .map(([key, value]) => ({
      on: 'label',
      key,
      operator: 'In',
      values: [value],
      actual: node.labels.get(key),
    }));
}

/**
 * Judges the required node affinity. A term that is empty or can't be read (a `Gt` with two values, `matchFields` with
 * two) matches no node and doesn't spoil the others; no term at all matches no node.
 *
 * @returns undefined when one term holds, else for each term the requirements that don't; a term that matches nothing
 *   by its form has an empty list.
 * @see `GetRequiredNodeAffinity` in kubernetes/component-helpers `scheduling/corev1/nodeaffinity/nodeaffinity.go`
 */
export function findAffinityMismatches(
  terms: readonly Term[],
  node: NodeIdentity,
): readonly (readonly FailedRequirement[])[] | undefined {
  const failures: (readonly FailedRequirement[])[] = [];
  for (const requirements of terms) {
    if (requirements.length === 0 || !requirements.every(isReadable)) {
      failures.push([]);
      continue;
    }
    const failed = requirements
      .map((entry) => ({ ...entry, actual: actualOf(entry, node) }))
      .filter((entry) => !holds(entry));
    if (failed.length === 0) return undefined;
    failures.push(failed);
  }
  return failures;
}

function actualOf({ on, key }: Requirement, node: NodeIdentity): string | undefined {
  if (on === 'label') return node.labels.get(key);
  return key === 'metadata.name' ? node.name : undefined;
}

/** What a label can have as its value; a term that names anything else is ignored. */
const labelValue = /^(?=.{0,63}$)(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

function isReadable({ on, operator, values }: Requirement): boolean {
  if (on === 'field') return (operator === 'In' || operator === 'NotIn') && values.length === 1;
  if (!values.every((value) => labelValue.test(value))) return false;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0;
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0;
    case 'Gt':
    case 'Lt':
      return values.length === 1 && parseInteger(values[0]) !== undefined;
    default:
      return false;
  }
}

function holds({ operator, values, actual }: FailedRequirement): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    default:
      return compares(operator, actual, values[0]);
  }
}

function compares(operator: string, actual: string | undefined, limit: string | undefined): boolean {
  const left = parseInteger(actual);
  const right = parseInteger(limit);
  if (left === undefined || right === undefined) return false;
  return operator === 'Gt' ? left > right : left < right;
}

/** A signed 64-bit integer in the spelling of Go's `strconv.ParseInt(text, 10, 64)`. */
function parseInteger(text: string | undefined): bigint | undefined {
  if (text === undefined || text.length > 64 || !/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** `gpu in (a100, gh200)` */
export function renderRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(', ')})`;
    case 'NotIn':
      return `${key} not in (${values.join(', ')})`;
    case 'Exists':
      return `${key} to exist`;
    case 'DoesNotExist':
      return `${key} to be absent`;
    case 'Gt':
      return `${key} > ${values.join(', ')}`;
    case 'Lt':
      return `${key} < ${values.join(', ')}`;
    default:
      return `${key} ${operator} (${values.join(', ')})`;
  }
}

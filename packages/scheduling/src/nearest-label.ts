import type { NodeIdentity, Requirement } from './node-affinity.ts';

/** A label that some nodes have and that the author may have meant. */
export type NearestLabel = {
  readonly key: string;
  readonly value: string;
  /** Names of the nodes that have it. */
  readonly nodes: readonly string[];
};

/**
 * Finds the label that a failed requirement may have meant: under its key the value that is written most alike
 * (`A100-SXM4-40GB` for `NVIDIA-A100-SXM4-40GB`), or else its value under the key most alike (`gpu` for `gpus`).
 *
 * @returns undefined where nothing is alike, or the requirement asks for no value.
 */
export function findNearestLabel(
  { on, key, operator, values }: Requirement,
  nodes: readonly NodeIdentity[],
): NearestLabel | undefined {
  if (on !== 'label' || operator !== 'In') return undefined;
  const present = nodes.flatMap(({ labels }) => [...labels]);
  const under = present.filter(([name]) => name === key).map(([, value]) => value);
  const wanted = new Set(values);
  const byKey = present.filter(([, value]) => wanted.has(value)).map(([name]) => name);
  const value = under.length > 0 ? findNearest(values, under) : undefined;
  const name = under.length > 0 ? key : findNearest([key], byKey);
  if (name === undefined) return undefined;
  const meant = value ?? values.find((candidate) => hasLabel(nodes, name, candidate));
  if (meant === undefined) return undefined;
  const holders = nodes.filter(({ labels }) => labels.get(name) === meant);
  return holders.length === 0
    ? undefined
    : { key: name, value: meant, nodes: holders.map((holder) => holder.name) };
}

function hasLabel(nodes: readonly NodeIdentity[], key: string, value: string): boolean {
  return nodes.some(({ labels }) => labels.get(key) === value);
}

/** The candidate that needs the fewest edits from one of the texts, if it is alike at all. */
function findNearest(texts: readonly string[], candidates: readonly string[]): string | undefined {
  const ranked = [...new Set(candidates)].flatMap((candidate) =>
    texts
      .filter((text) => isAlike(text, candidate))
      .map((text) => ({ candidate, edits: countEdits(text, candidate) })),
  );
  return ranked.sort(
    (left, right) => left.edits - right.edits || (left.candidate < right.candidate ? -1 : 1),
  )[0]?.candidate;
}

/** At most a third of it differs, or one is a part of the other. */
function isAlike(left: string, right: string): boolean {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  if (Math.min(a.length, b.length) >= 3 && (a.includes(b) || b.includes(a))) return true;
  return countEdits(a, b) <= Math.floor(Math.max(a.length, b.length) / 3);
}

/** Levenshtein distance; labels have at most 63 characters, keys 317. */
function countEdits(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [index, character] of [...left].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (character === right[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

/**
 * Names in the order of their likeness to one that isn't among them (Levenshtein distance), for messages.
 *
 * @returns At most `count` of them.
 */
export function nearestNames(name: string, candidates: readonly string[], count: number): readonly string[] {
  // A name comes from a file of any size; what is looked at for a message is bounded.
  const wanted = name.slice(0, 100).toLowerCase();
  return candidates
    .slice(0, 500)
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.slice(0, 100).toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The name that differs from what was written by the fewest letters put in, left out or changed, if by few enough. */
function findNearestName(written: string, names: Iterable<string>): string | undefined {
  // Of two letters nearly everything is one letter away.
  if (written.length < 3) return undefined;
  let nearest: { readonly name: string; readonly distance: number } | undefined;
  for (const name of names) {
    const distance = editDistance(written.toLowerCase().slice(0, 80), name.toLowerCase());
    if (distance <= Math.max(1, name.length / 3) && distance < (nearest?.distance ?? Infinity)) {
      nearest = { name, distance };
    }
  }
  return nearest?.name;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column += 1) {
      next.push(
        Math.min(
          (row[column] ?? 0) + 1,
          (next[column - 1] ?? 0) + 1,
          (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The hint that ends a message: ` Did you mean "x"?`, or nothing. */
export function hintAt(written: string, names: Iterable<string>): string {
  const nearest = findNearestName(written, names);
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
}

/** What a finding says, in the parts its line is made of. */
export type Words = {
  /** What is wrong, after the subject: `cannot finish`. */
  readonly wrong: string;
  /** What was seen, the most telling first. As many of these are said as the line has room for, the first always. */
  readonly seen: readonly string[];
  /** The change that would work, an imperative without its full stop; '' where none is known. */
  readonly fix: string;
  /** A line each. */
  readonly details?: readonly string[];
};

const longestLine = 200;

/**
 * Writes a finding in one line: `<subject> <wrong>: <seen>. <fix>.`, at most 200 characters. Where it would be longer
 * it says less of what was seen, and only then cuts.
 */
export function writeLine(subject: string, { wrong, seen, fix }: Words): string {
  const name = shorten(subject, 70);
  const end = fix === '' ? '.' : `. ${fix}.`;
  for (let count = seen.length; count > 0; count -= 1) {
    const line = `${name} ${wrong}: ${seen.slice(0, count).join(', ')}${end}`;
    if (line.length <= longestLine) return onOneLine(line);
  }
  const [first = ''] = seen;
  const room = longestLine - `${name} ${wrong}: ${end}`.length;
  if (first === '') return onOneLine(shorten(`${name} ${wrong}${end}`, longestLine));
  if (room >= 20) return onOneLine(`${name} ${wrong}: ${shorten(first, room)}${end}`);
  return onOneLine(shorten(`${name} ${wrong}: ${first}${end}`, longestLine));
}

/** Foreign text may hold line breaks and control characters, which would end or hide an annotation. */
function onOneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}

export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** `1 Pod`, `2 Pods` */
export function count(amount: number | bigint, noun: string): string {
  return Number(amount) === 1 ? `1 ${noun}` : `${amount} ${noun}s`;
}

/** `a100-0, a100-1 and 3 more` */
export function list(names: readonly string[], most = 3): string {
  const [first = '', ...others] = names.slice(0, most).map((name) => shorten(name, 60));
  const rest = names.length - most;
  if (rest > 0) return `${[first, ...others].join(', ')} and ${rest} more`;
  const last = others.pop();
  return last === undefined ? first : `${[first, ...others].join(', ')} and ${last}`;
}

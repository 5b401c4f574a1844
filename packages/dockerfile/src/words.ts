/**
 * Splits a line at its blanks as BuildKit does to find here-documents, with quotes and escapes kept. A
 * quote without its end makes the line unreadable: no words.
 *
 * @see moby/buildkit `frontend/dockerfile/shell/lex.go` (with RawQuotes and RawEscapes)
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < line.length) {
    if (isBlank(line.charAt(at))) {
      at += 1;
      continue;
    }
    const end = findWordEnd(line, at);
    if (end < 0) return [];
    words.push(line.slice(at, end));
    at = end;
  }
  return words;
}

/** @returns The index behind the word that begins at `from`, or -1 where a quote has no end. */
function findWordEnd(line: string, from: number): number {
  let at = from;
  while (at >= 0 && at < line.length && !isBlank(line.charAt(at))) at = findPieceEnd(line, at);
  return Math.min(at, line.length);
}

/** @returns The index behind the quoted text, the escaped character or the plain one at `at`; -1 as above. */
function findPieceEnd(line: string, at: number): number {
  const character = line.charAt(at);
  if (character === '\\') return at + 2;
  if (character !== '"' && character !== "'") return at + 1;
  const end = findQuoteEnd(line, at);
  return end < 0 ? -1 : end + 1;
}

/** @returns The index of the quote that ends the one at `from`, or -1. */
function findQuoteEnd(line: string, from: number): number {
  const quote = line.charAt(from);
  for (let at = from + 1; at < line.length; at += 1) {
    if (line.charAt(at) === quote) return at;
    if (line.charAt(at) === '\\' && quote === '"') at += 1;
  }
  return -1;
}

/** A word without its quotes and escapes. */
export function unquote(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
    (_, single, double, escaped) =>
      single ?? (typeof double === 'string' ? double.replace(/\\(["\\$])/g, '$1') : escaped),
  );
}

/**
 * Takes the flags off the front of an instruction's arguments: words that begin with `--`, quotes and
 * escapes resolved, up to the first other word; a lone `--` ends them.
 *
 * @see moby/buildkit `frontend/dockerfile/parser/split_command.go` (`extractBuilderFlags`)
 */
export function extractFlags(
  text: string,
  escapeCharacter: string,
): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let at = 0;
  while (at < text.length) {
    while (at < text.length && isBlank(text.charAt(at))) at += 1;
    if (!text.startsWith('--', at)) break;
    const word = readFlag(text, at, escapeCharacter);
    at = word.end;
    if (word.value === '--') break;
    flags.push(word.value);
  }
  return { flags, rest: text.slice(at).trim() };
}

function readFlag(
  text: string,
  from: number,
  escapeCharacter: string,
): { readonly value: string; readonly end: number } {
  const parts: string[] = [];
  let quote = '';
  let at = from;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === escapeCharacter) {
      at += 1;
      parts.push(text.charAt(at));
    } else if (quote === '' && isBlank(character)) break;
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    else parts.push(character);
  }
  return { value: parts.join(''), end: at };
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || /\s/.test(character);
}

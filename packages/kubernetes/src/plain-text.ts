/** Longest first line of an error: it becomes an annotation in GitHub's interface. */
export const MAX_MESSAGE_CHARACTERS = 200;

/**
 * Makes foreign text fit for one line of a log or an error: control characters (which could start a workflow command
 * or move a terminal's cursor) become spaces, and what is longer than `maxCharacters` ends in an ellipsis.
 */
export function toOneLine(text: string, maxCharacters: number): string {
  // A megabyte of foreign text is not searched for blanks when a hundred characters of it are shown.
  const start = text.slice(0, maxCharacters * 4 + 100);
  const line = start.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > maxCharacters ? `${line.slice(0, Math.max(0, maxCharacters - 1))}…` : line;
}

/**
 * Replaces each of `secrets` by `***`, and what looks like a credential whoever it belongs to: a JSON web token, what
 * follows `Bearer`, user names and passwords in URLs. Secrets shorter than 4 characters are left: they would take
 * half the text along.
 */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, '***');
  }
  return clean
    .replace(/\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, '***')
    .replace(/((?:authorization:\s*(?:bearer|basic)|\bbearer)\s+)[\w.~+/=-]{16,}/gi, '$1***')
    .replace(/(\w:\/\/)[^\s/@"'<>]*@/g, '$1***@');
}

/** The `count` first of a list in quotes, `"a", "b" and 3 more`. */
export function quoteList(values: readonly string[], count: number): string {
  const shown = values.slice(0, count).map((value) => `"${toOneLine(value, 60)}"`);
  const rest = values.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

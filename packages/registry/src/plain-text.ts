/** Longest first line of an error: it becomes an annotation in GitHub's interface. */
export const MAX_MESSAGE_CHARACTERS = 200;

/**
 * Makes foreign text fit for one line of a log or an error: control characters (which could start a
 * workflow command or move a terminal's cursor) become spaces, and what is longer than `maxCharacters`
 * ends in an ellipsis.
 */
export function toOneLine(text: string, maxCharacters: number): string {
  // A megabyte of foreign text is not searched for blanks when a hundred characters of it are shown.
  const start = text.slice(0, maxCharacters * 4 + 100);
  const line = start.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > maxCharacters ? `${line.slice(0, Math.max(0, maxCharacters - 1))}…` : line;
}

/**
 * Takes the query off each URL in `text` (signed storage URLs carry their secret there) and replaces each
 * of `secrets` by `***`. Secrets shorter than 4 characters are left: they would take half the text along.
 */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  let clean = text.replace(/(https?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, '$1?…');
  clean = clean.replace(/(https?:\/\/)[^\s/@"'<>]*@/gi, '$1');
  for (const secret of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, '***');
  }
  return clean;
}

/** Longest message of an observation. */
export const MAX_MESSAGE_CHARACTERS = 200;

/** Foreign text on one line without control characters, cut to that many characters. */
export function toOneLine(text: string, maxCharacters: number): string {
  const line = text
    .slice(0, maxCharacters * 4 + 100)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return line.length > maxCharacters ? `${line.slice(0, Math.max(0, maxCharacters - 1))}…` : line;
}

/** Takes user names, passwords and queries off each URL, and puts `***` for each secret of 4 characters and more. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text
    .replace(/(https?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, '$1?…')
    .replace(/(https?:\/\/)[^\s/@"'<>]*@/gi, '$1');
  for (const secret of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, '***');
  }
  return clean;
}

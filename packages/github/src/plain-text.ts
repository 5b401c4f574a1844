/** Longest first line of an error: it becomes an annotation in GitHub's interface. */
export const MAX_MESSAGE_CHARACTERS = 200;

/** Foreign text on one line without control characters, cut to that many characters with an ellipsis. */
export function toOneLine(text: string, maxCharacters: number): string {
  const line = text
    .slice(0, maxCharacters * 4 + 100)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length > maxCharacters
    ? `${characters.slice(0, Math.max(0, maxCharacters - 1)).join('')}…`
    : line;
}

const encoder = new TextEncoder();
const sizeOf = (text: string) => encoder.encode(text).length;

/**
 * Cuts Markdown to that many bytes of UTF-8 at the end of a line, closes a block of code that was cut open, and says
 * how much is missing.
 */
export function cutMarkdown(markdown: string, maxBytes: number): string {
  if (sizeOf(markdown) <= maxBytes) return markdown;
  const lines = markdown.split('\n');
  const roomBytes = maxBytes - 120;
  let usedBytes = 0;
  let kept = 0;
  let fence: string | undefined;
  for (const line of lines) {
    usedBytes += sizeOf(line) + 1;
    if (usedBytes > roomBytes) break;
    kept += 1;
    const [, mark] = /^\s{0,3}(`{3,}|~{3,})/.exec(line) ?? [];
    if (mark !== undefined && (fence === undefined || line.trim() === fence)) {
      fence = fence === undefined ? mark : undefined;
    }
  }
  // One line that alone is too long is cut within.
  const start = kept === 0 ? cutBytes(lines[0] ?? '', roomBytes) : lines.slice(0, kept).join('\n');
  const closing = fence === undefined ? '' : `\n${fence.slice(0, 20)}`;
  return `${start}${closing}\n\nCut here: ${lines.length - kept} more lines. The whole is in the job's summary.\n`;
}

/** The start of a text in at most that many bytes, no character cut in two. */
function cutBytes(text: string, maxBytes: number): string {
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}

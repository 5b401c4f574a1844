/**
 * Text from outside (a branch name, an instruction, a tag) as plain Markdown text on one line: nothing in it can
 * become a link, an image, HTML, a mention or a table cell of its own.
 */
export function escapeText(text: string, maxCharacters = 200): string {
  return oneLine(text, maxCharacters)
    .replace(/[\\`*_{}[\]()#+!|~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/@/g, '&#64;')
    .replace(/:\/\//g, '&#58;//');
}

/** Text from outside as inline code on one line, safe inside a table cell and whatever backticks it holds. */
export function code(text: string, maxCharacters = 200): string {
  const line = oneLine(text, maxCharacters).replaceAll('|', '\\|');
  if (line === '') return '';
  const longestRun = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longestRun + 1);
  const gap = longestRun > 0 || line.startsWith(' ') ? ' ' : '';
  return `${fence}${gap}${line}${gap}${fence}`;
}

function oneLine(text: string, maxCharacters: number): string {
  // Bidirectional controls could make a line read as something else than it is.
  const line = text
    .slice(0, maxCharacters * 4)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters - 1).join('')}…` : line;
}

export type Column = { readonly title: string; readonly align?: 'left' | 'right' };

/** A GitHub Markdown table. Cells are Markdown: escape what comes from outside with `escapeText` or `code`. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ align }) => (align === 'right' ? '---:' : '---'))),
    ...rows.map(line),
  ].join('\n');
}

/**
 * A bar of block characters, as wide as the share of the whole it stands for, to an eighth of a character.
 * It needs no image and reads the same in a log and on a page.
 */
export function renderBar(share: number, widthCharacters = 24): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * widthCharacters * 8);
  const partial = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return '█'.repeat(Math.floor(eighths / 8)) + partial;
}

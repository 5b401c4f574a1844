/** Longer cells are cut on a terminal; the kept file has them whole. */
const MAX_CELL_CHARACTERS = 64;

/**
 * Makes GitHub Markdown easy to read in a terminal and leaves it Markdown: the columns of tables are lined up, long
 * cells cut, and HTML and escapes taken out that only matter on a page.
 */
export function toTerminalMarkdown(markdown: string): string {
  const lines = markdown
    .replaceAll(/<\/?sub>/g, '')
    .replaceAll('<br>', '\n')
    // At the start of a line the escape is needed.
    .replaceAll(/(?<=\S ?)\\(?=[+#!(){}~])/g, '')
    .split('\n');
  const result: string[] = [];
  let table: string[] = [];
  for (const line of [...lines, '']) {
    if (line.startsWith('|')) {
      table.push(line);
      continue;
    }
    result.push(...alignTable(table), line);
    table = [];
  }
  return result.slice(0, -1).join('\n');
}

function alignTable(lines: readonly string[]): readonly string[] {
  const rows = lines.map((line) =>
    line
      .replace(/^\|\s*|\s*\|$/g, '')
      .split(/\s*(?<!\\)\|\s*/)
      .map(cutCell),
  );
  const width = (at: number) => Math.max(3, ...rows.map((row) => characters(row[at] ?? '')));
  const isRight = (at: number) => rows[1]?.[at]?.endsWith(':') === true;
  return rows.map((row, number) => {
    const cells = row.map((cell, at) => {
      if (number === 1) return `${'-'.repeat(width(at) - 1)}${isRight(at) ? ':' : '-'}`;
      const gap = ' '.repeat(width(at) - characters(cell));
      return isRight(at) ? gap + cell : cell + gap;
    });
    return `| ${cells.join(' | ')} |`;
  });
}

function cutCell(cell: string): string {
  const text = [...cell];
  if (text.length <= MAX_CELL_CHARACTERS) return cell;
  const end = cell.endsWith('`') ? '…`' : '…';
  return text.slice(0, MAX_CELL_CHARACTERS - end.length).join('') + end;
}

function characters(text: string): number {
  return [...text].length;
}

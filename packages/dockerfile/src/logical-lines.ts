import { findHeredocs, type Heredoc, isHeredocEnd } from './heredoc.ts';
import { extractFlags } from './words.ts';

/** Something that BuildKit would refuse or warn of. Lines count from 1. */
export type Problem = { readonly line: number; readonly message: string };

/** An instruction's lines put together: continuations joined, comments and blank lines between them gone. */
export type LogicalLine = {
  readonly line: string;
  /** As it stands in the file, here-documents included. */
  readonly text: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly heredocs: readonly Heredoc[];
};

export type LogicalLines = {
  readonly lines: readonly LogicalLine[];
  /** `syntax`, `escape`, `check`: comments at the very top that direct the parser. */
  readonly directives: Readonly<Record<string, string>>;
  readonly escape: '\\' | '`';
  readonly problems: readonly Problem[];
};

/** Go's `bufio.MaxScanTokenSize`. */
const MAX_LINE_BYTES = 65_535;
const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S(?:.*\S)?)\s*$/;
const DIRECTIVES = new Set(['syntax', 'escape', 'check']);
/** What may open here-documents, `ONBUILD RUN` and such too. */
const OPENS_HEREDOC = /^(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s+/i;
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Splits a Dockerfile into logical lines, in time proportional to its length.
 *
 * @see moby/buildkit `frontend/dockerfile/parser/parser.go` (`Parse`)
 */
export function splitLogicalLines(text: string): LogicalLines {
  const raw = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split('\n');
  // What follows the last line end is no line.
  if (raw.at(-1) === '') raw.pop();
  const lines = raw.map((line) => (line.endsWith('\r') ? line.replace(/\r+$/, '') : line));
  const problems: Problem[] = [];
  const { directives, escape: escapeCharacter } = readDirectives(lines, problems);
  const logical: LogicalLine[] = [];
  let at = 0;
  while (at < lines.length) {
    const first = (lines[at] ?? '').trimStart();
    if (first === '' || first.startsWith('#')) {
      at += 1;
      continue;
    }
    const next = readLogicalLine({ raw, lines }, at, escapeCharacter, problems);
    if (next.line !== '') logical.push(next);
    at = next.endLine;
  }
  lines.forEach((line, index) => {
    if (line.length * 3 <= MAX_LINE_BYTES) return;
    const sizeBytes = countBytes(line);
    if (sizeBytes > MAX_LINE_BYTES)
      problems.push({
        line: index + 1,
        message: `The line is ${sizeBytes} bytes: BuildKit takes at most ${MAX_LINE_BYTES}.`,
      });
  });
  return { lines: logical, directives, escape: escapeCharacter, problems };
}

function readDirectives(
  source: readonly string[],
  problems: Problem[],
): Pick<LogicalLines, 'directives' | 'escape'> {
  const directives: Record<string, string> = {};
  for (const [index, line] of source.entries()) {
    const match = DIRECTIVE.exec(line.trimStart());
    const name = match?.[1]?.toLowerCase() ?? '';
    if (!DIRECTIVES.has(name)) break;
    if (directives[name] !== undefined)
      problems.push({ line: index + 1, message: `Only one "${name}" directive can be used.` });
    directives[name] ??= match?.[2] ?? '';
  }
  const named = directives['escape'];
  if (named === '`') return { directives, escape: named };
  if (named !== undefined && named !== '\\') {
    problems.push({
      line: 1,
      message: `Directive "escape" is "${named.slice(0, 20)}": expected "\\" or "\`".`,
    });
  }
  return { directives, escape: '\\' };
}

/** The file's lines: as they are, and without their ends. */
type Source = { readonly raw: readonly string[]; readonly lines: readonly string[] };

function readLogicalLine(
  source: Source,
  from: number,
  escapeCharacter: '\\' | '`',
  problems: Problem[],
): LogicalLine {
  const parts: string[] = [];
  let at = from;
  let isContinued = true;
  while (isContinued && at < source.lines.length) {
    const line = source.lines[at] ?? '';
    const isFirst = at === from;
    at += 1;
    if (!isFirst && /^\s*(#|$)/.test(line)) continue;
    const continuation = findContinuation(line, escapeCharacter);
    isContinued = continuation >= 0;
    parts.push(isContinued ? line.slice(0, continuation) : line);
  }
  const line = parts.join('').trim();
  const heredocs =
    line.includes('<<') && OPENS_HEREDOC.test(line) && !isJsonForm(line, escapeCharacter)
      ? readHeredocs(source, at, line, problems)
      : { heredocs: [], end: at };
  return {
    line,
    text: source.lines.slice(from, heredocs.end).join('\n'),
    startLine: from + 1,
    endLine: heredocs.end,
    heredocs: heredocs.heredocs,
  };
}

/** Where the escape at the end of a line stands, blanks behind it allowed; -1 when there is none or it is itself escaped. */
function findContinuation(line: string, escapeCharacter: string): number {
  let at = line.length - 1;
  while (at >= 0 && (line.charAt(at) === ' ' || line.charAt(at) === '\t')) at -= 1;
  if (line.charAt(at) !== escapeCharacter) return -1;
  return at > 0 && line.charAt(at - 1) === escapeCharacter ? -1 : at;
}

/** `RUN ["cat", "<<EOF"]`: such arguments are taken as they are. */
function isJsonForm(line: string, escapeCharacter: string): boolean {
  const { rest } = extractFlags(line.replace(OPENS_HEREDOC, ''), escapeCharacter);
  if (!rest.startsWith('[')) return false;
  try {
    const value: unknown = JSON.parse(rest);
    return Array.isArray(value) && value.every((item) => typeof item === 'string');
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function readHeredocs(
  source: Source,
  from: number,
  line: string,
  problems: Problem[],
): { readonly heredocs: readonly Heredoc[]; readonly end: number } {
  const heredocs: Heredoc[] = [];
  let at = from;
  for (const start of findHeredocs(line)) {
    const bodyFrom = at;
    while (at < source.lines.length && !isHeredocEnd(start, source.lines[at] ?? '')) at += 1;
    heredocs.push({
      ...start,
      content: source.raw
        .slice(bodyFrom, at)
        .map((text) => `${text}\n`)
        .join(''),
    });
    if (at >= source.lines.length) {
      problems.push({
        line: from,
        message: `Here-document "${start.name}" has no end: expected a line "${start.name}".`,
      });
      return { heredocs, end: source.lines.length };
    }
    at += 1;
  }
  return { heredocs, end: at };
}

function countBytes(text: string): number {
  let sizeBytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    sizeBytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return sizeBytes;
}

/** A selector of series in an expression, with how far before the moment asked about it looks. */
export type Selector = {
  /** Name and matchers as written, `up{job="api"}`. */
  readonly text: string;
  /** Reach of its own range and of the subqueries around it together; 0 for what is asked of one moment. */
  readonly rangeMs: number;
  /** `offset` and `@` as written, its own and those of the subqueries around it. */
  readonly modifiers: string;
};

/** All selectors of an expression, or why they can't be told. */
export type Selectors =
  | { readonly kind: 'selectors'; readonly selectors: readonly Selector[] }
  | { readonly kind: 'unreadable'; readonly message: string };

const WORDS = new Set(
  'and or unless atan2 bool offset by without on ignoring group_left group_right inf nan start end anchored smoothed fill fill_left fill_right'.split(
    ' ',
  ),
);
/** After these stands a list of labels. */
const LABEL_LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

type Token = {
  readonly kind: 'word' | 'braces' | 'brackets' | 'other';
  readonly text: string;
  readonly start: number;
  readonly end: number;
};

const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/.source;
const COMMENT = /#[^\n]*(?:\n|$)/.source;
const TOKENS = new RegExp(
  [
    String.raw`(?<space>\s+|${COMMENT})`,
    String.raw`(?<word>[A-Za-z_:][\w:]*)`,
    String.raw`(?<braces>\{(?:${TEXT}|${COMMENT}|[^}"'\`#])*\})`,
    String.raw`(?<brackets>\[(?:${COMMENT}|[^\]#])*\])`,
    String.raw`(?<other>${TEXT}|[\d.][\w.]*|[-+*/%^=!<>~,()@])`,
  ].join('|'),
  'y',
);

/**
 * Finds what an expression of PromQL reads. It is not a parser: what is no expression is for Prometheus to say, and a
 * name that is none would have no samples, which is never taken for evidence.
 *
 * The grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/
 */
export function findSelectors(query: string): Selectors {
  const tokens = tokenize(query);
  if (typeof tokens === 'string') return { kind: 'unreadable', message: tokens };
  const reading: Reading = { tokens, query, found: [], open: [] };
  for (let index = 0; index < tokens.length; ) {
    const operand = takeOperand(reading, index);
    if (operand === undefined) {
      index = afterLabels(tokens, index);
      continue;
    }
    const suffix = readSuffix(tokens, operand.next, query);
    if (suffix.kind === 'unreadable') return suffix;
    for (const each of reading.found.slice(operand.first)) {
      each.rangeMs += suffix.rangeMs;
      each.modifiers = `${each.modifiers} ${suffix.modifiers}`.trim();
    }
    index = suffix.next;
  }
  return { kind: 'selectors', selectors: reading.found };
}

type Reading = {
  readonly tokens: readonly Token[];
  readonly query: string;
  readonly found: { text: string; rangeMs: number; modifiers: string }[];
  /** For each open parenthesis, how many selectors stand before it. */
  readonly open: number[];
};

/** What ends at a token and may be followed by a range: the selectors from `first` on, read up to `next`. */
function takeOperand(
  { tokens, query, found, open }: Reading,
  index: number,
): { readonly first: number; readonly next: number } | undefined {
  const selector = selectorAt(tokens, index, query);
  if (selector !== undefined) {
    found.push({ text: selector.text, rangeMs: 0, modifiers: '' });
    return { first: found.length - 1, next: selector.next };
  }
  const text = tokens[index]?.text;
  if (text === '(') open.push(found.length);
  return text === ')' ? { first: open.pop() ?? found.length, next: index + 1 } : undefined;
}

function tokenize(query: string): readonly Token[] | string {
  const tokens: Token[] = [];
  for (let start = 0; start < query.length; start = TOKENS.lastIndex) {
    TOKENS.lastIndex = start;
    const groups = TOKENS.exec(query)?.groups;
    if (groups === undefined) return `the query can’t be read from character ${start + 1} on.`;
    if (groups['space'] !== undefined) continue;
    const kind = (['word', 'braces', 'brackets'] as const).find((each) => groups[each] !== undefined);
    const end = TOKENS.lastIndex;
    tokens.push({ kind: kind ?? 'other', text: query.slice(start, end), start, end });
  }
  return tokens;
}

function selectorAt(
  tokens: readonly Token[],
  index: number,
  query: string,
): { readonly text: string; readonly next: number } | undefined {
  const token = tokens[index];
  const next = tokens[index + 1];
  if (token?.kind === 'braces') return { text: token.text, next: index + 1 };
  if (token?.kind !== 'word') return undefined;
  if (next?.kind === 'braces') return { text: query.slice(token.start, next.end), next: index + 2 };
  const word = token.text.toLowerCase();
  // A function or an aggregation is followed by its arguments or by its labels.
  const isOperation = next?.text === '(' || ['by', 'without'].includes(next?.text.toLowerCase() ?? '');
  return WORDS.has(word) || isOperation ? undefined : { text: token.text, next: index + 1 };
}

/** The index after a token, and after the labels in parentheses that follow a word such as `by`. */
function afterLabels(tokens: readonly Token[], index: number): number {
  const isBefore =
    LABEL_LISTS.has(tokens[index]?.text.toLowerCase() ?? '') && tokens[index + 1]?.text === '(';
  if (!isBefore) return index + 1;
  const length = tokens.slice(index).findIndex(({ text }) => text === ')');
  return length === -1 ? tokens.length : index + length + 1;
}

type Suffix =
  | { readonly kind: 'suffix'; readonly rangeMs: number; readonly modifiers: string; readonly next: number }
  | Extract<Selectors, { kind: 'unreadable' }>;

/** What may stand after a selector or a closing parenthesis: a range or a subquery, `offset`, `@`. */
function readSuffix(tokens: readonly Token[], from: number, query: string): Suffix {
  let rangeMs = 0;
  let index = from;
  const modifiers: string[] = [];
  for (;;) {
    const token = tokens[index];
    if (token?.kind === 'brackets') {
      const range = parseRange(token.text);
      if (range === undefined)
        return { kind: 'unreadable', message: `the query’s range ${token.text.slice(0, 40)} can’t be read.` };
      rangeMs += range;
      index += 1;
    } else if (token?.text === '@' || token?.text.toLowerCase() === 'offset') {
      const last = endOfModifier(tokens, index);
      modifiers.push(query.slice(token.start, tokens[last]?.end));
      index = last + 1;
    } else {
      return { kind: 'suffix', rangeMs, modifiers: modifiers.join(' '), next: index };
    }
  }
}

/** `offset -5m`, `@ 1609746000`, `@ start()`. */
function endOfModifier(tokens: readonly Token[], index: number): number {
  const signed = ['-', '+'].includes(tokens[index + 1]?.text ?? '') ? 1 : 0;
  const isCall = tokens[index + 2]?.text === '(' && tokens[index + 3]?.text === ')';
  return index + (isCall ? 3 : 1 + signed);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** `[5m]`, `[1h30m:5m]` ▶ milliseconds of the range; a bare number is seconds. */
function parseRange(brackets: string): number | undefined {
  const range =
    brackets
      .slice(1, -1)
      .replace(/#[^\n]*/g, '')
      .split(':')[0]
      ?.trim() ?? '';
  if (/^\d+(?:\.\d+)?$/.test(range)) return Number(range) * 1000;
  if (!/^(?:\d+(?:ms|[smhdwy]))+$/.test(range)) return undefined;
  return [...range.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (UNITS_MS[unit ?? ''] ?? Number.NaN),
    0,
  );
}

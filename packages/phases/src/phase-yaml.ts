import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
  visit,
} from 'yaml';

/** What is wrong with a phase file, and where: line and column count from 1. */
export type PhaseFileProblem = { readonly line: number; readonly column: number; readonly message: string };

export type Path = readonly (string | number)[];

/** A YAML document that both YAML 1.1 and 1.2 read alike, with the places of its values. */
export type PhaseDocument = {
  readonly value: unknown;
  /** The problem at a value, or at the nearest thing above it that exists; at its key where `atKey`. */
  readonly problemAt: (path: Path, message: string, atKey?: boolean) => PhaseFileProblem;
};

const MAX_CHARACTERS = 256 * 1024;
/** More would bury the first. */
const MAX_PROBLEMS = 20;

/**
 * Plain text that readers of YAML 1.1 and 1.2 take for different things, or that no number of a criterion may be.
 *
 * @see https://yaml.org/type/ and YAML 1.2.2, section 10.3
 */
const AMBIGUOUS: readonly (readonly [RegExp, string])[] = [
  [/^(?:y|yes|n|no|on|off)$/i, 'true, false or the word in quotes'],
  [/^[-+]?(?:\d[\d_]*)?\.?\d[\d_]*e[-+]?\d+$/i, 'a number without an exponent'],
  [/^[-+]?\d[\d.]*_[\d_.]*$/, 'a number without underscores'],
  [/^[-+]?0(?:\d+|[xob][\da-f_]+)$/i, 'a decimal number without a leading zero'],
  [/^[-+]?\d+(?::[0-5]?\d)+(?:\.\d*)?$/, 'the text in quotes'],
  [/^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?$/, 'the time in quotes'],
  [/^[-+]?\.(?:inf|nan)$/i, 'a finite number'],
  [/^\+\d/, 'a number without "+"'],
];

/**
 * Reads the text of a phase file as YAML 1.2, strictly: one document, no anchors, aliases, merge keys or tags, no key
 * twice, no value whose meaning depends on the reader.
 */
export function readPhaseYaml(
  text: string,
):
  | { readonly kind: 'document'; readonly document: PhaseDocument }
  | { readonly kind: 'problems'; readonly problems: readonly PhaseFileProblem[] } {
  if (text.length > MAX_CHARACTERS) {
    return oneProblem(`The file has ${text.length} characters: expected at most ${MAX_CHARACTERS}.`);
  }
  const lines = new LineCounter();
  let documents: readonly Document[];
  try {
    const parsed = parseAllDocuments(text, {
      version: '1.2',
      lineCounter: lines,
      strict: true,
      uniqueKeys: true,
      prettyErrors: false,
      merge: false,
    });
    documents = 'empty' in parsed ? [] : parsed;
  } catch (error) {
    // The parser calls itself for each level.
    if (!(error instanceof RangeError)) throw error;
    return oneProblem('The file nests too deeply: expected a few levels.');
  }
  const [document, second] = documents;
  if (document === undefined || document.contents === null)
    return oneProblem('The file is empty: expected a phase.');

  const placeOf = (offset: number, message: string): PhaseFileProblem => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col, message };
  };
  if (second !== undefined) {
    return {
      kind: 'problems',
      problems: [
        placeOf(
          second.range?.[0] ?? 0,
          'The file holds several documents: expected one. Remove what follows "---".',
        ),
      ],
    };
  }
  const syntax = [...document.errors, ...document.warnings].map((error) =>
    placeOf(error.pos[0], `The file is not YAML here: ${sayPlainly(error.code, error.message)}.`),
  );
  if (syntax.length > 0) return { kind: 'problems', problems: syntax.slice(0, MAX_PROBLEMS) };
  const strictness = findLooseYaml(document).map(({ offset, message }) => placeOf(offset, message));
  if (strictness.length > 0) return { kind: 'problems', problems: strictness };
  return {
    kind: 'document',
    document: {
      value: document.toJS({ maxAliasCount: 0 }),
      problemAt: (path, message, atKey = false) => placeOf(findOffset(document, path, atKey), message),
    },
  };
}

function oneProblem(message: string): {
  readonly kind: 'problems';
  readonly problems: readonly PhaseFileProblem[];
} {
  return { kind: 'problems', problems: [{ line: 1, column: 1, message }] };
}

function sayPlainly(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'the key is there twice';
  if (code === 'TAB_AS_INDENT') return 'a tab indents the line, where only blanks may';
  const [first = ''] = message.split('\n');
  return first.replace(/[.:]?$/, '').slice(0, 120);
}

type Loose = { readonly offset: number; readonly message: string };

function findLooseYaml(document: Document): readonly Loose[] {
  const found: Loose[] = [];
  visit(document, {
    Node: (key, node) => {
      const message = judgeNode(node, key === 'key');
      if (message !== undefined) found.push({ offset: node.range?.[0] ?? 0, message });
      return found.length >= MAX_PROBLEMS ? visit.BREAK : undefined;
    },
  });
  return found;
}

function judgeNode(node: Node, isKey: boolean): string | undefined {
  if (isAlias(node) || ('anchor' in node && node.anchor !== undefined)) {
    return 'The value has an anchor or is an alias: expected the value itself.';
  }
  if (node.tag !== undefined) return `The value has the tag ${quote(node.tag)}: expected none.`;
  if (isKey) {
    const isWord = isScalar(node) && typeof node.value === 'string';
    return isWord ? undefined : 'The key is not a word: expected the name of a field.';
  }
  return isScalar(node) ? judgeScalar(node.source ?? '', node.type === 'PLAIN') : undefined;
}

function judgeScalar(source: string, isPlain: boolean): string | undefined {
  if (source.includes('${{')) {
    return `The value ${quote(source)} has an expression: expected a plain value, because \${{ }} is not expanded here.`;
  }
  const rule = isPlain ? AMBIGUOUS.find(([pattern]) => pattern.test(source)) : undefined;
  return rule === undefined
    ? undefined
    : `The value ${quote(source)} means different things to different readers of YAML: expected ${rule[1]}.`;
}

function findOffset(document: Document, path: Path, atKey: boolean): number {
  for (let length = path.length; length > 0; length -= 1) {
    const key = findKey(document, path.slice(0, length));
    const node = document.getIn(path.slice(0, length), true) as Node | null | undefined;
    const isKeyWanted = atKey && length === path.length;
    const range = isKeyWanted ? (key?.range ?? node?.range) : (node?.range ?? key?.range);
    if (range) return range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

/** The key of the value at a path, where that is a field and not the entry of a list. */
function findKey(document: Document, path: Path): Scalar | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const key: unknown = parent.items.find((pair) => isScalar(pair.key) && pair.key.value === path.at(-1))?.key;
  return isScalar(key) ? key : undefined;
}

/** A value of the file as a message shows it: in quotes, without control characters, cut. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const plain = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
  return `"${plain.length > 60 ? `${plain.slice(0, 59)}…` : plain}"`;
}

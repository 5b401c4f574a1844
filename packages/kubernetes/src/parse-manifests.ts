import type { Node } from 'yaml';
import type { KubernetesObject } from './cluster.ts';
import {
  lineOf,
  parseKubernetesYaml,
  toPlainValue,
  type YamlDocument,
  type YamlFile,
} from './kubernetes-yaml.ts';
import type { Manifest, ManifestSource } from './manifest.ts';
import type { ManifestProblem } from './manifest-error.ts';
import { findOddValue } from './odd-values.ts';
import { toOneLine } from './plain-text.ts';

export type ParsedManifests = {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly ManifestProblem[];
};

/** A place in a document: `['items', 0, 'metadata']`. */
type Path = readonly (string | number)[];

type Place = {
  readonly file: string;
  readonly isGenerated: boolean;
  readonly yaml: YamlFile;
  readonly document: YamlDocument;
  /** From 1. */
  readonly index: number;
};

/**
 * Reads the objects of one file, as kubectl would: several documents, lists taken apart, empty documents passed over.
 *
 * @param isGenerated Whether nobody has seen the text's lines.
 * @returns What is right, and everything that is wrong.
 */
export async function parseManifests(
  text: string,
  file: string,
  isGenerated: boolean,
): Promise<ParsedManifests> {
  const whole = (message: string): ParsedManifests => ({
    manifests: [],
    problems: [{ source: { file, document: 1, line: undefined }, message }],
  });
  if (text.includes('\0')) return whole('has NUL characters, expected text. Give a YAML or JSON file.');
  const yaml = await parseKubernetesYaml(text);
  if (yaml === undefined) return whole('is nested too deeply. Write it flatter.');
  const manifests: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const [position, document] of yaml.documents.entries()) {
    const parsed = parseDocument({ file, isGenerated, yaml, document, index: position + 1 }, text);
    manifests.push(...parsed.manifests);
    problems.push(...parsed.problems);
  }
  return { manifests, problems };
}

function parseDocument(place: Place, text: string): ParsedManifests {
  const { document } = place;
  const faults = chooseFaults([...document.errors, ...document.warnings]);
  if (faults.length > 0)
    return { manifests: [], problems: faults.map((fault) => problemOfSyntax(place, fault, text)) };
  const node = findOddNode(place, text);
  if (node !== undefined) return { manifests: [], problems: [node] };
  const plain = toPlainValue(document);
  if (plain === undefined) return refuse(place, [], 'has aliases that grow beyond measure. Write them out.');
  if (plain.value === null || plain.value === undefined) return { manifests: [], problems: [] };
  const odd = findOddValue(plain.value);
  if (odd !== undefined) return refuse(place, odd.path, odd.message);
  return parseValue(place, [], plain.value);
}

function parseValue(place: Place, path: Path, value: unknown): ParsedManifests {
  if (!isRecord(value))
    return refuse(
      place,
      path,
      `is ${describe(value)}, expected an object with apiVersion, kind and metadata. Correct it.`,
    );
  const { kind, items } = value;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    const parts = items.map((item, index) => parseValue(place, [...path, 'items', index], item));
    return {
      manifests: parts.flatMap(({ manifests }) => manifests),
      problems: parts.flatMap(({ problems }) => problems),
    };
  }
  const problems = checkObject(value).map(({ at, message }) => problemAt(place, [...path, ...at], message));
  if (problems.length > 0) return { manifests: [], problems };
  const source = { file: place.file, document: place.index, line: lineAt(place, path) };
  // Checked field by field just now.
  return { manifests: [{ object: value as KubernetesObject, source }], problems: [] };
}

type Fault = { readonly at: Path; readonly message: string };

function checkObject(object: Readonly<Record<string, unknown>>): readonly Fault[] {
  const faults: Fault[] = [];
  for (const field of ['apiVersion', 'kind']) {
    const fault = describeFault(object[field]);
    if (fault !== undefined) faults.push({ at: [field], message: fault });
  }
  const { metadata } = object;
  if (!isRecord(metadata)) {
    const what = metadata === undefined || metadata === null ? 'is missing' : `is ${describe(metadata)}`;
    faults.push({ at: ['metadata'], message: `${what}, expected an object with a name. Add it.` });
    return faults;
  }
  const isGenerateName = metadata['name'] === undefined && typeof metadata['generateName'] === 'string';
  const nameFault = describeFault(metadata['name']);
  if (isGenerateName)
    faults.push({
      at: ['metadata', 'generateName'],
      message: 'gives a new object each time, which can be neither applied nor rolled back. Give it a name.',
    });
  else if (nameFault !== undefined) faults.push({ at: ['metadata', 'name'], message: nameFault });
  if (metadata['namespace'] !== undefined && metadata['namespace'] !== null) {
    const fault = describeFault(metadata['namespace']);
    if (fault !== undefined) faults.push({ at: ['metadata', 'namespace'], message: fault });
  }
  for (const field of ['labels', 'annotations']) faults.push(...checkTexts(metadata, field));
  return faults;
}

function checkTexts(metadata: Readonly<Record<string, unknown>>, field: string): readonly Fault[] {
  const values = metadata[field];
  if (values === undefined || values === null) return [];
  if (!isRecord(values))
    return [
      { at: ['metadata', field], message: `is ${describe(values)}, expected names with texts. Correct it.` },
    ];
  return Object.entries(values)
    .filter(([, value]) => typeof value !== 'string')
    .map(([key, value]) => ({
      at: ['metadata', field, key],
      message: `is ${describe(value)}, expected text. Put it in quotes.`,
    }));
}

function describeFault(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return 'is missing. Add it.';
  return typeof value === 'string' ? undefined : `is ${describe(value)}, expected text. Put it in quotes.`;
}

function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? 'text' : String(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(place: Place, path: Path, message: string): ParsedManifests {
  return { manifests: [], problems: [problemAt(place, path, message)] };
}

function problemAt(place: Place, path: Path, message: string): ManifestProblem {
  const source = { file: place.file, document: place.index, line: lineAt(place, path) };
  if (path.length === 0) return { source, message };
  const field = fieldOf(path);
  return { source, field, message: `${field} ${message}` };
}

/** `spec.containers[0].image`; a name with a dot in brackets, as it would be read wrong. */
function fieldOf(path: Path): string {
  let field = '';
  for (const part of path) {
    if (typeof part === 'number') field += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) field += field === '' ? part : `.${part}`;
    else field += `["${toOneLine(part, 80)}"]`;
  }
  return field;
}

/** The line of a field, or of what it should be in. */
function lineAt({ isGenerated, yaml, document }: Place, path: Path): number | undefined {
  if (isGenerated) return undefined;
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (yaml.yaml.isNode(node)) return lineOf(node, yaml.lines);
  }
  return undefined;
}

/** Where the syntax is broken, all that the parser says after the first is a consequence. */
function chooseFaults(faults: readonly SyntaxFault[]): readonly SyntaxFault[] {
  const first = faults.find(({ code }) => !isAboutValue(code));
  return faults.filter((fault) => fault === first || isAboutValue(fault.code));
}

function isAboutValue(code: string): boolean {
  return code === 'DUPLICATE_KEY' || code === 'TAG_RESOLVE_FAILED';
}

type SyntaxFault = YamlDocument['errors'][number] | YamlDocument['warnings'][number];

/** The parser's findings that have better words than its own. */
const WORDS: Readonly<Record<string, string>> = {
  RESOURCE_EXHAUSTION: 'is nested too deeply. Write it flatter.',
  DUPLICATE_KEY: 'is there twice. Take one out.',
  TAB_AS_INDENT: 'Tabs are used to indent, expected spaces. Replace them.',
  TAG_RESOLVE_FAILED: 'has a tag that Kubernetes does not know. Take it out.',
};

/** What Helm's and other templates have and YAML has not: two braces and then a name, or a dash. */
const TEMPLATE = /\{\{(?:-|\s*[.\w])/;

function fixOf(text: string, fix: string): string {
  return TEMPLATE.test(text) ? 'It looks like a template: render it first.' : fix;
}

/**
 * What YAML allows and JSON does not, and what is lost when it becomes a value: a map or list as a key of another map,
 * and whole numbers that JavaScript doesn't keep exactly, though Kubernetes does.
 */
function findOddNode(place: Place, text: string): ManifestProblem | undefined {
  const { file, index, isGenerated, yaml, document } = place;
  const sourceOf = (node: Node): ManifestSource => {
    const line = isGenerated ? undefined : lineOf(node, yaml.lines);
    return { file, document: index, line };
  };
  let found: ManifestProblem | undefined;
  yaml.yaml.visit(document, {
    Pair: (_, { key }) => {
      if (!yaml.yaml.isCollection(key)) return undefined;
      found = {
        source: sourceOf(key),
        message: `A key is no text. ${fixOf(text, 'Write the key as text.')}`,
      };
      return yaml.yaml.visit.BREAK;
    },
    Scalar: (_, scalar) => {
      if (!isInexact(scalar.value, scalar.source)) return undefined;
      const field = fieldAt(yaml, document, scalar.range?.[0] ?? 0) ?? 'A value';
      const message = `${field} is a number too large to be kept exactly. Put it in quotes.`;
      found = { source: sourceOf(scalar), field, message };
      return yaml.yaml.visit.BREAK;
    },
  });
  return found;
}

function isInexact(value: unknown, written: string | undefined): boolean {
  const isWhole = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isWhole && /^[-+]?(?:\d[\d_]*|0[xbo][\da-f_]+)$/i.test(written ?? '');
}

function problemOfSyntax(place: Place, fault: SyntaxFault, text: string): ManifestProblem {
  const { file, index, isGenerated, yaml, document } = place;
  const [offset, end] = fault.pos;
  const line = isGenerated ? undefined : yaml.lines.linePos(offset).line;
  const source = { file, document: index, line };
  const words = WORDS[fault.code];
  if (words !== undefined && isAboutValue(fault.code)) {
    const field = fieldAt(yaml, document, offset) ?? toOneLine(text.slice(offset, end), 80);
    return { source, field, message: `${field} ${words}` };
  }
  const fix = fixOf(text, 'Correct the YAML.');
  return { source, message: words ?? `${toOneLine(fault.message, 120).replace(/\.?$/, '.')} ${fix}` };
}

/** The field whose key or value lies at an offset. */
function fieldAt({ yaml }: YamlFile, document: YamlDocument, offset: number): string | undefined {
  const path: (string | number)[] = [];
  let next: unknown = document.contents;
  while (next !== undefined) {
    const step = stepTo(yaml, next, offset);
    if (step === undefined) break;
    path.push(step.key);
    next = step.next;
  }
  return path.length === 0 ? undefined : fieldOf(path);
}

/** The part of a map or list in which an offset lies; without a next one where that is the key itself. */
function stepTo(
  yaml: YamlFile['yaml'],
  node: unknown,
  offset: number,
): { readonly key: string | number; readonly next: unknown } | undefined {
  if (yaml.isMap(node)) {
    // A tag or anchor lies before its value, so it is from the beginning of a key that a field is counted.
    const pair = node.items.findLast(({ key }) => yaml.isNode(key) && (key.range?.[0] ?? 0) <= offset);
    if (pair === undefined) return undefined;
    const key = String(yaml.isScalar(pair.key) ? pair.key.value : pair.key);
    return { key, next: isWithin(yaml, pair.key, offset) ? undefined : pair.value };
  }
  if (!yaml.isSeq(node)) return undefined;
  const index = node.items.findIndex((item) => isWithin(yaml, item, offset));
  return index === -1 ? undefined : { key: index, next: node.items[index] };
}

function isWithin(yaml: YamlFile['yaml'], node: unknown, offset: number): boolean {
  if (!yaml.isNode(node)) return false;
  const { range } = node;
  return (
    range !== null && range !== undefined && range[0] <= offset && offset < Math.max(range[1], range[0] + 1)
  );
}

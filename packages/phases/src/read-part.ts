import * as z from 'zod/mini';
import { hintAt } from './nearest.ts';
import { type Path, type PhaseDocument, type PhaseFileProblem, quote } from './phase-yaml.ts';

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'fields',
  record: 'fields',
};

type Issue = z.core.$ZodIssue;

/** The part at a path as the schema has it, or undefined after adding every problem in it, each at its place. */
export function readPart<T extends z.ZodMiniType>(
  document: PhaseDocument,
  path: Path,
  schema: T,
  problems: PhaseFileProblem[],
): z.infer<T> | undefined {
  const value = valueAt(document.value, path);
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    problems.push(...explain(document, path, schema, value, issue));
  }
  return undefined;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string | number, unknown>)[name]
        : undefined,
    value,
  );
}

function explain(
  document: PhaseDocument,
  base: Path,
  schema: z.ZodMiniType,
  part: unknown,
  issue: Issue,
): readonly PhaseFileProblem[] {
  const inner = issue.path.map((name) => (typeof name === 'symbol' ? String(name) : name));
  const path = [...base, ...inner];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, inner);
    return issue.keys.map((key) =>
      document.problemAt(
        [...path, key],
        `${nameOf([...path, key])} is not a field: expected one of ${known.join(', ')}.${hintAt(key, known)}`,
        true,
      ),
    );
  }
  const value = valueAt(part, inner);
  if (value === undefined) {
    return [document.problemAt(path, `${nameOf(path)} is missing: expected ${expectedBy(issue)}. Add it.`)];
  }
  const hint = issue.code === 'invalid_value' ? hintAt(String(value), issue.values.map(String)) : '';
  const observed = describe(value, inner.at(-1) === 'address');
  return [document.problemAt(path, `${nameOf(path)} is ${observed}: expected ${expectedBy(issue)}.${hint}`)];
}

function describe(value: unknown, mayHoldPassword: boolean): string {
  if (value === null) return 'empty';
  if (mayHoldPassword && typeof value === 'string') return 'not usable';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a group of fields';
  return typeof value === 'string' ? quote(value) : String(value);
}

function expectedBy(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1
        ? quote(String(issue.values[0]))
        : `one of ${issue.values.map((value) => quote(String(value))).join(', ')}`;
    case 'too_small':
      return 'at least one entry';
    case 'invalid_union':
      return 'a finite number or text';
    case 'custom':
      return issue.message;
    default:
      return 'another value';
  }
}

/** `spec.metrics[3].target.op`. */
export function nameOf(path: Path): string {
  if (path.length === 0) return 'The file';
  return path
    .map((name, index) =>
      typeof name === 'number' ? `[${name}]` : index === 0 ? quoteKey(name) : `.${quoteKey(name)}`,
    )
    .join('');
}

function quoteKey(name: string): string {
  return /^[\w-]{1,60}$/.test(name) ? name : quote(name);
}

/** The fields that the schema knows at a path within it. */
function knownKeys(schema: z.ZodMiniType, path: Path): readonly string[] {
  let current: unknown = schema;
  for (const name of [...path, undefined]) {
    while (current instanceof z.ZodMiniOptional) current = current._zod.def.innerType;
    if (name === undefined) break;
    if (current instanceof z.ZodMiniObject) current = (current.shape as Record<string, unknown>)[name];
    else if (current instanceof z.ZodMiniArray) current = current._zod.def.element;
  }
  return current instanceof z.ZodMiniObject ? Object.keys(current.shape) : [];
}

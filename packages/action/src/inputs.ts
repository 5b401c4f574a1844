import { InputError } from './errors.ts';
import {
  findNearest,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseList,
  parseSize,
} from './input-values.ts';

/**
 * How an input's text is read. Written in action.yml as a comment beside the input (`tags: # list`), because
 * the metadata syntax has no types; `script/generate` turns it into the table `readInputs` takes.
 */
export type InputType =
  | { readonly type: 'string' }
  | { readonly type: 'boolean' }
  | { readonly type: 'list' | 'lines' | 'raw-lines' | 'secret-lines' }
  | { readonly type: 'duration' }
  | { readonly type: 'size' }
  | { readonly type: 'choice'; readonly choices: readonly string[] };

/** One declared input. `default` is the text of action.yml, undefined where there is none. */
export type InputDeclaration = InputType & { readonly default?: string; readonly isRequired?: boolean };

export type InputTable = Readonly<Record<string, InputDeclaration>>;

type Parsed<D extends InputDeclaration> = D extends { readonly type: 'boolean' }
  ? boolean
  : D extends { readonly type: 'list' | 'lines' | 'raw-lines' | 'secret-lines' }
    ? readonly string[]
    : D extends { readonly type: 'duration' | 'size' }
      ? number | undefined
      : D extends { readonly type: 'choice'; readonly choices: readonly (infer C)[] }
        ? D extends { readonly default: string }
          ? C
          : C | ''
        : string;

/**
 * The values of a table's inputs: durations in ms and sizes in bytes, undefined where left empty; a choice without a
 * default is empty text where none was made.
 */
export type InputValues<T extends InputTable> = { readonly [Name in keyof T]: Parsed<T[Name]> };

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads every declared input from the environment the runner gives (`INPUT_<NAME>`, hyphens kept).
 * An input that is empty counts as not given and takes its default.
 *
 * @throws {InputError} The first input, in the order of action.yml, that is wrong or required and missing.
 */
export function readInputs<const T extends InputTable>(table: T, environment: Environment): InputValues<T> {
  const values = Object.entries(table).map(([name, declaration]) => {
    const given = readText(name, declaration, environment);
    // A default that is an expression was evaluated by the runner already; left alone it is no value.
    const fallback = declaration.default?.startsWith('${{') ? '' : (declaration.default ?? '');
    const text = given === '' ? fallback : given;
    if (text === '' && declaration.isRequired) {
      throw new InputError(`Input "${name}" is missing. Set it under "with:".`);
    }
    return [name, parseValue(name, declaration, text)];
  });
  // Each entry was parsed by the declaration of its own name, which is what InputValues says.
  return Object.fromEntries(values) as InputValues<T>;
}

function readText(name: string, declaration: InputDeclaration, environment: Environment): string {
  const text = environment[inputVariable(name)] ?? '';
  return declaration.type === 'secret-lines' ? text : text.trim();
}

function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
}

function parseValue(name: string, declaration: InputDeclaration, text: string): unknown {
  switch (declaration.type) {
    case 'string':
      return text;
    case 'boolean':
      return text === '' ? false : parseBoolean(name, text);
    case 'choice':
      return text === '' && declaration.default === undefined
        ? ''
        : parseChoice(name, text, declaration.choices);
    case 'duration':
      return text === '' ? undefined : parseDuration(name, text);
    case 'size':
      return text === '' ? undefined : parseSize(name, text);
    default:
      return parseList(name, text, declaration.type);
  }
}

/**
 * Inputs that were given but aren't declared, one sentence each. The runner passes them on; a misspelt name
 * would otherwise be a value that silently does nothing.
 */
export function findUnknownInputs(table: InputTable, environment: Environment): readonly string[] {
  const names = Object.keys(table);
  const known = new Set(names.map(inputVariable));
  return Object.keys(environment)
    .filter((variable) => variable.startsWith('INPUT_') && !known.has(variable))
    .map((variable) => {
      const name = variable.slice('INPUT_'.length).toLowerCase();
      const nearest = findNearest(name, names);
      const hint = nearest === undefined ? 'Remove it.' : `Did you mean "${nearest}"?`;
      return `Input "${name}" does not exist and is ignored. ${hint}`;
    });
}

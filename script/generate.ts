/**
 * Writes what is derived from a single source, so that it can't drift: input tables (code and README) from each
 * action.yml, JSON Schemas from the records' zod schemas. `--check` writes nothing and fails if any file is stale.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { toPublishedSchemas } from '../packages/records/src/published-schemas.ts';

type Input = {
  readonly name: string;
  readonly type: string;
  readonly choices: readonly string[];
  readonly description: string;
  readonly default: string | undefined;
  readonly isRequired: boolean;
};
type Output = { readonly name: string; readonly description: string };

const TYPES = [
  'string',
  'boolean',
  'list',
  'lines',
  'raw-lines',
  'secret-lines',
  'duration',
  'size',
  'choice',
];
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: '`true` or `false`',
  list: 'list (lines or commas)',
  lines: 'list (lines)',
  'raw-lines': 'list (lines)',
  'secret-lines': 'list (lines)',
  duration: 'time',
  size: 'size',
};

function sectionOf(root: unknown, name: string): YAMLMap | undefined {
  const section = isMap(root) ? root.get(name, true) : undefined;
  return isMap(section) ? section : undefined;
}

function textOf(map: YAMLMap, key: string): string | undefined {
  const value: unknown = map.get(key);
  return value === undefined || value === null ? undefined : String(value);
}

function entriesOf(section: YAMLMap | undefined): { name: string; value: YAMLMap }[] {
  return (section?.items ?? []).flatMap(({ key, value }) =>
    isScalar(key) && isMap(value) ? [{ name: String(key.value), value }] : [],
  );
}

function readInput(file: string, name: string, value: YAMLMap): Input {
  const written = (value.commentBefore ?? '').trim();
  const choices = /^choice (.+)$/.exec(written)?.[1]?.split('|') ?? [];
  const type = choices.length > 0 ? 'choice' : written;
  if (!TYPES.includes(type)) {
    throw new Error(
      `${file}: input "${name}" has the type comment "${written}": expected one of ${TYPES.join(', ')}.`,
    );
  }
  return {
    name,
    type,
    choices,
    description: textOf(value, 'description') ?? '',
    default: textOf(value, 'default'),
    isRequired: textOf(value, 'required') === 'true',
  };
}

function renderCode(inputs: readonly Input[], outputs: readonly Output[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const rows = inputs.map((input) => {
    const fields = [
      `type: ${quote(input.type)}`,
      ...(input.choices.length > 0 ? [`choices: [${input.choices.map(quote).join(', ')}]`] : []),
      ...(input.default === undefined ? [] : [`default: ${quote(input.default)}`]),
      ...(input.isRequired ? ['isRequired: true'] : []),
    ];
    return `  ${quote(input.name)}: { ${fields.join(', ')} },`;
  });
  return [
    '// Written by script/generate.ts from action.yml.',
    "import type { InputTable } from '@sophia/action';",
    '',
    'export const inputTable = {',
    ...rows,
    '} as const satisfies InputTable;',
    '',
    `export type OutputName = ${outputs.map(({ name }) => quote(name)).join(' | ')};`,
    '',
  ].join('\n');
}

function renderTables(inputs: readonly Input[], outputs: readonly Output[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();
  const typeWords = (input: Input) =>
    input.type === 'choice'
      ? input.choices.map((choice) => `\`${choice}\``).join(', ')
      : TYPE_WORDS[input.type];
  return [
    '### Inputs',
    '',
    '| name | kind | default | meaning |',
    '|---|---|---|---|',
    ...inputs.map(
      (input) =>
        `| \`${input.name}\` | ${typeWords(input)} | ${input.default ? `\`${input.default}\`` : ''} | ${cell(input.description)} |`,
    ),
    '',
    '### Outputs',
    '',
    '| name | meaning |',
    '|---|---|',
    ...outputs.map((output) => `| \`${output.name}\` | ${cell(output.description)} |`),
  ].join('\n');
}

const START = '<!-- generated from action.yml: start -->';
const END = '<!-- generated from action.yml: end -->';

function replaceTables(file: string, tables: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start === -1 || end < start) {
    throw new Error(`${file} has no place for its tables: expected the lines "${START}" and "${END}".`);
  }
  return `${text.slice(0, start + START.length)}\n${tables}\n${text.slice(end)}`;
}

function actionFiles(actionYml: string): [string, string][] {
  const folder = dirname(actionYml);
  const document = parseDocument(readFileSync(actionYml, 'utf8'));
  if (document.errors[0] !== undefined) throw new Error(`${actionYml}: ${document.errors[0].message}`);
  const inputs = entriesOf(sectionOf(document.contents, 'inputs')).map(({ name, value }) =>
    readInput(actionYml, name, value),
  );
  const outputs = entriesOf(sectionOf(document.contents, 'outputs')).map(({ name, value }) => ({
    name,
    description: textOf(value, 'description') ?? '',
  }));
  const readme = join(folder, 'README.md');
  return [
    [join(folder, 'src/inputs.generated.ts'), renderCode(inputs, outputs)],
    [readme, replaceTables(readme, renderTables(inputs, outputs))],
  ];
}

const root = join(import.meta.dirname, '..');
const isCheck = process.argv.includes('--check');
const files: [string, string][] = [
  ...globSync('actions/*/action.yml', { cwd: root }).flatMap((file) => actionFiles(join(root, file))),
  ...Object.entries(toPublishedSchemas()).map(([name, schema]): [string, string] => [
    join(root, 'schemas', name),
    `${JSON.stringify(schema, null, 2)}\n`,
  ]),
];
const stale = files.filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
for (const [file, text] of stale) {
  if (!isCheck) writeFileSync(file, text);
  console.log(`${isCheck ? 'stale' : 'wrote'} ${file.slice(root.length + 1)}`);
}
if (isCheck && stale.length > 0) {
  console.log('Run "npm run generate" and commit what it writes.');
  process.exitCode = 1;
}

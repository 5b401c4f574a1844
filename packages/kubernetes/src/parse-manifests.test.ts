import { describe, expect, it } from 'vitest';
import { parseManifests } from './parse-manifests.ts';

const CONFIG_MAP = 'apiVersion: v1\nkind: ConfigMap\n';

async function problemsOf(text: string): Promise<readonly string[]> {
  const { problems } = await parseManifests(text, 'a.yaml', false);
  return problems.map(({ source, message }) => `${source.document}:${source.line}: ${message}`);
}

describe('parseManifests', () => {
  it('reads several documents and says where each begins', async () => {
    const text = `# a comment\n---\n${CONFIG_MAP}metadata: {name: a}\n---\n# nothing\n---\n\n${CONFIG_MAP}metadata: {name: b}\n`;
    const { manifests, problems } = await parseManifests(text, 'a.yaml', false);
    expect(problems).toEqual([]);
    expect(manifests).toEqual([
      {
        object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
        source: { file: 'a.yaml', document: 1, line: 3 },
      },
      {
        object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } },
        source: { file: 'a.yaml', document: 3, line: 10 },
      },
    ]);
  });

  it('takes lists apart, also lists in lists', async () => {
    const text = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } },
        {
          apiVersion: 'v1',
          kind: 'PodList',
          items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'b' } }],
        },
      ],
    });
    const { manifests, problems } = await parseManifests(text, 'a.json', false);
    expect([problems, manifests.map(({ object }) => object.metadata.name)]).toEqual([[], ['a', 'b']]);
  });

  it('knows no lines of what was generated', async () => {
    const { manifests, problems } = await parseManifests(
      `${CONFIG_MAP}metadata: {name: a}\n---\n- b\n`,
      'base',
      true,
    );
    expect(manifests[0]?.source).toEqual({ file: 'base', document: 1, line: undefined });
    expect(problems[0]?.source).toEqual({ file: 'base', document: 2, line: undefined });
  });

  it.each([
    [
      'a key twice',
      `${CONFIG_MAP}metadata:\n  name: a\ndata:\n  x: "1"\n  x: "2"\n`,
      '1:7: data.x is there twice. Take one out.',
    ],
    [
      'a tab',
      'apiVersion: v1\nmetadata:\n\tname: a\n',
      '1:3: Tabs are used to indent, expected spaces. Replace them.',
    ],
    ['no apiVersion', 'kind: Pod\nmetadata: {name: a}\n', '1:1: apiVersion is missing. Add it.'],
    ['no kind', 'apiVersion: v1\nmetadata: {name: a}\n', '1:1: kind is missing. Add it.'],
    [
      'no metadata',
      'apiVersion: v1\nkind: Pod\n',
      '1:1: metadata is missing, expected an object with a name. Add it.',
    ],
    ['no name', `${CONFIG_MAP}metadata: {namespace: a}\n`, '1:3: metadata.name is missing. Add it.'],
    [
      'a generated name',
      `${CONFIG_MAP}metadata:\n  generateName: a-\n`,
      '1:4: metadata.generateName gives a new object each time, which can be neither applied nor rolled back. Give it a name.',
    ],
    [
      'a name that is a number',
      `${CONFIG_MAP}metadata:\n  name: 7\n`,
      '1:4: metadata.name is 7, expected text. Put it in quotes.',
    ],
    [
      'a label that is a boolean',
      `${CONFIG_MAP}metadata:\n  name: a\n  labels:\n    canary: on\n`,
      '1:6: metadata.labels.canary is true, expected text. Put it in quotes.',
    ],
    [
      'an annotation that is a number',
      `${CONFIG_MAP}metadata: {name: a, annotations: {example.com/port: 80}}\n`,
      '1:3: metadata.annotations["example.com/port"] is 80, expected text. Put it in quotes.',
    ],
    ['a list', '- a\n', '1:1: is a list, expected an object with apiVersion, kind and metadata. Correct it.'],
    ['text', 'hello\n', '1:1: is text, expected an object with apiVersion, kind and metadata. Correct it.'],
    [
      'not a number',
      `${CONFIG_MAP}metadata: {name: a}\nspec: {x: .nan}\n`,
      "1:4: spec.x is NaN, which JSON can't hold. Write another number, or put it in quotes.",
    ],
    [
      'a number that would be changed',
      `${CONFIG_MAP}metadata: {name: a}\nspec: {x: [9007199254740993]}\n`,
      '1:4: spec.x[0] is a number too large to be kept exactly. Put it in quotes.',
    ],
    [
      'an unknown tag',
      `${CONFIG_MAP}metadata: {name: !env NAME}\n`,
      '1:3: metadata.name has a tag that Kubernetes does not know. Take it out.',
    ],
    [
      'a map as a key',
      `${CONFIG_MAP}metadata: {name: a}\nspec: {? {a: 1} : 2}\n`,
      '1:4: A key is no text. Write the key as text.',
    ],
    [
      'a broken template',
      'a: {{ .Values.x }}\n{{- if x }}\n',
      '1:2: Implicit keys need to be on a single line. It looks like a template: render it first.',
    ],
    [
      'a template',
      `${CONFIG_MAP}metadata:\n  name: {{ .Values.name }}\n`,
      '1:4: A key is no text. It looks like a template: render it first.',
    ],
    ['NUL', 'a\0b', '1:undefined: has NUL characters, expected text. Give a YAML or JSON file.'],
    ['endless nesting', '['.repeat(50_000), '1:1: is nested too deeply. Write it flatter.'],
    [
      'deep nesting',
      `a: ${'['.repeat(150)}${']'.repeat(150)}`,
      '1:1: a[0][0] is nested deeper than 100. Write it flatter.',
    ],
  ])('says what is wrong with %s', async (_, text, expected) => {
    expect(await problemsOf(text)).toContain(expected);
  });

  it('stops at aliases that multiply', async () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array(9).fill(inner).join(', ')}]`;
    });
    expect(await problemsOf(levels.join('\n'))).toEqual([
      '1:1: has aliases that grow beyond measure. Write them out.',
    ]);
  });

  it('tells everything that is wrong in all documents at once', async () => {
    const text = `${CONFIG_MAP}metadata: {}\n---\napiVersion: v1\nmetadata: {name: 1}\n---\n- x\n`;
    expect(await problemsOf(text)).toEqual([
      '1:3: metadata.name is missing. Add it.',
      '2:5: kind is missing. Add it.',
      '2:6: metadata.name is 1, expected text. Put it in quotes.',
      '3:8: is a list, expected an object with apiVersion, kind and metadata. Correct it.',
    ]);
  });
});

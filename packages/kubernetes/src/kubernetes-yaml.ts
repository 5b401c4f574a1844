import type { CollectionTag, Document, LineCounter, Node, ParsedNode, ScalarTag, Tags } from 'yaml';

/** A document of a file, read as Kubernetes' own tools read it. */
export type YamlDocument = Document<ParsedNode, true> | Document.Parsed;

export type YamlFile = {
  readonly documents: readonly YamlDocument[];
  readonly lines: LineCounter;
  /** Whether a node is a map, list, scalar or alias is asked of the library that made it. */
  readonly yaml: typeof import('yaml');
};

/**
 * Tags of YAML 1.1 that Kubernetes' reader (sigs.k8s.io/yaml on go-yaml v2) doesn't have: to it `1:20` and
 * `2024-05-01` are text.
 */
const UNKNOWN_TO_KUBERNETES = new Set([
  'tag:yaml.org,2002:binary',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
  'tag:yaml.org,2002:timestamp',
]);

/**
 * Reads YAML (or JSON) as kubectl does: YAML 1.1, in which `yes` and `on` are true and `0644` is octal, but without
 * that version's base 60 and dates. The library is loaded here, since most of what this package does needs none.
 *
 * @returns Undefined where it is nested too deeply to be read.
 */
export async function parseKubernetesYaml(text: string): Promise<YamlFile | undefined> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  try {
    const parsed = yaml.parseAllDocuments(text, {
      version: '1.1',
      customTags: toKubernetesTags,
      lineCounter: lines,
      prettyErrors: false,
      // It would write to this process's stderr; what it warns of is in the documents.
      logLevel: 'error',
    });
    return { documents: Array.isArray(parsed) ? parsed : [], lines, yaml };
  } catch (error) {
    // The parser calls itself for each level.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function toKubernetesTags(tags: Tags): Tags {
  const kept = tags.filter(
    (tag) => typeof tag === 'string' || (!UNKNOWN_TO_KUBERNETES.has(tag.tag) && !isBaseSixty(tag)),
  );
  return [NEW_OCTAL, ...kept];
}

/** go-yaml v2 reads the octal numbers of YAML 1.2 beside those of 1.1. */
const NEW_OCTAL: ScalarTag = {
  identify: () => false,
  default: true,
  tag: 'tag:yaml.org,2002:int',
  test: /^[-+]?0o[0-7_]+$/,
  resolve: (text) => Number(text.replaceAll('_', '').replace(/^[-+]/, '')) * (text.startsWith('-') ? -1 : 1),
};

function isBaseSixty(tag: CollectionTag | ScalarTag): boolean {
  return 'format' in tag && tag.format === 'TIME';
}

/** The most aliases a document may follow, so that a small file can't become a huge one. */
const MAX_ALIASES = 1000;

/** A document's value; undefined where its aliases grow beyond measure. */
export function toPlainValue(document: YamlDocument): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) };
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

/** The line at which a node begins, from 1. */
export function lineOf(node: Node | null | undefined, lines: LineCounter): number | undefined {
  const offset = node?.range?.[0];
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

import { delimiter, dirname, join, resolve } from 'node:path';
import { KubeconfigError } from './kubeconfig-error.ts';
import type { ClusterEntry, ContextEntry, UserEntry } from './kubeconfig-schema.ts';
import { Kubeconfig } from './kubeconfig-schema.ts';
import { parseKubernetesYaml, toPlainValue } from './kubernetes-yaml.ts';
import { toOneLine } from './plain-text.ts';
import { isMissingFile, readTextFile } from './text-file.ts';

/** An entry and where it was written. */
export type Found<Entry> = {
  readonly entry: Entry;
  /** What its relative paths are relative to; undefined where the kubeconfig is a text. */
  readonly folder: string | undefined;
};

/** Kubeconfigs put together. */
export type MergedKubeconfig = {
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Found<ClusterEntry>>;
  readonly users: ReadonlyMap<string, Found<UserEntry>>;
  readonly contexts: ReadonlyMap<string, Found<ContextEntry>>;
  /** How messages call it. */
  readonly name: string;
};

type Source = { readonly text: string; readonly name: string; readonly folder: string | undefined };

/** Nobody's kubeconfig is larger; a mistaken path may be. */
const MAX_KUBECONFIG_BYTES = 4 * 1024 * 1024;

/**
 * Finds and reads the kubeconfig in client-go's order: the given one, those of `KUBECONFIG` (files that aren't there
 * are passed over), `~/.kube/config`.
 *
 * @param given A path, or the text itself (YAML, JSON, or either in base64).
 * @returns The config, or, where there is none, what was looked at, for a message.
 * @throws {KubeconfigError}
 */
export async function findKubeconfig(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  mask: (secret: string) => void,
): Promise<{ readonly config: MergedKubeconfig | undefined; readonly tried: readonly string[] }> {
  if (given !== undefined && given.trim() !== '') {
    return { config: await merge([await readGiven(given, mask)]), tried: [] };
  }
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const home = env['HOME'] ?? env['USERPROFILE'];
  const paths =
    listed.length > 0 ? listed : home === undefined || home === '' ? [] : [join(home, '.kube', 'config')];
  const sources = (await Promise.all(paths.map(readIfThere))).filter((source) => source !== undefined);
  const config = await merge(sources);
  const isEmpty = config.clusters.size === 0 && config.contexts.size === 0 && config.users.size === 0;
  if (sources.length > 0 && !isEmpty) return { config, tried: [] };
  const state = sources.length > 0 ? 'empty' : 'not there';
  return {
    config: undefined,
    tried:
      listed.length > 0
        ? [`KUBECONFIG (${listed.map((path) => toOneLine(path, 60)).join(delimiter)}: ${state})`]
        : ['KUBECONFIG (unset)', `~/.kube/config (${paths.length === 0 ? 'no HOME' : state})`],
  };
}

/** A JSON web token, or more letters and digits in a row than anybody calls a file. */
const LIKE_A_TOKEN = /eyJ|[\w+=-]{40,}/;

async function readGiven(given: string, mask: (secret: string) => void): Promise<Source> {
  const text = textOf(given);
  if (text !== undefined) return { text, name: 'the kubeconfig', folder: undefined };
  const path = given.trim();
  // What isn't a path may be a secret that was damaged on its way here: it is not shown.
  const isShown = path.length <= 200 && /[./\\]/.test(path) && !LIKE_A_TOKEN.test(path);
  if (!isShown) mask(path);
  const name = isShown ? `kubeconfig ${path}` : 'the kubeconfig';
  const fix = 'Give a path, or the text of a kubeconfig.';
  return readSource(path, name, (error) => {
    const what = isShown ? 'is not there' : 'is neither the path of a file nor YAML or JSON';
    return isMissingFile(error) || !isShown ? new KubeconfigError(`${name} ${what}. ${fix}`) : undefined;
  });
}

/** The text where a value is a kubeconfig itself and no path. */
function textOf(given: string): string | undefined {
  const trimmed = given.trim();
  if (trimmed.length >= 100 && /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(trimmed)) {
    const decoded = Buffer.from(trimmed, 'base64').toString('utf8');
    if (decoded.includes('clusters')) return decoded;
  }
  return trimmed.startsWith('{') || trimmed.includes('\n') ? given : undefined;
}

async function readIfThere(path: string): Promise<Source | undefined> {
  try {
    return await readSource(path, `kubeconfig ${path}`, () => undefined);
  } catch (error) {
    if (error instanceof KubeconfigError && isMissingFile(error.cause)) return undefined;
    throw error;
  }
}

async function readSource(
  path: string,
  name: string,
  explain: (error: unknown) => KubeconfigError | undefined,
): Promise<Source> {
  try {
    return { text: await readTextFile(path, MAX_KUBECONFIG_BYTES), name, folder: dirname(resolve(path)) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = 'code' in error ? String(error.code) : error.message;
    throw (
      explain(error) ??
      new KubeconfigError(`${name} can't be read: ${why}. Check the path and its permissions.`, error)
    );
  }
}

/** The first to set a name, or the current context, wins; nothing of a later entry of that name is taken. */
async function merge(sources: readonly Source[]): Promise<MergedKubeconfig> {
  const parsed = await Promise.all(
    sources.map(async (source) => ({ config: await parse(source), folder: source.folder })),
  );
  const clusters = parsed.flatMap(({ config, folder }) =>
    (config.clusters ?? []).map(({ name, cluster }) => ({ name, entry: cluster ?? {}, folder })),
  );
  const users = parsed.flatMap(({ config, folder }) =>
    (config.users ?? []).map(({ name, user }) => ({ name, entry: user ?? {}, folder })),
  );
  const contexts = parsed.flatMap(({ config, folder }) =>
    (config.contexts ?? []).map(({ name, context }) => ({ name, entry: context ?? {}, folder })),
  );
  return {
    currentContext:
      parsed.map(({ config }) => config['current-context']).find((name) => Boolean(name)) ?? undefined,
    clusters: firstByName(clusters),
    users: firstByName(users),
    contexts: firstByName(contexts),
    name: sources.length === 1 ? (sources[0]?.name ?? 'the kubeconfig') : 'KUBECONFIG',
  };
}

function firstByName<Entry>(
  entries: readonly (Found<Entry> & { readonly name: string })[],
): ReadonlyMap<string, Found<Entry>> {
  const first = new Map<string, Found<Entry>>();
  for (const { name, entry, folder } of entries) if (!first.has(name)) first.set(name, { entry, folder });
  return first;
}

async function parse(source: Source): Promise<Kubeconfig> {
  const file = await parseKubernetesYaml(source.text);
  if (file === undefined) throw new KubeconfigError(`${source.name} is nested too deeply. Correct it.`);
  const { documents, lines } = file;
  const [document, second] = documents;
  if (document === undefined) return {};
  // The parser's own words and its values are not shown: what is on that line may be a credential.
  const [error] = document.errors;
  if (error !== undefined || second !== undefined) {
    const where = error === undefined ? '' : ` (line ${lines.linePos(error.pos[0]).line}: ${error.code})`;
    throw new KubeconfigError(`${source.name} is not one document of YAML or JSON${where}. Correct it.`);
  }
  const plain = toPlainValue(document);
  const value = plain?.value;
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value) || !('clusters' in value || 'contexts' in value))
    throw new KubeconfigError(
      `${source.name} has neither clusters nor contexts, expected a kubeconfig. Correct it.`,
    );
  const config = Kubeconfig.safeParse(value);
  if (config.success) return config.data;
  const path = (config.error.issues[0]?.path ?? []).map(String).join('.');
  throw new KubeconfigError(
    `${source.name} has something unexpected at ${path}. Write it as kubectl config does.`,
  );
}

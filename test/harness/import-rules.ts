/** A source tree: paths relative to the repository root, `/` between folders, with the files' text. */
export type SourceTree = ReadonlyMap<string, string>;

/** Which packages there are, and which way imports may go among them. */
export type ImportTable = {
  /** Pure packages, each with the pure packages it may import. */
  readonly pure: Readonly<Record<string, readonly string[]>>;
  /** Edges: one outside system each. They may import any pure package and no other edge. */
  readonly edges: readonly string[];
  /** Actions may import any package and no other action. */
  readonly actions: readonly string[];
  /** Packages from npm that only one of the packages here may import: npm name ▶ package. */
  readonly reserved: Readonly<Record<string, string>>;
};

type Import = {
  readonly specifier: string;
  /** Names taken as values; those of `import type` are not among them. */
  readonly values: readonly string[];
};

type Owner = {
  readonly kind: 'pure' | 'edge' | 'action';
  readonly name: string;
  readonly folder: string;
};

/** What an action may only reach through a package: the outside world. */
const outside = /^(?:@actions\/|@octokit\/|(?:node:)?(?:child_process|http|http2|https|tls|dgram)$)/;

const importStatement = /^\s*import\s+(type\s+)?((?:[^'"`;]*?\bfrom\s*)?)['"]([^'"]+)['"]/gm;
const exportStatement = /^\s*export\s+(type\s+)?(\*(?:\s+as\s+\w+)?|\{[^}]*\})\s*from\s*['"]([^'"]+)['"]/gm;
const dynamicImport = /\bimport\(\s*(?:['"]([^'"]+)['"]\s*\)|[^'"\s)][^)]*\))/g;
const commentLine = /^\s*(?:\/\/|\/?\*).*$/gm;

/**
 * Finds the imports of a TypeScript file, re-exports and `import()` among them, in the form Biome gives
 * them: each statement starts a line. A computed `import()` is reported with the specifier `<computed>`.
 */
export function findImports(text: string): readonly Import[] {
  const code = text.replace(commentLine, '');
  const found: Import[] = [];
  for (const pattern of [importStatement, exportStatement]) {
    for (const [, typeOnly, clause = '', specifier = ''] of code.matchAll(pattern)) {
      found.push({ specifier, values: typeOnly === undefined ? valueNames(clause) : [] });
    }
  }
  for (const [, specifier] of code.matchAll(dynamicImport)) {
    found.push({ specifier: specifier ?? '<computed>', values: [] });
  }
  return found;
}

/** `a, type B, c as d` of a clause in braces ▶ `a`, `c`. */
function valueNames(clause: string): readonly string[] {
  const inBraces = /\{([^}]*)\}/.exec(clause)?.[1] ?? '';
  return inBraces
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('type '))
    .map((part) => part.split(/\s/)[0] ?? part);
}

/**
 * Says which imports of `packages/<name>/src` and `actions/<name>/src` go against the table, one line each.
 * Tests beside the source may import anything but the inside of another package.
 */
export function findImportBreaches(tree: SourceTree, table: ImportTable): readonly string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    const owner = findOwner(path, table);
    if (owner === undefined) continue;
    for (const { specifier, values } of findImports(text)) {
      const breach = isTest(path)
        ? judgeDepth(specifier)
        : (judgeDepth(specifier) ??
          judgeRelative(path, owner, specifier) ??
          judgeSophia(owner, specifier, table) ??
          judgeOutside(owner, specifier, table) ??
          judgeFactory(path, owner, { specifier, values }, table));
      if (breach !== undefined) breaches.push(`${path}: ${breach}`);
    }
  }
  return breaches;
}

/** Says which folders the table doesn't know, and which of its lines have no folder. */
export function findListBreaches(tree: SourceTree, table: ImportTable): readonly string[] {
  const known = new Set([
    ...[...Object.keys(table.pure), ...table.edges].map((name) => `packages/${name}`),
    ...table.actions.map((name) => `actions/${name}`),
  ]);
  const existing = new Set<string>();
  for (const path of tree.keys()) {
    const folder = /^(?:packages|actions)\/[^/]+(?=\/)/.exec(path)?.[0];
    if (folder !== undefined) existing.add(folder);
  }
  return [
    ...[...existing]
      .filter((folder) => !known.has(folder))
      .map((folder) => `${folder}: is not in the import table`),
    ...[...known]
      .filter((folder) => !existing.has(folder))
      .map((folder) => `${folder}: is in the import table, but no such folder`),
  ];
}

/**
 * Says where the `dependencies` of a package.json, or the `references` of the tsconfig.json beside it, are not
 * what the source imports: npm's hoisting and the editor hide both until somebody else builds.
 */
export function findDependencyBreaches(tree: SourceTree): readonly string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    const folder = /^((?:packages|actions)\/[^/]+)\/package\.json$/.exec(path)?.[1];
    if (folder === undefined) continue;
    const imported = importedPackages(tree, folder);
    const declared = new Set(Object.keys(readField(text, 'dependencies')));
    for (const name of without(imported, declared))
      breaches.push(`${path}: "${name}" is imported but not declared`);
    for (const name of without(declared, imported))
      breaches.push(`${path}: "${name}" is declared but not imported`);

    const referenced = new Set(
      Object.values(readField(tree.get(`${folder}/tsconfig.json`) ?? '{}', 'references')).map((reference) =>
        String(readField(JSON.stringify(reference), 'path')).replace(/^.*\//, '@sophia/'),
      ),
    );
    const own = new Set([...imported].filter((name) => name.startsWith('@sophia/')));
    for (const name of [...without(own, referenced), ...without(referenced, own)]) {
      breaches.push(`${folder}/tsconfig.json: references and imports differ in "${name}"`);
    }
  }
  return breaches;
}

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => !others.has(name));
}

function importedPackages(tree: SourceTree, folder: string): Set<string> {
  const names = new Set<string>();
  for (const [path, text] of tree) {
    if (!path.startsWith(`${folder}/src/`) || isTest(path)) continue;
    for (const { specifier } of findImports(text)) {
      if (/^(?:\.|node:|<)/.test(specifier)) continue;
      names.add(packageName(specifier));
    }
  }
  return names;
}

function packageName(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function readField(json: string, field: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) return {};
  return (value as Record<string, Record<string, unknown>>)[field] ?? {};
}

/** A whole name, or the end of one in the plural: `time-utils`; a `credential-helper` is a thing of Docker's. */
const drawer =
  /(?:^|\/)(?:utils?|helpers?|common|shared|lib|types|constants)(?=[/.]|$)|-(?:utils|helpers)(?=[/.]|$)/i;

/** Says which paths have a folder or a file whose name tells nothing of what is in it. */
export function findDrawers(paths: Iterable<string>): readonly string[] {
  return [...paths]
    .filter((path) => drawer.test(path))
    .map((path) => `${path}: is a drawer, name it after what it holds`);
}

/** Says which main.ts has more than `limit` lines: it wires, and does nothing itself. */
export function findLongMains(tree: SourceTree, limit: number): readonly string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    if (!/^actions\/[^/]+\/src\/main\.ts$/.test(path)) continue;
    const lines = text.trimEnd().split('\n').length;
    if (lines > limit) breaches.push(`${path}: has ${lines} lines, expected at most ${limit}`);
  }
  return breaches;
}

/** Says which lines match one of the patterns. Binary files are left out. */
export function findForbiddenText(tree: SourceTree, patterns: readonly RegExp[]): readonly string[] {
  const breaches: string[] = [];
  for (const [path, text] of tree) {
    if (text.includes('\0')) continue;
    for (const [index, line] of text.split('\n').entries()) {
      const match = patterns.map((pattern) => pattern.exec(line)?.[0]).find((found) => found !== undefined);
      if (match !== undefined) breaches.push(`${path}:${index + 1}: names "${match}"`);
    }
  }
  return breaches;
}

function findOwner(path: string, table: ImportTable): Owner | undefined {
  const [, group, name] = /^(packages|actions)\/([^/]+)\/src\/.*\.ts$/.exec(path) ?? [];
  if (group === undefined || name === undefined) return undefined;
  const folder = `${group}/${name}/src/`;
  if (group === 'actions') return { kind: 'action', name, folder };
  return { kind: table.edges.includes(name) ? 'edge' : 'pure', name, folder };
}

function isTest(path: string): boolean {
  return /\.test\.ts$/.test(path);
}

function judgeDepth(specifier: string): string | undefined {
  if (/^@sophia\/[^/]+\/./.test(specifier)) return `imports the inside of a package: "${specifier}"`;
  if (/(?:^|\/)\.\.\/(?:[^.].*\/)?src\//.test(specifier))
    return `imports the source of another package: "${specifier}"`;
  return undefined;
}

function judgeRelative(path: string, owner: Owner, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
  return target.startsWith(owner.folder) ? undefined : `imports from outside its folder: "${specifier}"`;
}

function judgeSophia(owner: Owner, specifier: string, table: ImportTable): string | undefined {
  const target = /^@sophia\/([^/]+)$/.exec(specifier)?.[1];
  if (target === undefined) return undefined;
  const isPure = Object.hasOwn(table.pure, target);
  if (table.actions.includes(target)) return `imports the action "${target}"`;
  if (!isPure && !table.edges.includes(target))
    return `imports "${specifier}", which is not in the import table`;
  if (owner.kind === 'action') return undefined;
  if (!isPure) return `is ${owner.kind} and imports the edge "${target}"`;
  if (owner.kind === 'pure' && table.pure[owner.name]?.includes(target) !== true) {
    return `is pure and imports "${target}", which the import table does not allow it`;
  }
  return undefined;
}

function judgeOutside(owner: Owner, specifier: string, table: ImportTable): string | undefined {
  if (specifier === '<computed>') return 'imports a computed name';
  const holder = table.reserved[packageName(specifier)];
  if (holder !== undefined && !(owner.name === holder && owner.kind === 'edge')) {
    return `imports "${specifier}", which only packages/${holder} may`;
  }
  if (owner.kind === 'pure' && specifier.startsWith('node:')) return `is pure and imports "${specifier}"`;
  if (owner.kind === 'action' && outside.test(specifier)) {
    return `reaches outside by itself: "${specifier}". Go through a package`;
  }
  return undefined;
}

function judgeFactory(path: string, owner: Owner, found: Import, table: ImportTable): string | undefined {
  const target = /^@sophia\/([^/]+)$/.exec(found.specifier)?.[1] ?? '';
  if (owner.kind !== 'action' || path.endsWith('/src/main.ts') || !table.edges.includes(target))
    return undefined;
  const factory = found.values.find((name) => /^create[A-Z]/.test(name));
  return factory === undefined ? undefined : `makes an edge by ${factory}(), which only main.ts may`;
}

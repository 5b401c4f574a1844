import { type Criterion, sourceNameOf, toCriterion, toQuestion } from './criterion.ts';
import { findMetricBreaches } from './metric-rules.ts';
import { hintAt } from './nearest.ts';
import {
  type DataSource,
  dataSourceSchema,
  type Metric,
  metricSchema,
  type PhaseDocumentShape,
  parseDuration,
  phaseSchema,
  type Task,
  taskSchema,
} from './phase-schema.ts';
import { type Path, type PhaseDocument, type PhaseFileProblem, quote, readPhaseYaml } from './phase-yaml.ts';
import { nameOf, readPart } from './read-part.ts';

/** A phase of the migration: when it runs, who answers, what must hold. Times are milliseconds, moments epoch ms. */
export type Phase = {
  readonly name: string;
  readonly displayName: string;
  readonly window: { readonly startMs: number; readonly durationMs: number };
  readonly evidence: { readonly maxAgeMs: number; readonly maxClockSkewMs: number };
  readonly dependsOn: readonly { readonly phase: string; readonly stillHolds: readonly string[] }[];
  readonly budgets: NonNullable<PhaseDocumentShape['spec']['budgets']>;
  readonly dataSources: readonly DataSource[];
  readonly tasks: readonly Task[];
  readonly criteria: readonly Criterion[];
  /** `recheckAfterMs` where an undecided phase is to be judged again rather than blocked. */
  readonly decision: { readonly multiplicity: 'holm' | 'none'; readonly recheckAfterMs?: number };
};

const DEFAULT_CLOCK_SKEW_MS = 30_000;

/**
 * Reads a phase file: all of it, or every problem in it at once, in the order of the lines.
 *
 * @param text YAML as the documentation of phase files has it; hostile text gives a problem, never an exception.
 */
export function parsePhaseFile(
  text: string,
):
  | { readonly kind: 'phase'; readonly phase: Phase }
  | { readonly kind: 'problems'; readonly problems: readonly PhaseFileProblem[] } {
  const yaml = readPhaseYaml(text);
  if (yaml.kind === 'problems') return yaml;
  const { document } = yaml;
  const problems: PhaseFileProblem[] = [];
  const shape = readPart(document, [], phaseSchema, problems);
  const sources = readList(document, 'dataSources', dataSourceSchema, problems);
  const tasks = readList(document, 'tasks', taskSchema, problems);
  const metrics = readList(document, 'metrics', metricSchema, problems);
  problems.push(...findSourceProblems(document, sources.items), ...findNameProblems(document));
  const kinds = new Map<string, DataSource['kind'] | undefined>([
    ...namesIn(document, 'dataSources', 'name').map((name): [string, undefined] => [name ?? '', undefined]),
    ...sources.items.map(({ value }): [string, DataSource['kind']] => [value.name, value.kind]),
  ]);
  for (const { value, path } of metrics.items) {
    for (const breach of findMetricBreaches(value, kinds)) {
      const at = [...path, ...breach.path];
      // A field that the file leaves out is spoken of by the metric it is missing from.
      problems.push(document.problemAt(at, `${nameOf(at)} ${breach.message}`));
    }
  }
  problems.push(...findTaskProblems(document, tasks.items));
  if (shape === undefined || problems.length > 0) {
    return { kind: 'problems', problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
  }
  return { kind: 'phase', phase: toPhase(shape, sources.items, tasks.items, metrics.items) };
}

type Item<T> = { readonly value: T; readonly path: Path };

function entriesAt(document: PhaseDocument, name: string): readonly unknown[] {
  const { spec } = (document.value ?? {}) as { spec?: Record<string, unknown> };
  const list = typeof spec === 'object' && spec !== null ? spec[name] : undefined;
  return Array.isArray(list) ? list : [];
}

function readList<T extends Parameters<typeof readPart>[2]>(
  document: PhaseDocument,
  name: string,
  schema: T,
  problems: PhaseFileProblem[],
): { readonly items: readonly Item<NonNullable<ReturnType<typeof readPart<T>>>>[] } {
  const items = entriesAt(document, name).flatMap((_, index) => {
    const path = ['spec', name, index];
    const value = readPart(document, path, schema, problems);
    return value === undefined || value === null ? [] : [{ value, path }];
  });
  return { items };
}

/** A name twice in a list: the later one is the problem. */
function findNameProblems(document: PhaseDocument): readonly PhaseFileProblem[] {
  return [
    ['dataSources', 'name'],
    ['metrics', 'name'],
    ['tasks', 'id'],
  ].flatMap(([list = '', field = '']) => {
    const names = namesIn(document, list, field);
    return names.flatMap((name, index) => {
      if (name === undefined || names.indexOf(name) === index) return [];
      const path = ['spec', list, index, field];
      return [
        document.problemAt(
          path,
          `${nameOf(path)} is ${quote(name)}, as that of another: expected each once.`,
        ),
      ];
    });
  });
}

function namesIn(document: PhaseDocument, list: string, field: string): readonly (string | undefined)[] {
  return entriesAt(document, list).map((entry) => {
    const name = (entry as Record<string, unknown> | null)?.[field];
    return typeof name === 'string' ? name : undefined;
  });
}

const NEEDED: Readonly<Record<DataSource['kind'], readonly (keyof DataSource)[]>> = {
  prometheus: ['address'],
  'build-history': ['ref'],
  'cost-ledger': ['path'],
  'cluster-snapshot': ['path'],
};
const ALLOWED: Readonly<Record<DataSource['kind'], readonly (keyof DataSource)[]>> = {
  prometheus: ['address', 'timeout', 'retries'],
  'build-history': ['ref', 'path'],
  'cost-ledger': ['path', 'prices'],
  'cluster-snapshot': ['path'],
};

function findSourceProblems(
  document: PhaseDocument,
  sources: readonly Item<DataSource>[],
): readonly PhaseFileProblem[] {
  return sources.flatMap(({ value, path }) => [
    ...NEEDED[value.kind]
      .filter((field) => value[field] === undefined)
      .map((field) =>
        document.problemAt(
          path,
          `${nameOf([...path, field])} is missing: expected it for the kind "${value.kind}". Add it.`,
        ),
      ),
    ...(Object.keys(value) as (keyof DataSource)[])
      .filter((field) => field !== 'name' && field !== 'kind' && !ALLOWED[value.kind].includes(field))
      .map((field) =>
        document.problemAt(
          [...path, field],
          `${nameOf([...path, field])} has no meaning for the kind "${value.kind}": expected only ${ALLOWED[value.kind].join(', ')}. Remove it.`,
          true,
        ),
      ),
  ]);
}

function findTaskProblems(
  document: PhaseDocument,
  tasks: readonly Item<Task>[],
): readonly PhaseFileProblem[] {
  const metrics = namesIn(document, 'metrics', 'name').filter((name) => name !== undefined);
  return tasks.flatMap(({ value, path }) =>
    (value.verify ?? []).flatMap((name, index) => {
      if (metrics.includes(name)) return [];
      const at = [...path, 'verify', index];
      return [
        document.problemAt(
          at,
          `${nameOf(at)} is ${quote(name)}: expected the name of a metric in spec.metrics.${hintAt(name, metrics)}`,
        ),
      ];
    }),
  );
}

function toPhase(
  shape: PhaseDocumentShape,
  sources: readonly Item<DataSource>[],
  tasks: readonly Item<Task>[],
  metrics: readonly Item<Metric>[],
): Phase {
  const { metadata, spec } = shape;
  const kinds = new Map(sources.map(({ value }) => [value.name, value.kind]));
  const recheckAfterMs = parseDuration(/^hold\((.*)\)$/.exec(spec.decision.onInconclusive)?.[1] ?? '');
  return {
    name: metadata.name,
    displayName: metadata.displayName ?? metadata.name,
    window: { startMs: spec.window.start, durationMs: spec.window.duration },
    evidence: {
      maxAgeMs: spec.evidence.maxAge,
      maxClockSkewMs: spec.evidence.maxClockSkew ?? DEFAULT_CLOCK_SKEW_MS,
    },
    dependsOn: spec.dependsOn ?? [],
    budgets: spec.budgets ?? [],
    dataSources: sources.map(({ value }) => value),
    tasks: tasks.map(({ value }) => value),
    criteria: metrics.flatMap(({ value }) => {
      const source = sourceNameOf(value);
      const kind = source === undefined ? undefined : kinds.get(source);
      const question = kind === undefined ? undefined : toQuestion(value, kind);
      return source === undefined || question === undefined ? [] : [toCriterion(value, source, question)];
    }),
    decision: {
      multiplicity: spec.decision.multiplicity ?? 'none',
      ...(recheckAfterMs === undefined ? {} : { recheckAfterMs }),
    },
  };
}

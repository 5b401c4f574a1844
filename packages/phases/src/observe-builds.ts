import type { BuildRecord, Observation } from '@sophia/records';

type RunsObservation = Extract<Observation, { kind: 'runs' }>;
type Run = RunsObservation['runs'][number];

type Field = { readonly unit: string | undefined; readonly read: (record: BuildRecord) => Run['value'] };

/** What a metric may ask of a build by `select: { field: … }`. */
const FIELDS: Readonly<Record<string, Field>> = {
  durationMs: { unit: 'ms', read: ({ durationMs }) => durationMs },
  compressedBytes: { unit: 'bytes', read: ({ image }) => image?.platforms[0]?.compressedBytes },
  uncompressedBytes: { unit: 'bytes', read: ({ image }) => image?.platforms[0]?.uncompressedBytes },
  cacheHitRatio: { unit: 'ratio', read: ({ cache }) => cache.hitRatio },
};

/** A build with every step from the cache had nothing to do, one with none started cold. */
const SCENARIOS = ['unchanged', 'changed', 'cold'];

/** What a record tells of a build beside its figures; undefined where it does not. */
const PROPERTIES: Readonly<Record<string, (record: BuildRecord) => string | undefined>> = {
  scenario: ({ cache: { hitRatio } }) => {
    if (hitRatio === undefined) return undefined;
    return hitRatio === 1 ? 'unchanged' : hitRatio === 0 ? 'cold' : 'changed';
  },
  cache: ({ cache }) => (cache.hitRatio === undefined ? undefined : cache.hitRatio === 0 ? 'cold' : 'warm'),
  cacheState: (record) => PROPERTIES['cache']?.(record),
  cpuModel: ({ machine }) => machine.cpuModel,
  architecture: ({ machine }) => machine.architecture,
  driver: ({ builder }) => builder.driver,
};

/**
 * The builds that a metric selects, as an observation. Only builds that succeeded count. What the records do not tell
 * makes the observation absent rather than empty or whole: a selection that can't be made selects nothing.
 *
 * @param select `field` names the figure (`durationMs` where left out), any other key a property and its value.
 * @param observedAtMs When the records were read.
 */
export function observeBuilds(
  records: readonly BuildRecord[],
  select: Readonly<Record<string, string>>,
  observedAtMs: number,
): Observation {
  const { field: name = 'durationMs', ...wanted } = select;
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field === undefined) return missing(`Build records have no field "${name}".`);
  if (wanted['scenario'] !== undefined && !SCENARIOS.includes(wanted['scenario'])) {
    return missing(
      `Build records do not tell the scenario "${wanted['scenario']}" from others that change something.`,
    );
  }
  const runs: Run[] = [];
  let untold: string | undefined;
  for (const record of records) {
    if (record.status !== 'succeeded') continue;
    const told = Object.entries(wanted).map(([key, value]) => ({
      key,
      value,
      found: propertyOf(record, key),
    }));
    if (told.some(({ value, found }) => found !== undefined && found !== value)) continue;
    untold ??= told.find(({ found }) => found === undefined)?.key;
    if (told.every(({ found }) => found !== undefined)) runs.push(toRun(record, field));
  }
  if (untold !== undefined)
    return missing(`A build’s record does not tell its ${untold}: the builds meant can’t be selected.`);
  if (runs.length === 0) return missing('No build record is of the kind asked for.');
  return { kind: 'runs', observedAtMs, runs, ...(field.unit === undefined ? {} : { unit: field.unit }) };
}

function missing(message: string): Observation {
  return { kind: 'absent', reason: 'missing', message };
}

function propertyOf(record: BuildRecord, key: string): string | undefined {
  return Object.hasOwn(PROPERTIES, key) ? PROPERTIES[key]?.(record) || undefined : undefined;
}

function toRun(record: BuildRecord, field: Field): Run {
  const value = field.read(record);
  const strata = Object.keys(PROPERTIES).flatMap((key) => {
    const property = propertyOf(record, key);
    return property === undefined ? [] : [[key, property] as const];
  });
  return {
    timestampMs: Date.parse(record.startedAt),
    ...(value === undefined ? {} : { value }),
    image: nameImage(record),
    strata: Object.fromEntries(strata),
  };
}

/**
 * The image by what it is made from and for, without its tag: a new build under another tag replaces the one before,
 * while another target of the same Dockerfile is another image.
 */
function nameImage({ image, inputs }: BuildRecord): string {
  const [reference = inputs.tags[0] ?? ''] = image?.references ?? [];
  const repository = reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  const parts = [repository, inputs.context, inputs.file, inputs.target, inputs.buildArgNames.join(',')];
  return parts.filter((part) => part !== '').join(' ');
}

import type { Observation } from '@sophia/records';
import { estimateMedianRatio, type Stratum } from '@sophia/statistics';
import type { Criterion } from './criterion.ts';
import { convert, estimateFrom, tooFew } from './reduce-series.ts';
import { judgeMoment, judgeValue, type Terms } from './sound-samples.ts';
import { compare, type Defect, defect, exactly, type Finding, type SampleFacts } from './verdict.ts';

type RunsObservation = Extract<Observation, { kind: 'runs' }>;
type Run = RunsObservation['runs'][number];

/** Values of single runs, such as builds ▶ the statistic that the criterion asks for. */
export function reduceRuns(
  criterion: Criterion,
  observation: RunsObservation,
  terms: Terms,
): Finding | Defect {
  const late = judgeMoment(observation.observedAtMs, 'The list of runs', terms);
  if (late !== undefined) return late;
  const runs = takeRuns(observation.runs, terms);
  if ('kind' in runs) return runs;
  if (runs.length === 0) return defect('missing', 'There is no run in the phase’s window: expected some.');
  if (runs.length < criterion.minSamples) return tooFew(runs.length, criterion.minSamples);
  const facts: SampleFacts = {
    sampleCount: runs.length,
    fromMs: runs[0]?.timestampMs ?? 0,
    toMs: runs.at(-1)?.timestampMs ?? 0,
  };
  const { estimator } = criterion;
  if (estimator.kind === 'all') return reduceAll(criterion, observation.unit, runs, facts);
  if (estimator.kind !== 'count' && observation.unit === undefined) {
    return defect('unit-mismatch', `The values have no unit: expected ${criterion.target.unit}.`);
  }
  const values = toNumbers(estimator.kind === 'max-per-image' ? newestOfEachImage(runs) : runs);
  if ('kind' in values) return values;
  if (estimator.kind === 'median-ratio') return reduceMedianRatio(criterion, observation, runs, facts);
  const estimate =
    estimator.kind === 'max-per-image'
      ? exactly(Math.max(...values), values.length)
      : estimateFrom(criterion, values);
  return convert(criterion, observation.unit, { kind: 'quantity', estimate, facts });
}

/** The runs within the window, in the order of time, each once however often it is listed. */
function takeRuns(runs: readonly Run[], terms: Terms): readonly Run[] | Defect {
  const once = new Map(
    runs.map((run) => [JSON.stringify([run.timestampMs, run.image, run.value, run.strata]), run]),
  );
  const taken = [...once.values()]
    .filter(({ timestampMs }) => !(timestampMs < terms.windowStartMs))
    .toSorted((a, b) => a.timestampMs - b.timestampMs);
  for (const { timestampMs, value } of taken) {
    const skewed = judgeMoment(timestampMs, 'A run', { ...terms, maxAgeMs: Infinity });
    if (skewed !== undefined) return skewed;
    if (value === undefined)
      return defect('missing', 'A run’s record does not have the field asked for: expected it in each.');
  }
  return taken;
}

function toNumbers(runs: readonly Run[]): readonly number[] | Defect {
  const values: number[] = [];
  for (const { value } of runs) {
    const broken = judgeValue(value);
    if (broken !== undefined) return broken;
    values.push(Number(value));
  }
  return values;
}

function newestOfEachImage(runs: readonly Run[]): readonly Run[] {
  return [...new Map(runs.map((run) => [run.image, run])).values()];
}

function reduceAll(
  criterion: Criterion,
  unit: string | undefined,
  runs: readonly Run[],
  facts: SampleFacts,
): Finding | Defect {
  const { target } = criterion;
  if (typeof target.value === 'number' && unit !== target.unit) {
    return defect('unit-mismatch', `The values are in ${unit ?? 'no unit'}: expected ${target.unit}.`);
  }
  const exceptions: Run[] = [];
  for (const run of runs) {
    const meets = meetsTarget(toComparable(criterion, run.value), target);
    if (typeof meets !== 'boolean') return meets;
    if (!meets) exceptions.push(run);
  }
  const [first] = exceptions;
  return {
    kind: 'every',
    share: (runs.length - exceptions.length) / runs.length,
    exception: first === undefined ? undefined : `${first.image} has ${JSON.stringify(first.value)}`,
    facts,
  };
}

/** The user an image runs as has several spellings for root, no user at all among them; here it is always "0". */
function toComparable({ question }: Criterion, value: Run['value']): Run['value'] {
  const isUser = question.kind === 'builds' && question.select['field'] === 'config.user';
  return isUser && typeof value === 'string'
    ? value
        .trim()
        .replace(/:.*$/, '')
        .replace(/^(?:root|0*)$/, '0')
    : value;
}

function meetsTarget(value: Run['value'], target: Criterion['target']): boolean | Defect {
  if (typeof target.value === 'string') {
    if (typeof value !== 'string' || value === '') {
      return defect('not-data', 'A value is no text: expected text, as in the target.');
    }
    return (value === target.value) === (target.operator === '==');
  }
  return judgeValue(value) ?? compare(Number(value), target.operator, target.value);
}

function reduceMedianRatio(
  criterion: Criterion,
  observation: RunsObservation,
  runs: readonly Run[],
  facts: SampleFacts,
): Finding | Defect {
  const { baseline } = observation;
  if (baseline === undefined || baseline.runs.length === 0) {
    return defect(
      'baseline-missing',
      `There is no baseline "${criterion.baseline?.ref}": expected its runs.`,
    );
  }
  const foreign = judgeBaseline(criterion, baseline);
  if (foreign !== undefined) return foreign;
  const values = toNumbers([...runs, ...baseline.runs]);
  if ('kind' in values) return values;
  if (values.some((value) => value <= 0)) {
    return defect('not-data', 'A value is 0 or less: expected more, to compare medians.');
  }
  if (baseline.runs.length < criterion.minSamples) {
    return defect(
      'baseline-missing',
      `The baseline has ${baseline.runs.length} runs: expected at least ${criterion.minSamples}.`,
    );
  }
  const candidates = groupByStratum(criterion, runs);
  const references = groupByStratum(criterion, baseline.runs);
  if ('kind' in candidates) return candidates;
  if ('kind' in references) return references;
  const strata: Stratum[] = [];
  for (const [name, candidate] of candidates) {
    const reference = references.get(name);
    if (reference === undefined) {
      return defect('baseline-missing', `The baseline has no run like those of ${name}: expected some.`);
    }
    strata.push({ candidate, baseline: reference });
  }
  return { kind: 'quantity', estimate: estimateMedianRatio(strata), facts };
}

function groupByStratum(
  { strata }: Criterion,
  runs: readonly Run[],
): ReadonlyMap<string, readonly number[]> | Defect {
  const groups = new Map<string, number[]>();
  for (const run of runs) {
    const names = strata.map((name) => (Object.hasOwn(run.strata, name) ? run.strata[name] : undefined));
    if (names.includes(undefined)) {
      return defect(
        'missing',
        `A run does not tell its ${strata.join(' and ')}: expected it, to compare like with like.`,
      );
    }
    const name = JSON.stringify(names);
    groups.set(name, [...(groups.get(name) ?? []), Number(run.value)]);
  }
  return groups;
}

/** The reason why a baseline is not the one that the criterion names, if it isn't. */
export function judgeBaseline(
  criterion: Criterion,
  baseline: { readonly ref: string; readonly sha256?: string | undefined },
): Defect | undefined {
  const { ref, sha256 } = criterion.baseline ?? {};
  if (ref !== baseline.ref)
    return defect('baseline-missing', `The baseline is "${baseline.ref}": expected "${ref}".`);
  return sha256 === undefined || sha256 === baseline.sha256
    ? undefined
    : defect(
        'baseline-missing',
        `The baseline has the digest ${baseline.sha256 ?? '(none)'}: expected ${sha256}.`,
      );
}

import type { Selector } from './promql-selectors.ts';
import type { Answer, Series } from './read-answer.ts';

/** What the data behind an answer are like, by the label that names each figure in the answer to the question. */
const FIGURE = 'sophia_figure';
/** Prometheus takes for a moment's value one up to this long before it. */
const LOOK_BACK_MS = 300_000;
/** At how many moments of a range it is looked whether there is a sample. */
const MOMENTS = 500;
const MIN_STEP_MS = 60_000;

/**
 * The question how old the data behind a query are. An answer carries the moment asked about, not that of a datum:
 * Prometheus looks up to five minutes back for a sample, and a function over a range answers as long as there is one
 * in the range. So each selector of the query is asked by itself for the time of its newest sample, which
 * `timestamp()` tells of plain selectors only, and for the moments of its range that have one. Whatever is done with
 * the values then, they are no newer and no more complete than that.
 *
 * Figures are asked for each combination of the labels that the answer's series have, so that one series that has
 * ended is not hidden by another that has not.
 *
 * What can't be seen so: the age of what a recording rule read, gaps shorter than the look-back where the target was
 * not scraped (Prometheus marks failed scrapes, so those are seen), and what `label_replace` made of a label.
 *
 * @param questionRangeMs The range that the query is asked over; 0 for one moment.
 */
export function askAge(
  selectors: readonly Selector[],
  labelNames: readonly string[],
  questionRangeMs: number,
): string {
  const by = `max by (${labelNames.map(quoteLabel).join(', ')})`;
  return selectors
    .flatMap(({ text, modifiers, rangeMs }, index) => {
      const reachMs = rangeMs + questionRangeMs;
      const now = `${by} (timestamp(${text} ${modifiers}))`;
      if (reachMs === 0) return [name(now, `newest-${index}`)];
      const stepMs = stepOf(reachMs);
      const steps = `[${reachMs}ms:${stepMs}ms] ${modifiers}`;
      const newest = `${now} or ${by} (max_over_time(timestamp(${text})${steps}))`;
      const moments = `count_over_time(${by} (timestamp(${text}))${steps})`;
      return isLong(reachMs)
        ? [name(newest, `newest-${index}`), name(moments, `moments-${index}`)]
        : [name(newest, `newest-${index}`)];
    })
    .join(' or ');
}

function stepOf(reachMs: number): number {
  return Math.max(MIN_STEP_MS, Math.ceil(reachMs / MOMENTS / 1000) * 1000);
}

/** Whether gaps in the range can be told from the look-back. */
function isLong(reachMs: number): boolean {
  return reachMs > 2 * LOOK_BACK_MS;
}

function name(expression: string, figure: string): string {
  return `label_replace(${expression}, "${FIGURE}", "${figure}", "", "")`;
}

function quoteLabel(label: string): string {
  return /^[A-Za-z_]\w*$/.test(label) ? label : JSON.stringify(label);
}

/** Every label that a series of an answer has, but the name. */
export function labelNamesOf(series: Answer['series']): readonly string[] {
  const names = new Set(series.flatMap(({ labels }) => Object.keys(labels)));
  names.delete('__name__');
  return [...names].sort();
}

/**
 * The series of an answer with the age and the coverage of the data that each rests on: the least over the selectors
 * of the query. Selectors with `offset` or `@` look elsewhere on purpose, so their age counts only where there are no
 * others.
 *
 * @param endMs The last moment that was asked about.
 * @returns the text of a selector that has no sample at all instead.
 */
export function addAge(
  series: Answer['series'],
  selectors: readonly Selector[],
  answer: Answer,
  questionRangeMs: number,
  endMs: number,
):
  | { readonly kind: 'aged'; readonly series: Series[] }
  | { readonly kind: 'silent'; readonly selector: string } {
  const rows = Map.groupBy(answer.series, ({ labels }) => labels[FIGURE]);
  const silent = selectors.find((_, index) => !rows.has(`newest-${index}`));
  if (silent !== undefined) return { kind: 'silent', selector: silent.text };
  const plain = selectors.filter(({ modifiers }) => modifiers === '');
  const timed = plain.length === 0 ? selectors : plain;
  return {
    kind: 'aged',
    series: series.map((each) => {
      const figure = (prefix: string, selector: Selector) =>
        figureOf(each.labels, rows.get(`${prefix}-${selectors.indexOf(selector)}`) ?? []);
      const coverages = selectors
        .filter(({ rangeMs }) => isLong(rangeMs + questionRangeMs))
        .map((selector) => {
          const reachMs = selector.rangeMs + questionRangeMs;
          return Math.min(1, figure('moments', selector) / Math.floor(reachMs / stepOf(reachMs)));
        });
      return {
        ...each,
        newestMs: Math.min(...timed.map((selector) => Math.round(figure('newest', selector) * 1000))),
        // The samples of a range tell that themselves.
        ...(questionRangeMs > 0 ? {} : { fromMs: endMs - Math.max(...timed.map(({ rangeMs }) => rangeMs)) }),
        ...(coverages.length === 0 ? {} : { coverage: Math.min(...coverages) }),
      };
    }),
  };
}

/** The figure for a series: of the rows with its labels, as far as they have them; the least of all where none has. */
function figureOf(labels: Readonly<Record<string, string>>, rows: Answer['series']): number {
  const own = rows.filter((row) =>
    Object.entries(row.labels).every(([label, value]) => label === FIGURE || labels[label] === value),
  );
  const values = (own.length === 0 ? rows : own).map(({ samples }) => Number(samples[0]?.value ?? 0));
  return own.length === 0 ? Math.min(...values, Infinity) : Math.max(...values);
}

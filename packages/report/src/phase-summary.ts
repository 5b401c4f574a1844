import type { PhaseEvidence } from '@sophia/records';
import { code, escapeText, renderBar, renderTable } from './markdown.ts';
import { formatShare } from './quantities.ts';

type Metric = PhaseEvidence['metrics'][number];
type Verdict = PhaseEvidence['verdict'];

const METRICS_SHOWN = 60;
const TRACK_CHARACTERS = 24;
/** Where on a track the target stands, so that what exceeds it by half still fits. */
const TARGET_AT = 16;

const ICONS: Readonly<Record<Verdict['kind'], string>> = { pass: '✅', fail: '❌', inconclusive: '❔' };
/** What the eye must find first stands first. */
const ORDER: readonly Verdict['kind'][] = ['fail', 'inconclusive', 'pass'];

/** One line that says what was decided, as plain text for a log. */
export function renderPhaseVerdict({ phase, verdict, metrics, isEnforced }: PhaseEvidence): string {
  const suffix = isEnforced ? '' : ' (dry run: not enforced)';
  if (verdict.kind === 'pass') {
    return `Phase ${phase.name} passes: ${metrics.length === 1 ? 'its one metric holds' : `all ${metrics.length} metrics hold`}${suffix}`;
  }
  const word = verdict.kind === 'fail' ? 'fails' : 'is inconclusive';
  return `Phase ${phase.name} ${word}: ${verdict.message}${suffix}`;
}

/**
 * The step summary of one phase, GitHub Markdown: the verdict; each metric with its estimate, limits, target and
 * sample; how near the target each is; why what isn't decided is not, and what would decide it; whom it was asked of.
 */
export function renderPhaseSummary(evidence: PhaseEvidence): string {
  const metrics = evidence.metrics.toSorted(
    (a, b) =>
      ORDER.indexOf(a.verdict.kind) - ORDER.indexOf(b.verdict.kind) ||
      Number(b.isKeyObjective) - Number(a.isKeyObjective),
  );
  const shown = metrics.slice(0, METRICS_SHOWN);
  const sections = [
    `### Phase ${code(evidence.phase.name)}`,
    renderVerdict(evidence),
    renderProvisos(evidence),
    renderMetrics(shown, metrics.length),
    renderChart(shown),
    renderReasons(shown),
    renderDependencies(evidence),
    renderProposal(evidence),
    renderQuestions(shown, evidence),
    renderCircumstances(evidence),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function renderVerdict(evidence: PhaseEvidence): string {
  return `${ICONS[evidence.verdict.kind]} **${escapeText(renderPhaseVerdict(evidence), 400)}**`;
}

function renderProvisos({ phase, isEnforced, omitted = [] }: PhaseEvidence): string {
  const file = code(phase.file);
  const guard = {
    unchanged: '',
    base: `This change alters ${file}. It is judged by the file of its base.`,
    new: `${file} is not on the base in a form that can be judged by: the one of this change holds.`,
    unchecked: `Whether this change altered ${file} could not be found out, so nothing passes.`,
  };
  const provisos = [
    isEnforced ? '' : 'This is a dry run: the verdict is the true one, and nothing enforces it.',
    phase.guard === undefined ? '' : guard[phase.guard.kind],
    phase.windowStartMs === undefined
      ? ''
      : `The window starts at ${formatMoment(phase.windowStartMs)}, as this run asks, and not as the file says.`,
    phase.missing === undefined
      ? ''
      : `A metric without any evidence is taken for ${phase.missing === 'fail' ? 'failed' : 'inconclusive'}, as this run asks.`,
    omitted.length === 0
      ? ''
      : `The evidence lacks what was observed for ${omitted.map((name) => code(name)).join(', ')}: it was too large to keep.`,
  ];
  return provisos
    .filter((proviso) => proviso !== '')
    .map((proviso) => `> ${proviso}`)
    .join('\n>\n');
}

function renderMetrics(metrics: readonly Metric[], total: number): string {
  if (metrics.length === 0) return '';
  const table = renderTable(
    [
      { title: '' },
      { title: 'Metric' },
      { title: 'Found', align: 'right' },
      { title: 'Target', align: 'right' },
      { title: 'To the target', align: 'right' },
      { title: 'Samples', align: 'right' },
      { title: 'Coverage', align: 'right' },
      { title: 'Window' },
    ],
    metrics.map((metric) => [
      ICONS[metric.verdict.kind],
      `${code(metric.name)}${metric.isKeyObjective ? ' ★' : ''}`,
      renderEstimate(metric),
      escapeText(describeTarget(metric)),
      escapeText(describeDistance(metric)),
      describeSamples(metric),
      metric.coverage === undefined ? '' : formatShare(metric.coverage, 1),
      describeWindow(metric),
    ]),
  );
  const left = total - metrics.length;
  return table + (left > 0 ? `\n\n${left} further metric${left === 1 ? '' : 's'} in the evidence.` : '');
}

function renderEstimate({ value, unit, lower, upper, confidence }: Metric): string {
  if (value === undefined) return '–';
  const found = `${formatFigure(value)}${unit === undefined ? '' : ` ${escapeText(unit)}`}`;
  if (lower === undefined && upper === undefined) return found;
  const limit = (bound: number | undefined) => (bound === undefined ? '–' : formatFigure(bound));
  const share = confidence === undefined ? '' : `, ${Number((confidence * 100).toFixed(2))} % each`;
  return `${found}<br><sub>${limit(lower)} to ${limit(upper)}${share}</sub>`;
}

function describeTarget({ target: { operator, value, unit } }: Metric): string {
  const sign = { '<': '<', '<=': '≤', '>': '>', '>=': '≥', '==': '=', '!=': '≠' }[operator];
  const figure = typeof value === 'number' ? formatFigure(value) : JSON.stringify(value);
  return `${sign} ${figure}${unit === undefined ? '' : ` ${unit}`}`;
}

/** How far what was found is from the target, on the right side of it or the wrong one, in the target's unit. */
function describeDistance({ value, target }: Metric): string {
  if (value === undefined || typeof target.value !== 'number') return '';
  const far = Math.abs(value - target.value);
  if (target.operator === '==' || target.operator === '!=') {
    return far === 0 ? 'equal' : `${formatFigure(far)} apart`;
  }
  if (far === 0) return 'at it';
  const isBelow = value < target.value;
  const isMet = target.operator.startsWith('<') === isBelow;
  return `${formatFigure(far)} ${isMet ? 'inside' : isBelow ? 'short' : 'over'}`;
}

function describeSamples({ sampleCount, effectiveSampleCount, neededSampleCount }: Metric): string {
  if (sampleCount === undefined) return '';
  const worth =
    effectiveSampleCount === undefined || Math.round(effectiveSampleCount) >= sampleCount
      ? ''
      : `, worth ${formatFigure(Math.round(effectiveSampleCount))}`;
  const more = neededSampleCount === undefined ? 0 : Math.ceil(neededSampleCount - sampleCount);
  return `${formatFigure(sampleCount)}${worth}${more > 0 ? `<br><sub>${formatFigure(more)} more decide it</sub>` : ''}`;
}

function describeWindow({ fromMs, toMs }: Metric): string {
  if (toMs === undefined) return '';
  return fromMs === undefined
    ? `at ${formatMoment(toMs)}`
    : `${formatMoment(fromMs)} to ${formatMoment(toMs)}`;
}

function renderChart(metrics: readonly Metric[]): string {
  const rows = metrics.flatMap((metric) => {
    const { value, target } = metric;
    if (value === undefined || typeof target.value !== 'number' || target.value <= 0 || value < 0) return [];
    return [
      [
        code(metric.name),
        renderTrack(value / target.value),
        `${formatPercent(value / target.value)} of the target`,
      ],
    ];
  });
  if (rows.length === 0) return '';
  const title = `Found, beside the target (┃)`;
  return renderTable([{ title: 'Metric' }, { title }, { title: '', align: 'right' }], rows);
}

/** A bar on a track with the target marked on it, the mark of every track in the same place. */
function renderTrack(share: number): string {
  const filled = [...renderBar((share * TARGET_AT) / TRACK_CHARACTERS, TRACK_CHARACTERS)];
  const track = Array.from({ length: TRACK_CHARACTERS }, (_, index) => filled[index] ?? '░');
  return [...track.slice(0, TARGET_AT), '┃', ...track.slice(TARGET_AT)].join('');
}

function renderReasons(metrics: readonly Metric[]): string {
  const rows = metrics.flatMap((metric) => {
    const { verdict } = metric;
    const notes = metric.notes.map((note) => escapeText(note, 300));
    if (verdict.kind === 'pass')
      return notes.length === 0 ? [] : [[code(metric.name), '', notes.join('<br>')]];
    const reason = verdict.kind === 'fail' ? 'failed' : code(verdict.reason);
    return [[code(metric.name), reason, [escapeText(verdict.message, 500), ...notes].join('<br>')]];
  });
  return rows.length === 0
    ? ''
    : renderTable([{ title: 'Metric' }, { title: 'Why' }, { title: 'What was found' }], rows);
}

function renderDependencies({ dependencies }: PhaseEvidence): string {
  const rows = Object.entries(dependencies).flatMap(([phase, metrics]) =>
    Object.entries(metrics).map(([name, verdict]) => [
      ICONS[verdict.kind],
      code(`${phase}/${name}`),
      verdict.kind === 'pass' ? 'holds still' : escapeText(verdict.message, 500),
    ]),
  );
  return rows.length === 0
    ? ''
    : renderTable(
        [{ title: '' }, { title: 'Earlier phases' }, { title: 'Judged now' }],
        rows.slice(0, METRICS_SHOWN),
      );
}

function renderProposal({ proposal, verdict, metrics, phase }: PhaseEvidence): string {
  if (proposal === undefined) return '';
  const held = new Map(metrics.map((metric) => [metric.name, metric.verdict.kind]));
  const changed = new Map(proposal.metrics.map((metric) => [metric.name, metric.verdict.kind]));
  const rows = [...new Set([...held.keys(), ...changed.keys()])]
    .filter((name) => held.get(name) !== changed.get(name))
    .slice(0, METRICS_SHOWN)
    .map((name) => [code(name), showVerdict(held.get(name)), showVerdict(changed.get(name))]);
  const table = renderTable(
    [{ title: 'Criteria change' }, { title: 'By the base, which holds' }, { title: 'By this change' }],
    [['**the phase**', showVerdict(verdict.kind), showVerdict(proposal.verdict.kind)], ...rows],
  );
  return `${table}\n\nReview the change of ${code(phase.file)} as what it is: it decides what passes from its merge on.`;
}

function showVerdict(kind: Verdict['kind'] | undefined): string {
  return kind === undefined ? 'no such metric' : `${ICONS[kind]} ${kind}`;
}

function renderQuestions(metrics: readonly Metric[], { sources }: PhaseEvidence): string {
  if (metrics.length === 0) return '';
  const table = renderTable(
    [{ title: 'Metric' }, { title: 'Asked of' }, { title: 'What' }],
    metrics.map(({ name, source, asked }) => [code(name), code(source), code(asked, 300)]),
  );
  const whom = sources.map(({ name, kind, asked }) =>
    asked === '' ? `${code(name)} (${code(kind)})` : `${code(name)} (${code(kind)} ${code(asked)})`,
  );
  return `<details><summary>What was asked of whom</summary>\n\n${table}\n\n${whom.join(' · ')}\n\n</details>`;
}

function renderCircumstances({ commit, judgedAtMs, phase }: PhaseEvidence): string {
  const parts = [
    code(phase.file),
    commit === '' ? '' : `commit ${code(commit.slice(0, 12))}`,
    `judged at ${formatMoment(judgedAtMs)}`,
  ];
  return `<sub>${parts.filter((part) => part !== '').join(' · ')}</sub>`;
}

/** `2026-12-01 00:00 UTC`; empty for what is no moment. */
function formatMoment(epochMs: number): string {
  // The range of a Date, beyond which it throws.
  if (!(Math.abs(epochMs) <= 8.64e15)) return '';
  return `${new Date(epochMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** To a tenth, so that what is just inside is told from what is at it. */
function formatPercent(share: number): string {
  return `${Number((share * 100).toFixed(1)).toLocaleString('en-US')} %`;
}

/** Four significant digits, whole numbers in full. */
function formatFigure(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString('en-US');
  return String(Number(value.toPrecision(4)));
}

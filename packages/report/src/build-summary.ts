import type { BuildRecord } from '@sophia/records';
import { code, escapeText, renderBar, renderTable } from './markdown.ts';
import { formatBytes, formatDuration, formatShare } from './quantities.ts';

const SLOWEST_STEPS = 8;
const LARGEST_LAYERS = 8;
const WARNINGS_SHOWN = 10;

type Phase = keyof BuildRecord['time'];
type Image = NonNullable<BuildRecord['image']>;
type Layer = Image['platforms'][number]['layers'][number];

const PHASE_NAMES: Readonly<Record<Phase, string>> = {
  executing: 'Running instructions',
  'base-pull': 'Pulling base images',
  'context-transfer': 'Sending the context',
  'cache-import': 'Importing cache',
  push: 'Pushing',
  'cache-export': 'Exporting cache',
  'image-export': 'Writing the image',
  resolving: 'Reading the Dockerfile, resolving names',
  client: 'Starting and ending the builder',
};

/**
 * The step summary of one build, GitHub Markdown: a verdict, where the time went, the slowest steps and the
 * largest layers, each with its Dockerfile line.
 *
 * @param dockerfile What to call the Dockerfile beside a line number.
 */
export function renderBuildSummary(record: BuildRecord, dockerfile: string): string {
  const sections = [
    `### ${renderTitle(record)}`,
    renderVerdict(record),
    renderFailureDetails(record),
    renderTime(record),
    renderSteps(record, dockerfile),
    renderLayers(record, dockerfile),
    renderPlatforms(record),
    renderWarnings(record),
    renderCircumstances(record),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function renderTitle({ inputs }: BuildRecord): string {
  const subject = inputs.tags[0] ?? inputs.target ?? '';
  return subject === '' ? 'Image build' : `Image build: ${code(subject)}`;
}

/** One line that says what happened, as plain text for a log. */
export function renderVerdictText(record: BuildRecord): string {
  const time = formatDuration(record.durationMs);
  if (record.status === 'canceled') return `Canceled after ${time}`;
  if (record.status === 'failed')
    return `Failed after ${time}: ${record.failure?.message ?? 'no cause is known'}`;
  const { stepsCached, stepsReached } = record.cache;
  const parts = [`Built in ${time}`];
  if (stepsReached > 0) parts.push(`${stepsCached} of ${stepsReached} steps cached`);
  if (record.image?.replacedDigest === record.image?.digest && record.image !== undefined) {
    parts.push('the same image as before');
  }
  const [first] = record.image?.platforms ?? [];
  if (first?.compressedBytes !== undefined) parts.push(`${formatBytes(first.compressedBytes)} compressed`);
  if (first?.uncompressedBytes !== undefined) parts.push(`${formatBytes(first.uncompressedBytes)} unpacked`);
  return parts.join(', ');
}

function renderVerdict(record: BuildRecord): string {
  const icon = { succeeded: '✅', failed: '❌', canceled: '⏹️' }[record.status];
  const digest = record.image === undefined ? '' : `<br>${code(record.image.digest)}`;
  return `${icon} **${escapeText(renderVerdictText(record), 300)}**${digest}`;
}

function renderFailureDetails({ failure }: BuildRecord): string {
  if (failure?.line === undefined) return '';
  return `At ${code(`${failure.file ?? 'Dockerfile'}:${failure.line}`)}.`;
}

function renderTime({ time, remainderMs, durationMs }: BuildRecord): string {
  const rows = [
    ...Object.entries(time).map(([phase, ms]) => ({ name: PHASE_NAMES[phase as Phase], ms })),
    { name: 'Between steps', ms: remainderMs },
  ]
    .filter(({ ms }) => ms >= 0.5)
    .sort((a, b) => b.ms - a.ms);
  if (rows.length === 0 || durationMs <= 0) return '';
  const table = renderTable(
    [
      { title: 'Where the time went' },
      { title: 'Time', align: 'right' },
      { title: 'Share', align: 'right' },
      { title: '' },
    ],
    rows.map(({ name, ms }) => [
      name,
      formatDuration(ms),
      formatShare(ms, durationMs),
      renderBar(ms / durationMs),
    ]),
  );
  return table;
}

function renderSteps({ steps, durationMs }: BuildRecord, dockerfile: string): string {
  const ran = steps
    .filter((step) => step.instruction !== undefined && !step.isCached && step.durationMs >= 1)
    .sort((a, b) => b.durationMs - a.durationMs);
  if (ran.length === 0) return '';
  const table = renderTable(
    [
      { title: 'Slowest steps' },
      { title: 'Line' },
      { title: 'Time', align: 'right' },
      { title: 'Of the build', align: 'right' },
    ],
    ran
      .slice(0, SLOWEST_STEPS)
      .map((step) => [
        stepName(step),
        lineOf(step.line, dockerfile),
        formatDuration(step.durationMs),
        formatShare(step.durationMs, durationMs),
      ]),
  );
  return table + renderOmitted(ran.length - SLOWEST_STEPS, 'quicker step');
}

function stepName(step: BuildRecord['steps'][number]): string {
  const where = [step.platform, step.stage].filter((part) => part !== undefined && part !== '').join(' ');
  return `${where === '' ? '' : `${escapeText(where)}: `}${code(step.instruction ?? step.name, 120)}`;
}

function lineOf(line: number | undefined, dockerfile: string): string {
  return line === undefined ? '' : code(`${dockerfile}:${line}`);
}

function renderLayers({ image }: BuildRecord, dockerfile: string): string {
  const [platform] = image?.platforms ?? [];
  const total = platform?.compressedBytes ?? platform?.uncompressedBytes;
  if (platform === undefined || total === undefined) return '';
  const areCompressed = platform.compressedBytes !== undefined;
  const size = (layer: Layer) => (areCompressed ? layer.compressedBytes : layer.uncompressedBytes) ?? 0;
  const layers = platform.layers.filter((layer) => size(layer) > 0).sort((a, b) => size(b) - size(a));
  if (layers.length === 0) return '';
  const table = renderTable(
    [
      { title: 'Largest layers' },
      { title: 'Line' },
      { title: areCompressed ? 'Compressed' : 'Unpacked', align: 'right' },
      { title: 'Of the image', align: 'right' },
    ],
    layers
      .slice(0, LARGEST_LAYERS)
      .map((layer) => [
        code(layer.instruction ?? layer.digest ?? 'unknown', 120),
        layer.line === undefined ? 'base image' : lineOf(layer.line, dockerfile),
        formatBytes(size(layer)),
        formatShare(size(layer), total),
      ]),
  );
  return table + renderOmitted(layers.length - LARGEST_LAYERS, 'smaller layer');
}

function renderOmitted(count: number, what: string): string {
  return count > 0 ? `\n\n${count} ${what}${count === 1 ? '' : 's'} in the record.` : '';
}

function renderPlatforms({ image }: BuildRecord): string {
  const platforms = image?.platforms ?? [];
  if (platforms.length < 2) return '';
  const size = (bytes: number | undefined) => (bytes === undefined ? 'unknown' : formatBytes(bytes));
  return renderTable(
    [{ title: 'Platform' }, { title: 'Compressed', align: 'right' }, { title: 'Digest' }],
    platforms.map(({ platform, compressedBytes, digest }) => [
      code(platform),
      size(compressedBytes),
      code(digest ?? ''),
    ]),
  );
}

function renderWarnings({ warnings }: BuildRecord): string {
  if (warnings.length === 0) return '';
  const rows = warnings
    .slice(0, WARNINGS_SHOWN)
    .map(({ message, file, line }) => [
      escapeText(message),
      file === undefined ? '' : code(line === undefined ? file : `${file}:${line}`),
    ]);
  const table = renderTable([{ title: "BuildKit's warnings" }, { title: 'Line' }], rows);
  return table + renderOmitted(warnings.length - WARNINGS_SHOWN, 'further warning');
}

function renderCircumstances({ builder, machine, image }: BuildRecord): string {
  const versions = builder.buildkitVersions.filter((version) => version !== '').join(', ');
  const parts = [
    builder.name === ''
      ? ''
      : `builder ${code(builder.name)} (${escapeText(builder.driver)}${builder.engineVersion === undefined ? '' : `, Docker ${escapeText(builder.engineVersion)}`}${versions === '' ? '' : `, BuildKit ${escapeText(versions)}`})`,
    `${machine.cpuCores} × ${escapeText(machine.cpuModel)}`,
    image === undefined || image.references.length === 0
      ? ''
      : `named ${image.references.map((name) => code(name)).join(', ')}`,
  ];
  return `<sub>${parts.filter((part) => part !== '').join(' · ')}</sub>`;
}

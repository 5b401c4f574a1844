import type { DeployRecord } from '@sophia/records';
import { code, escapeText, renderBar, renderTable } from './markdown.ts';
import { formatDuration } from './quantities.ts';

const MOST_ROWS = 40;
const MOST_TIMELINE = 40;

const VERDICTS: Readonly<Record<DeployRecord['status'], { readonly icon: string; readonly words: string }>> =
  {
    deployed: { icon: '✅', words: 'Deployed' },
    unchanged: { icon: '✅', words: 'Nothing to change, and all of it is available' },
    planned: { icon: '📝', words: 'This would work; nothing was touched' },
    'rolled-back': { icon: '↩️', words: 'Rolled back' },
    refused: { icon: '⛔', words: 'Refused; nothing was touched' },
    failed: { icon: '❌', words: 'Failed' },
    canceled: { icon: '⏹️', words: 'Canceled' },
  };

/** One line that says what happened, as plain text for a log. */
export function renderDeployVerdict(record: DeployRecord): string {
  const { words } = VERDICTS[record.status];
  const cause = record.reason === '' ? '' : ` (${record.reason})`;
  const said = record.message === '' ? '' : `: ${record.message}`;
  return `${words}${cause} after ${formatDuration(record.durationMs)}${said}`;
}

/**
 * The step summary of one deployment, GitHub Markdown: a verdict, the workloads, every node and why not, the timeline
 * and the evidence of what failed.
 */
export function renderDeploySummary(record: DeployRecord): string {
  const sections = [
    `### Deployment to ${namespacesOf(record)
      .map((name) => code(name))
      .join(', ')}`,
    `${VERDICTS[record.status].icon} **${escapeText(renderDeployVerdict(record), 400)}**`,
    renderFindings(record),
    renderWorkloads(record),
    renderStrategies(record),
    renderNodes(record),
    renderTimeline(record),
    renderEvidence(record),
    renderObjects(record),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function renderFindings({ findings }: DeployRecord): string {
  const shown = findings.slice(0, MOST_ROWS).map((finding) => {
    const details = finding.details.flatMap((detail) => detail.split('\n')).slice(0, 20);
    const listed = details.map((detail) => `\n  - ${code(detail, 300)}`).join('');
    return `- ${code(finding.code)} (${finding.class}): ${escapeText(finding.message, 400)}${listed}`;
  });
  return shown.join('\n');
}

function renderWorkloads({ workloads }: DeployRecord): string {
  if (workloads.length === 0) return '';
  return renderTable(
    [
      { title: 'Workload' },
      { title: 'Pods', align: 'right' },
      { title: 'GPUs each', align: 'right' },
      { title: 'Strategy' },
      { title: 'Where' },
      { title: 'Available after', align: 'right' },
    ],
    workloads.slice(0, MOST_ROWS).map((workload) => [
      code(workload.subject),
      String(workload.replicas),
      String(workload.gpusPerPod),
      escapeText(workload.strategy ?? ''),
      Object.entries(workload.placement)
        .map(([node, count]) => `${code(node)} × ${count}`)
        .join('<br>'),
      workload.availableMs === undefined ? '' : formatDuration(workload.availableMs),
    ]),
  );
}

/** Namespaces of the workloads; that of objects which name none where there are no workloads. */
function namespacesOf({ workloads, namespace }: DeployRecord): readonly string[] {
  const names = workloads.map(({ subject }) => /^\S+ ([^/]+)\//.exec(subject)?.[1] ?? namespace);
  return names.length === 0 ? [namespace] : [...new Set(names)];
}

function renderStrategies({ workloads }: DeployRecord): string {
  return workloads
    .slice(0, MOST_ROWS)
    .filter(({ strategyReason }) => strategyReason !== '')
    .map(({ subject, strategyReason }) => `- ${code(subject)}: ${escapeText(strategyReason, 300)}`)
    .join('\n');
}

function renderNodes({ nodes, workloads }: DeployRecord): string {
  if (nodes.length === 0 || workloads.length === 0) return '';
  const rows = nodes
    .slice(0, MOST_ROWS)
    .map((node) => [
      code(node.name),
      escapeText(node.gpu),
      escapeText(node.architecture),
      `${node.usedGpus} of ${node.allocatableGpus}`,
      node.allocatableGpus === 0 ? '' : renderBar(node.usedGpus / node.allocatableGpus, 8),
      workloads.map((workload) => renderVerdictOf(workload, node.name, workloads.length > 1)).join('<br>'),
    ]);
  const left =
    nodes.length > MOST_ROWS ? `\n\n${nodes.length - MOST_ROWS} more nodes are in the record.` : '';
  return `${renderTable(
    [
      { title: 'Node' },
      { title: 'GPU' },
      { title: 'Arch' },
      { title: 'GPUs used before', align: 'right' },
      { title: '' },
      { title: 'A new Pod' },
    ],
    rows,
  )}${left}`;
}

function renderVerdictOf(
  workload: DeployRecord['workloads'][number],
  node: string,
  areNamed: boolean,
): string {
  const found = workload.nodes.find((verdict) => verdict.node === node);
  if (found === undefined) return '';
  const name = areNamed ? `${code(workload.subject)}: ` : '';
  if (found.verdict === 'fits') return `${name}fits`;
  // The row names the node already.
  const reasons = found.reasons.map((reason) => reason.replace(`Node ${node} `, ''));
  return `${name}${escapeText(reasons.join(' '), 300)}`;
}

function renderTimeline({ timeline }: DeployRecord): string {
  if (timeline.length === 0) return '';
  const rows = timeline
    .slice(0, MOST_TIMELINE)
    .map(({ atMs, text }) => [`${(atMs / 1000).toFixed(1)} s`, escapeText(text, 300)]);
  return renderTable([{ title: 'After', align: 'right' }, { title: 'What happened' }], rows);
}

function renderEvidence({ evidence }: DeployRecord): string {
  const logs = evidence.logs.map(({ pod, container, isPrevious, lines }) => {
    const which = isPrevious ? 'the run before' : 'this run';
    const body = lines.map((line) => `    ${line.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')}`).join('\n');
    return `Last ${lines.length} lines of ${code(`${pod}/${container}`)}, ${which}:\n\n${body}`;
  });
  const rows = evidence.events.map(({ subject, reason, message, count }) => [
    code(subject),
    escapeText(reason),
    escapeText(message, 300),
    String(count),
  ]);
  const events =
    rows.length === 0
      ? ''
      : renderTable(
          [
            { title: 'Events of' },
            { title: 'Reason' },
            { title: 'Message' },
            { title: 'Times', align: 'right' },
          ],
          rows,
        );
  return [...logs, events].filter((part) => part !== '').join('\n\n');
}

function renderObjects({ objects }: DeployRecord): string {
  if (objects.length === 0) return '';
  const counts = Map.groupBy(objects, ({ change }) => change);
  const words = [...counts].map(
    ([change, some]) =>
      `${some.length} ${change}: ${some
        .slice(0, 10)
        .map(({ subject }) => code(subject))
        .join(', ')}${some.length > 10 ? ', …' : ''}`,
  );
  return words.join('  \n');
}

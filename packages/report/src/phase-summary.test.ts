import type { PhaseEvidence } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import { renderPhaseSummary, renderPhaseVerdict } from './phase-summary.ts';

type Metric = PhaseEvidence['metrics'][number];

const moment = Date.UTC(2026, 11, 15);

function metricOf(change: Partial<Metric>): Metric {
  return {
    name: 'gpu-utilization',
    isKeyObjective: false,
    source: 'prom',
    asked: 'avg(gpu)',
    target: { operator: '>=', value: 0.8, unit: 'ratio' },
    verdict: { kind: 'pass' },
    notes: [],
    ...change,
  };
}

function evidenceOf(metrics: readonly Metric[], change: Partial<PhaseEvidence> = {}): PhaseEvidence {
  return {
    $schema: 'https://github.com/sophia/actions/schemas/phase-evidence.v1.json',
    version: '1.0',
    kind: 'phase-evidence',
    commit: 'c'.repeat(40),
    run: { repository: '', workflow: '', job: '', id: '', number: '', attempt: '', eventName: '', url: '' },
    judgedAtMs: moment,
    phase: { name: 'phase-1', file: 'phases/phase-1.yml', text: '' },
    isEnforced: true,
    sources: [{ name: 'prom', kind: 'prometheus', asked: 'https://prom.example' }],
    observations: {},
    dependencies: {},
    verdict: { kind: 'pass' },
    metrics: [...metrics],
    ...change,
  };
}

/** The cells of the row that has this text, in a table of the summary. */
function rowOf(summary: string, text: string): readonly string[] {
  const row = summary.split('\n').find((line) => line.startsWith('|') && line.includes(text)) ?? '';
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('the summary of a phase', () => {
  it('has of each metric what was found, its limits, the way to the target and the sample', () => {
    const summary = renderPhaseSummary(
      evidenceOf([
        metricOf({
          value: 0.8523,
          unit: 'ratio',
          lower: 0.81,
          upper: 0.8901,
          confidence: 0.95,
          sampleCount: 10_080,
          effectiveSampleCount: 1120.4,
          coverage: 0.987,
          fromMs: moment - 7 * 86_400_000,
          toMs: moment,
        }),
      ]),
    );

    expect(rowOf(summary, 'gpu-utilization')).toEqual([
      '✅',
      '`gpu-utilization`',
      '0.8523 ratio<br><sub>0.81 to 0.8901, 95 % each</sub>',
      '≥ 0.8 ratio',
      '0.0523 inside',
      '10,080, worth 1,120',
      '99 %',
      '2026-12-08 00:00 UTC to 2026-12-15 00:00 UTC',
    ]);
  });

  it.each([
    ['<=', 8, 7.5, '0.5 inside'],
    ['<=', 8, 9, '1 over'],
    ['<', 8, 8, 'at it'],
    ['>=', 0.8, 0.7, '0.1 short'],
    ['>=', 0.8, 0.9, '0.1 inside'],
    ['==', 1, 0.75, '0.25 apart'],
    ['==', 1, 1, 'equal'],
  ] as const)('says how far from "%s %d" a %d is', (operator, value, found, distance) => {
    const summary = renderPhaseSummary(
      evidenceOf([metricOf({ target: { operator, value, unit: 's' }, value: found, unit: 's' })]),
    );
    expect(rowOf(summary, 'gpu-utilization')[4]).toBe(distance);
  });

  it('says how many more samples decide what is not decided, and puts it before what passes', () => {
    const summary = renderPhaseSummary(
      evidenceOf([
        metricOf({ name: 'passes' }),
        metricOf({
          name: 'open',
          value: 0.81,
          sampleCount: 500,
          neededSampleCount: 2300,
          verdict: { kind: 'inconclusive', reason: 'undecided', message: 'It is 0.81.' },
        }),
        metricOf({ name: 'failed', verdict: { kind: 'fail', message: 'It is 0.5.' } }),
      ]),
    );

    expect(rowOf(summary, '`open`')[5]).toBe('500<br><sub>1,800 more decide it</sub>');
    const order = ['`failed`', '`open`', '`passes`'].map((name) => summary.indexOf(name));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  // 16 of 24 characters are the target, whatever it is: what is 1.5 times as much fills the track.
  it.each([
    [0.4, '████████░░░░░░░░┃░░░░░░░░'],
    [0.8, '████████████████┃░░░░░░░░'],
    [1.2, '████████████████┃████████'],
    [50, '████████████████┃████████'],
    [0, '░░░░░░░░░░░░░░░░┃░░░░░░░░'],
  ])('draws %d of a target of 0.8', (value, track) => {
    const summary = renderPhaseSummary(evidenceOf([metricOf({ value })]));
    expect(summary).toContain(`| ${track} |`);
  });

  it.each([
    [0, 1],
    [-1, -2],
    ['root', 3],
  ])('draws nothing for a target of %j', (target, value) => {
    const summary = renderPhaseSummary(
      evidenceOf([metricOf({ value, target: { operator: '!=', value: target } })]),
    );
    expect(summary).not.toContain('┃');
  });

  it('shows both verdicts of changed criteria, and where they differ', () => {
    const summary = renderPhaseSummary(
      evidenceOf([metricOf({ verdict: { kind: 'fail', message: 'It is 0.5.' } })], {
        verdict: { kind: 'fail', message: '1 of 1 metrics failed: gpu-utilization.' },
        phase: {
          name: 'phase-1',
          file: 'phases/phase-1.yml',
          text: '',
          guard: { kind: 'base', baseCommit: 'b'.repeat(40) },
        },
        proposal: {
          text: '',
          verdict: { kind: 'pass' },
          metrics: [{ name: 'gpu-utilization', verdict: { kind: 'pass' } }],
        },
      }),
    );
    expect(rowOf(summary, 'the phase')).toEqual(['**the phase**', '❌ fail', '✅ pass']);
    expect(summary).toContain('It is judged by the file of its base.');
  });

  it.each([
    ['pass', 'Phase phase-1 passes: its one metric holds (dry run: not enforced)'],
    ['fail', 'Phase phase-1 fails: It is so. (dry run: not enforced)'],
  ] as const)('of a dry run says so: %s', (kind, text) => {
    const verdict = kind === 'pass' ? { kind } : { kind, message: 'It is so.' };
    const evidence = evidenceOf([metricOf({})], { isEnforced: false, verdict });
    expect(renderPhaseVerdict(evidence)).toBe(text);
    expect(renderPhaseSummary(evidence)).toContain('This is a dry run');
  });

  it('of a thousand metrics fits into a check run, and counts what it leaves out', () => {
    const metrics = Array.from({ length: 1000 }, (_, index) =>
      metricOf({
        name: `metric-${index}`,
        asked: 'x'.repeat(4000),
        verdict: { kind: 'inconclusive', reason: 'missing', message: 'y'.repeat(4000) },
        notes: ['z'.repeat(4000)],
      }),
    );
    const summary = renderPhaseSummary(evidenceOf(metrics));
    expect(summary).toContain('940 further metrics in the evidence.');
    // The step summary takes 1 MiB; the client cuts what a check run does not take.
    expect(summary.length).toBeLessThan(200_000);
  });

  it('lets nothing from outside become markup, a link, a mention or a cell of its own', () => {
    const hostile = '</sub><img src=x onerror=1>[a](https://evil.example) @everyone | `x` \n\n# y ![](//z)';
    const summary = renderPhaseSummary(
      evidenceOf(
        [
          metricOf({
            name: hostile,
            source: hostile,
            asked: hostile,
            unit: hostile,
            value: 1,
            target: { operator: '==', value: hostile, unit: hostile },
            verdict: { kind: 'inconclusive', reason: hostile, message: hostile },
            notes: [hostile],
          }),
        ],
        {
          commit: hostile,
          phase: { name: hostile, file: hostile, text: hostile },
          sources: [{ name: hostile, kind: hostile, asked: hostile }],
          dependencies: { [hostile]: { [hostile]: { kind: 'fail', message: hostile } } },
          verdict: { kind: 'fail', message: hostile },
          omitted: [hostile],
        },
      ),
    );

    // What is left outside of inline code.
    const bare = summary.replaceAll(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
    expect(bare).not.toMatch(/<img|\]\(http|@everyone|^# y|!\[\]/m);
    expect(bare.match(/<\/?[a-z]+/g)?.filter((tag) => !/^<\/?(?:br|sub|details|summary)$/.test(tag))).toEqual(
      [],
    );
    const widths = new Map<string, number>();
    for (const block of summary.split('\n\n').filter((part) => part.startsWith('|'))) {
      const cells = block.split('\n').map((line) => line.split(/(?<!\\)\|/).length);
      widths.set(block.slice(0, 20), new Set(cells).size);
    }
    expect(new Set(widths.values())).toEqual(new Set([1]));
  });
});

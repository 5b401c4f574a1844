import { readFileSync } from 'node:fs';
import { type Observation, type PhaseEvidence, readPhaseEvidence } from '@sophia/records';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { judgePhase } from './judge-phase.ts';
import { type Phase, parsePhaseFile } from './phase-file.ts';
import { replay } from './replay.ts';

const header = (decision: string, dependsOn = '[]') => `apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: phase-2 }
spec:
  dependsOn: ${dependsOn}
  window: { start: "2026-12-01T00:00:00Z", duration: 14d }
  evidence: { maxAge: 6h }
  dataSources:
    - { name: prom, kind: prometheus, address: "https://prom.example" }
  decision: ${decision}
  metrics:
`;
const up = `    - name: up
      provider: { prometheus: { dataSource: prom, query: 'min(up)' } }
      target: { op: "==", value: 1, unit: ratio }
`;
const errors = (name: string) => `    - name: ${name}
      dataSource: prom
      indicator: { ratioMetric: { bad: 'sum(increase(e[14d]))', total: 'sum(increase(t[14d]))' } }
      statistic: { estimator: binomial, confidence: 0.95 }
      target: { op: "<", value: 0.1, unit: ratio }
`;
const plain = '{ require: all, onInconclusive: block }';
const holm = '{ require: all, onInconclusive: block, multiplicity: holm }';

function phaseOf(text: string): Phase {
  const parsed = parsePhaseFile(text);
  if (parsed.kind === 'problems') throw new Error(JSON.stringify(parsed.problems));
  return parsed.phase;
}

const end = Date.UTC(2026, 11, 15);
const number = (value: number, at: number): Extract<Observation, { kind: 'series' }> => ({
  kind: 'series',
  observedAtMs: at,
  warnings: [],
  series: [{ labels: {}, samples: [{ timestampMs: at, value }] }],
});
const bad = (count: number, at = end): Observation => ({
  kind: 'ratio',
  part: number(count, at),
  total: number(100, at),
});

describe('judgePhase', () => {
  const judge = (
    text: string,
    observations: Record<string, Observation>,
    nowMs = end,
    dependencies: PhaseEvidence['dependencies'] = {},
  ) => judgePhase(phaseOf(text), { nowMs, observations, dependencies });

  it('passes where every metric passes and the window is over', () => {
    expect(
      judge(header(plain) + up + errors('errors'), { up: number(1, end), errors: bad(0) }).verdict,
    ).toEqual({ kind: 'pass' });
  });

  it('fails by one metric, whatever the others are', () => {
    expect(judge(header(plain) + up + errors('errors'), { up: number(0.5, end) }).verdict).toEqual({
      kind: 'fail',
      message: '1 of 2 metrics failed: up.',
    });
  });

  it('is inconclusive by one metric that nothing is known of', () => {
    expect(judge(header(plain) + up + errors('errors'), { up: number(1, end) }).verdict).toEqual({
      kind: 'inconclusive',
      reason: 'not-judged',
      message: '1 of 2 metrics are inconclusive: errors.',
    });
  });

  it('takes no field of every object for an observation', () => {
    const text = header(plain) + up.replace('name: up', 'name: constructor');
    expect(judge(text, {}).metrics[0]?.verdict).toMatchObject({ kind: 'inconclusive', reason: 'missing' });
  });

  it('is inconclusive until the window is over, so that nobody may look until it passes', () => {
    expect(judge(header(plain) + up, { up: number(1, end - 1) }, end - 1).verdict).toEqual({
      kind: 'inconclusive',
      reason: 'window-open',
      message: 'Every metric passes so far, but the window is open until 2026-12-15T00:00:00.000Z.',
    });
    expect(judge(header(plain) + up, { up: number(1, Number.NaN) }, Number.NaN).verdict.kind).toBe(
      'inconclusive',
    );
  });

  it.each([
    [{}, 'inconclusive'],
    [{ 'phase-1': {} }, 'inconclusive'],
    [{ 'phase-1': { cost: { kind: 'inconclusive', reason: 'stale', message: '' } } }, 'inconclusive'],
    [{ 'phase-1': { cost: { kind: 'fail', message: '' } } }, 'inconclusive'],
    [{ 'phase-1': { cost: { kind: 'pass' } } }, 'pass'],
  ] as const)('asks what it depends on to hold still: %j ▶ %s', (dependencies, expected) => {
    const text = header(plain, '[{ phase: phase-1, stillHolds: [cost] }]') + up;
    expect(judge(text, { up: number(1, end) }, end, dependencies).verdict.kind).toBe(expected);
  });

  // Exact one-sided p-values of so many bad of 100 against a share of 0.1 (scipy binom.sf(k - 1, 100, 0.1)):
  // 16 ▶ 0.0399, 17 ▶ 0.0206, 18 ▶ 0.0100, 20 ▶ 0.0020. Holm at 0.05 over three: 0.0020 < 0.05/3, then 0.0100 < 0.05/2, then
  // 0.0399 < 0.05; and 0.0399 alone is not below 0.05/3.
  it.each([
    [[16, 16, 16], holm, ['inconclusive', 'inconclusive', 'inconclusive']],
    [[16, 16, 16], plain, ['fail', 'fail', 'fail']],
    [[20, 18, 16], holm, ['fail', 'fail', 'fail']],
    [[16, 18, 20], holm, ['fail', 'fail', 'fail']],
    // 0.0020 < 0.05/3 lets 0.0206 be below 0.05/2, and that 0.0399 below 0.05.
    [[20, 17, 16], holm, ['fail', 'fail', 'fail']],
    [[20, 16, 0], holm, ['fail', 'inconclusive', 'pass']],
    [[0, 0, 0], holm, ['pass', 'pass', 'pass']],
  ])('shares the doubt of failing among metrics: %j of 100 with %s', (counts, decision, expected) => {
    const text = header(decision) + errors('a') + errors('b') + errors('c');
    const [a = 0, b = 0, c = 0] = counts;
    const { metrics } = judge(text, { a: bad(a), b: bad(b), c: bad(c) });
    expect(metrics.map(({ verdict }) => verdict.kind)).toEqual(expected);
  });
});

describe('replay', () => {
  const text = header(holm) + up + errors('errors');
  const observations = { up: number(1, end), errors: bad(30) };
  const judgement = judgePhase(phaseOf(text), { nowMs: end, observations, dependencies: {} });
  const evidence: PhaseEvidence = {
    $schema: 'https://github.com/sophia/actions/schemas/phase-evidence.v1.json',
    version: '1.0',
    kind: 'phase-evidence',
    commit: 'c'.repeat(40),
    run: { repository: '', workflow: '', job: '', id: '', number: '', attempt: '', eventName: '', url: '' },
    judgedAtMs: end,
    phase: { name: 'phase-2', file: 'phases/phase-2.yml', text },
    isEnforced: true,
    sources: [{ name: 'prom', kind: 'prometheus', asked: 'https://prom.example' }],
    observations,
    dependencies: {},
    verdict: judgement.verdict,
    metrics: [...judgement.metrics],
  };

  it('finds the same verdict from what a file holds', () => {
    const stored = readPhaseEvidence(JSON.stringify(evidence), 'evidence.json');
    if (stored.kind === 'problem') throw new Error(stored.message);
    expect(replay(stored.record)).toEqual({ kind: 'replayed', judgement, isSame: true });
    expect(judgement.verdict.kind).toBe('fail');
  });

  it('takes what the published schema takes', () => {
    const published = readFileSync(
      new URL('../../../schemas/phase-evidence.v1.json', import.meta.url),
      'utf8',
    );
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(published));
    expect(validate(JSON.parse(JSON.stringify(evidence)))).toBe(true);
    expect(validate({ ...evidence, verdict: { kind: 'skipped' } })).toBe(false);
    expect(
      readPhaseEvidence(JSON.stringify({ ...evidence, verdict: { kind: 'skipped' } }), 'e.json').kind,
    ).toBe('problem');
  });

  it('refuses evidence whose numbers are none', () => {
    const text = JSON.stringify({ ...evidence, observations: { up: number(Number.NaN, end) } });
    expect(readPhaseEvidence(text, 'evidence.json').kind).toBe('problem');
  });

  it('says where a verdict or what it rests on was changed', () => {
    expect(replay({ ...evidence, verdict: { kind: 'pass' } })).toMatchObject({ isSame: false });
    expect(replay({ ...evidence, observations: { ...observations, errors: bad(0) } })).toMatchObject({
      isSame: false,
    });
    expect(replay({ ...evidence, judgedAtMs: end + 86_400_000 })).toMatchObject({
      isSame: false,
      judgement: { verdict: { kind: 'inconclusive' } },
    });
  });

  it('names what is wrong with the phase file in it', () => {
    expect(replay({ ...evidence, phase: { ...evidence.phase, text: 'x: 1' } })).toEqual({
      kind: 'problem',
      message:
        'The phase file in the evidence is not valid: 1:1: apiVersion is missing: expected "migration.sophia.ai/v1alpha1". Add it.',
    });
  });

  it('judges the phase of the format’s example without any evidence to be inconclusive in all', () => {
    const example = readFileSync(new URL('./fixtures/phase-1-example.yml', import.meta.url), 'utf8');
    const { metrics } = judgePhase(phaseOf(example), { nowMs: end, observations: {}, dependencies: {} });
    expect(new Set(metrics.map(({ verdict }) => verdict.kind))).toEqual(new Set(['inconclusive']));
    expect(metrics).toHaveLength(10);
  });

  it('takes what the run asked for in place of the file’s words', () => {
    const open: PhaseEvidence = {
      ...evidence,
      judgedAtMs: end - 86_400_000,
      observations: { up: number(1, end - 86_400_000) },
    };
    const windowStartMs = end - 15 * 86_400_000;
    const judged = (phase: Partial<PhaseEvidence['phase']>) => {
      const replayed = replay({ ...open, phase: { ...open.phase, text: header(plain) + up, ...phase } });
      return replayed.kind === 'replayed' ? replayed.judgement.verdict : replayed;
    };
    expect(judged({})).toMatchObject({ kind: 'inconclusive', reason: 'window-open' });
    expect(judged({ windowStartMs })).toEqual({ kind: 'pass' });
    expect(judged({ text: header(plain) + up + errors('errors'), windowStartMs })).toMatchObject({
      kind: 'inconclusive',
    });
    expect(
      judged({ text: header(plain) + up + errors('errors'), windowStartMs, missing: 'fail' }),
    ).toMatchObject({ kind: 'fail' });
  });

  it('has nothing pass by criteria that a change may have made for itself', () => {
    const passing: PhaseEvidence = {
      ...evidence,
      observations: { up: number(1, end) },
      phase: { ...evidence.phase, text: header(plain) + up },
    };
    const guarded = (kind: 'unchanged' | 'base' | 'new' | 'unchecked') =>
      replay({ ...passing, phase: { ...passing.phase, guard: { kind, baseCommit: 'b'.repeat(40) } } });
    expect(guarded('unchecked')).toMatchObject({
      judgement: { verdict: { kind: 'inconclusive', reason: 'criteria-unchecked' } },
    });
    for (const kind of ['unchanged', 'base', 'new'] as const) {
      expect(guarded(kind)).toMatchObject({ judgement: { verdict: { kind: 'pass' } } });
    }
  });

  it('is refused where observations were left out', () => {
    expect(replay({ ...evidence, omitted: ['errors'] })).toEqual({
      kind: 'problem',
      message: 'The evidence lacks the observations of errors, which were too large to keep.',
    });
  });
});

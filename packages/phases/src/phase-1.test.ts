import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judgeCriterion } from './judge-criterion.ts';
import { judgePhase } from './judge-phase.ts';
import { parsePhaseFile } from './phase-file.ts';
import { readLedger } from './read-ledger.ts';

const root = new URL('../../../', import.meta.url);
const parsed = parsePhaseFile(readFileSync(new URL('phases/phase-1.yml', root), 'utf8'));
if (parsed.kind === 'problems') throw new Error(JSON.stringify(parsed.problems, null, 1));
const { phase } = parsed;
const criteria = new Map(phase.criteria.map((criterion) => [criterion.name, criterion]));
const baselinePath = criteria.get('inference-cost')?.baseline?.ref ?? '';
const baselineText = readFileSync(new URL(baselinePath, root), 'utf8');
const now = phase.window.startMs + phase.window.durationMs;

describe('phases/phase-1.yml', () => {
  // The success metrics of phase 1 in the migration plan, each with the limit it names.
  it.each([
    ['cost of inference, less by 73 %', 'inference-cost', '<=', 0.27, 'ratio'],
    ['builds 60 % faster at least', 'build-time-source-change', '<=', 0.4, 'ratio'],
    ['builds in 6 to 8 s', 'build-seconds-source-change', '<=', 8, 's'],
    ['images of 0.8 to 1.2 GB', 'image-size', '<=', 1.2, 'GB'],
    ['no cold start', 'cold-starts', '<=', 0.001, 'ratio'],
    ['GPU utilisation of 80 % and more', 'gpu-utilization', '>=', 0.8, 'ratio'],
    ['containers not root', 'non-root', '!=', '0', undefined],
  ])('defines %s', (_, name, operator, value, unit) => {
    expect(criteria.get(name)?.target).toEqual({ operator, value, unit });
  });

  it('has every metric verified by a task, with a way back for each task', () => {
    const verified = phase.tasks.flatMap(({ verify = [] }) => verify);
    expect(verified.toSorted()).toEqual([...criteria.keys()].toSorted());
    expect(phase.tasks.filter(({ rollback }) => rollback === undefined)).toEqual([]);
  });

  it('is inconclusive in every metric while nothing is measured', () => {
    const { verdict, metrics } = judgePhase(phase, { nowMs: now, observations: {}, dependencies: {} });
    expect(verdict.kind).toBe('inconclusive');
    expect(metrics.map(({ verdict: each }) => each.kind)).toEqual(metrics.map(() => 'inconclusive'));
  });

  it('names its baseline by the digest that the file has', () => {
    expect(criteria.get('inference-cost')?.baseline?.sha256).toBe(
      createHash('sha256').update(baselineText).digest('hex'),
    );
  });

  // The plan's own figures: $930 ▶ $250 a month is 26.9 %.
  it('passes the plan’s own cost of inference, and not a dollar more than its target', () => {
    const criterion = criteria.get('inference-cost');
    const baseline = readLedger(baselineText);
    if (criterion === undefined || baseline.kind === 'problems') throw new Error('no criterion or baseline');
    const judge = (usdPerMonth: string) =>
      judgeCriterion(
        criterion,
        {
          kind: 'ledger',
          observedAtMs: now,
          lines: [{ id: 'inference', usdPerMonth }],
          baseline: { ref: baselinePath, sha256: criterion.baseline?.sha256, lines: baseline.ledger.lines },
        },
        {
          nowMs: now,
          maxAgeMs: phase.evidence.maxAgeMs,
          maxClockSkewMs: 0,
          windowStartMs: phase.window.startMs,
        },
      );
    expect(judge('250')).toMatchObject({ verdict: { kind: 'pass' }, notes: ['$930.00 ▶ $250.00 a month'] });
    expect(judge('251.10').verdict.kind).toBe('pass');
    expect(judge('251.11').verdict.kind).toBe('fail');
  });
});

describe('readLedger', () => {
  it('reads the plan’s ledger, two lines of which are part of a third', () => {
    expect(readLedger(baselineText)).toEqual({
      kind: 'ledger',
      ledger: {
        asOfMs: Date.UTC(2026, 10, 23),
        lines: [
          { id: 'inference', usdPerMonth: '930', partOf: 'infrastructure' },
          { id: 'infrastructure', usdPerMonth: '3477.60' },
          { id: 'monitoring', usdPerMonth: '200' },
          { id: 'development', usdPerMonth: '540', partOf: 'infrastructure' },
        ],
        usage: undefined,
      },
    });
  });

  it('names every problem at its place', () => {
    const text =
      'asOf: "2026-11-23"\nlines:\n  - { id: a, usdPerMonth: 930 }\n  - { id: b, usdPerMonth: "-1", part: a }\n';
    expect(readLedger(text)).toEqual({
      kind: 'problems',
      problems: [
        {
          line: 1,
          column: 7,
          message: 'asOf is "2026-11-23": expected a time in UTC such as "2026-12-01T00:00:00Z".',
        },
        { line: 3, column: 27, message: 'lines[0].usdPerMonth is 930: expected text.' },
        {
          line: 4,
          column: 27,
          message: 'lines[1].usdPerMonth is "-1": expected dollars as text, such as "928.80".',
        },
        {
          line: 4,
          column: 33,
          message:
            'lines[1].part is not a field: expected one of id, usdPerMonth, partOf. Did you mean "partOf"?',
        },
      ],
    });
  });

  it.each([
    [
      '{ "asOf": "2026-11-23T00:00:00Z", "lines": [{ "id": "a", "usdPerMonth": "1", "partOf": "z" }] }',
      'lines[0].partOf is "z": expected the id of a line.',
    ],
    [
      '{ "asOf": "2026-11-23T00:00:00Z", "lines": [{ "id": "a", "usdPerMonth": "1" }, { "id": "a", "usdPerMonth": "1" }] }',
      'lines[1].id is "a", as that of another: expected each once.',
    ],
    [
      '{ "asOf": "2026-11-23T00:00:00Z", "lines": [] }',
      'lines is an empty list: expected at least one entry.',
    ],
    ['<html>login</html>', 'The file is "<html>login</html>": expected fields.'],
  ])('refuses %j', (text, message) => {
    expect(readLedger(text)).toMatchObject({ kind: 'problems', problems: [{ message }] });
  });
});

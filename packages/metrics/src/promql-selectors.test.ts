import { describe, expect, it } from 'vitest';
import { findSelectors } from './promql-selectors.ts';

const HOUR = 3_600_000;
const plain = (text: string) => ({ text, rangeMs: 0, modifiers: '' });

describe('findSelectors', () => {
  it.each([
    ['up', [plain('up')]],
    ['1 + 2 * vector(3)', []],
    ['time() - 1e3', []],
    ['{__name__="up", job=~"a|b"}', [plain('{__name__="up", job=~"a|b"}')]],
    ['gpu:utilization:ratio', [plain('gpu:utilization:ratio')]],
    ['avg by (UUID) (gpu:utilization:ratio)', [plain('gpu:utilization:ratio')]],
    ['sum(x) without (pod, node)', [plain('x')]],
    ['SUM BY (a) (x)', [plain('x')]],
    ['sum{job="a"}', [plain('sum{job="a"}')]],
    ['a / on (node) group_left (gpu) b', [plain('a'), plain('b')]],
    ['a unless ignoring(x) b or c and d', ['a', 'b', 'c', 'd'].map(plain)],
    ['a == bool 1', [plain('a')]],
    ['topk(5, a{l="}"})', [plain('a{l="}"}')]],
    ['a{l="x\\"}"} # b\n + c', [plain('a{l="x\\"}"}'), plain('c')]],
    ['label_replace(a, "to", "$1", "from", "(b.*)")', [plain('a')]],
    ['rate(a[5m])', [{ text: 'a', rangeMs: 300_000, modifiers: '' }]],
    ['sum(increase(a{b="c"} [1h30m])) / 2', [{ text: 'a{b="c"}', rangeMs: 1.5 * HOUR, modifiers: '' }]],
    ['a offset 1d', [{ text: 'a', rangeMs: 0, modifiers: 'offset 1d' }]],
    ['rate(a[1h] offset -5m)', [{ text: 'a', rangeMs: HOUR, modifiers: 'offset -5m' }]],
    ['a @ 1609746000 + b', [{ text: 'a', rangeMs: 0, modifiers: '@ 1609746000' }, plain('b')]],
    ['rate(a[1h] @ end() offset 1m)', [{ text: 'a', rangeMs: HOUR, modifiers: '@ end() offset 1m' }]],
    [
      'max_over_time(rate(a[1h])[2h:1m] offset 3h) - b',
      [{ text: 'a', rangeMs: 3 * HOUR, modifiers: 'offset 3h' }, plain('b')],
    ],
    ['min_over_time((a < b)[1h:])', ['a', 'b'].map((text) => ({ text, rangeMs: HOUR, modifiers: '' }))],
    ['a[90]', [{ text: 'a', rangeMs: 90_000, modifiers: '' }]],
  ])('%s', (query, selectors) => {
    expect(findSelectors(query)).toEqual({ kind: 'selectors', selectors });
  });

  it.each(['a{b="c', 'a[', 'rate(a[5m + 1m])', 'a ; b', '"open'])('can’t read %s', (query) => {
    expect(findSelectors(query)).toEqual({ kind: 'unreadable', message: expect.any(String) });
  });

  it('reads 100,000 characters made to be slow in no time', () => {
    const startedAt = performance.now();
    for (const piece of ['#', '"', '{#', '(', 'a{', '[#\n', '\\"']) findSelectors(piece.repeat(50_000));
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

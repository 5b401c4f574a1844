import { describe, expect, it } from 'vitest';
import { divideDollars, formatDollars, sumLedger } from './ledger.ts';

/** The migration plan's ledger before, in dollars a month. Two of its lines are machines of the third. */
const before = [
  { id: 'inference', usdPerMonth: '930', partOf: 'infrastructure' },
  { id: 'infrastructure', usdPerMonth: '3477.60' },
  { id: 'monitoring', usdPerMonth: '200' },
  { id: 'development', usdPerMonth: '540', partOf: 'infrastructure' },
];
const after = [
  { id: 'inference', usdPerMonth: '250' },
  { id: 'infrastructure', usdPerMonth: '1890' },
  { id: 'monitoring', usdPerMonth: '50' },
  { id: 'development', usdPerMonth: '200' },
];
const all = before.map(({ id }) => id);

function totalsOf(lines: Parameters<typeof sumLedger>[0], ids: readonly string[]) {
  const sum = sumLedger(lines, ids);
  if ('problem' in sum) return sum.problem;
  return { claimed: formatDollars(sum.claimedPico), net: formatDollars(sum.netPico), overlaps: sum.overlaps };
}

describe('sumLedger', () => {
  // Figures: the plan's own sums, $5,147 a month and $2,390, and net of overlap $3,677.60 and a saving of 35.0 %.
  it('counts no machine of the plan twice, and shows what the plan claims', () => {
    expect(totalsOf(before, all)).toEqual({
      claimed: '5,147.60',
      net: '3,677.60',
      overlaps: [
        { id: 'inference', within: 'infrastructure' },
        { id: 'development', within: 'infrastructure' },
      ],
    });
    expect(totalsOf(after, all)).toEqual({ claimed: '2,390.00', net: '2,390.00', overlaps: [] });
    expect(1 - divideDollars(2390n, 3678n)).toBeCloseTo(0.35, 3);
  });

  it('counts a part in full where its whole is not asked for', () => {
    expect(totalsOf(before, ['inference'])).toEqual({ claimed: '930.00', net: '930.00', overlaps: [] });
  });

  it('sees a part through the lines between', () => {
    const lines = [
      { id: 'gpu', usdPerMonth: '10', partOf: 'machine' },
      { id: 'machine', usdPerMonth: '30', partOf: 'total' },
      { id: 'total', usdPerMonth: '100' },
    ];
    expect(totalsOf(lines, ['gpu', 'total'])).toEqual({
      claimed: '110.00',
      net: '100.00',
      overlaps: [{ id: 'gpu', within: 'total' }],
    });
  });

  it('keeps every digit', () => {
    const lines = Array.from({ length: 10 }, (_, index) => ({ id: `${index}`, usdPerMonth: '0.1' }));
    expect(
      sumLedger(
        lines,
        lines.map(({ id }) => id),
      ),
    ).toMatchObject({ netPico: 1_000_000_000_000n });
  });

  it.each([
    ['a line that is missing', before, ['total'], 'there is no line "total"'],
    ['a line twice', [...before, ...before], all, 'a line is there twice'],
    [
      'a line in itself',
      [
        { id: 'a', usdPerMonth: '1', partOf: 'b' },
        { id: 'b', usdPerMonth: '1', partOf: 'b' },
      ],
      ['a'],
      'line "a" is part of itself',
    ],
    ['an amount in words', [{ id: 'a', usdPerMonth: '1e3' }], ['a'], 'line "a" has no amount of dollars'],
    ['less than nothing', [{ id: 'a', usdPerMonth: '-1' }], ['a'], 'line "a" has no amount of dollars'],
  ])('refuses %s', (_, lines, ids, problem) => {
    expect(sumLedger(lines, ids)).toEqual({ problem });
  });
});

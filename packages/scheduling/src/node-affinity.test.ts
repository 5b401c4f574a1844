import { describe, expect, it } from 'vitest';
import {
  findAffinityMismatches,
  findSelectorMismatches,
  type Requirement,
  renderRequirement,
} from './node-affinity.ts';

const node = {
  name: 'gh200-0',
  labels: new Map([
    ['gpu', 'gh200'],
    ['tier', '10'],
    ['rank', 'gold'],
    ['none', ''],
  ]),
};

function requirement(key: string, operator: string, ...values: readonly string[]): Requirement {
  return { on: 'label', key, operator, values };
}

describe('findAffinityMismatches', () => {
  // By hand from the documentation of node affinity's operators; the odd ones from the scheduler's own parser.
  it.each([
    ['gpu', 'In', ['a100', 'gh200'], true],
    ['gpu', 'In', ['a100'], false],
    ['missing', 'In', ['a100'], false],
    ['none', 'In', [''], true],
    ['missing', 'In', [''], false],
    ['gpu', 'NotIn', ['a100'], true],
    ['gpu', 'NotIn', ['gh200'], false],
    ['missing', 'NotIn', ['gh200'], true],
    ['gpu', 'Exists', [], true],
    ['missing', 'Exists', [], false],
    ['missing', 'DoesNotExist', [], true],
    ['gpu', 'DoesNotExist', [], false],
    ['tier', 'Gt', ['9'], true],
    ['tier', 'Gt', ['10'], false],
    ['tier', 'Lt', ['11'], true],
    ['tier', 'Lt', ['10'], false],
    ['rank', 'Gt', ['1'], false],
    ['missing', 'Lt', ['1'], false],
    // Invalid, so no node matches.
    ['tier', 'Gt', ['9', '8'], false],
    ['tier', 'Gt', ['nine'], false],
    ['tier', 'Lt', ['99999999999999999999'], false],
    ['gpu', 'In', [], false],
    ['gpu', 'Exists', ['gh200'], false],
    ['gpu', 'Like', ['gh200'], false],
    ['gpu', 'NotIn', ['-bad-'], false],
  ] as const)('%s %s %j: %s', (key, operator, values, matches) => {
    expect(findAffinityMismatches([[requirement(key, operator, ...values)]], node) === undefined).toBe(
      matches,
    );
  });

  it('needs all requirements of a term, and one term of all', () => {
    const yes = requirement('gpu', 'Exists');
    const no = requirement('missing', 'Exists');
    expect(findAffinityMismatches([[yes, no]], node)).toEqual([[{ ...no, actual: undefined }]]);
    expect(findAffinityMismatches([[yes, no], [yes]], node)).toBeUndefined();
  });

  it('matches nothing by an empty term or by no term', () => {
    expect(findAffinityMismatches([], node)).toEqual([]);
    expect(findAffinityMismatches([[]], node)).toEqual([[]]);
    expect(findAffinityMismatches([[], [requirement('gpu', 'Exists')]], node)).toBeUndefined();
  });

  it('knows a node by its name, one at a time', () => {
    const byName = (operator: string, ...values: readonly string[]): Requirement => ({
      on: 'field',
      key: 'metadata.name',
      operator,
      values,
    });
    expect(findAffinityMismatches([[byName('In', 'gh200-0')]], node)).toBeUndefined();
    expect(findAffinityMismatches([[byName('NotIn', 'a100-0')]], node)).toBeUndefined();
    expect(findAffinityMismatches([[byName('In', 'a100-0')]], node)).toEqual([
      [{ ...byName('In', 'a100-0'), actual: 'gh200-0' }],
    ]);
    expect(findAffinityMismatches([[byName('In', 'gh200-0', 'a100-0')]], node)).toEqual([[]]);
  });
});

describe('findSelectorMismatches', () => {
  it('names each entry that differs, with what the node has', () => {
    const selector = new Map([
      ['gpu', 'a100'],
      ['tier', '10'],
      ['zone', 'a'],
    ]);
    expect(findSelectorMismatches(selector, node)).toEqual([
      { ...requirement('gpu', 'In', 'a100'), actual: 'gh200' },
      { ...requirement('zone', 'In', 'a'), actual: undefined },
    ]);
  });
});

describe('renderRequirement', () => {
  it.each([
    [requirement('gpu', 'In', 'a100'), 'gpu=a100'],
    [requirement('gpu', 'In', 'a100', 'gh200'), 'gpu in (a100, gh200)'],
    [requirement('gpu', 'NotIn', 'a10'), 'gpu not in (a10)'],
    [requirement('gpu', 'Exists'), 'gpu to exist'],
    [requirement('gpu', 'DoesNotExist'), 'gpu to be absent'],
    [requirement('tier', 'Gt', '3'), 'tier > 3'],
    [requirement('tier', 'Lt', '3'), 'tier < 3'],
    [requirement('tier', 'Like', '3'), 'tier Like (3)'],
  ])('%#: %s', (entry, text) => {
    expect(renderRequirement(entry)).toBe(text);
  });
});

import { describe, expect, it } from 'vitest';
import { applyMergePatch, isEqual, toMergePatch } from './merge-patch.ts';

describe('applyMergePatch', () => {
  // The table of RFC 7386, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('makes of %j with %j %j', (present, patch, wanted) => {
    expect(applyMergePatch(present, patch)).toEqual(wanted);
  });
});

describe('toMergePatch', () => {
  it.each([
    [{ image: 'a', args: ['x'] }, { image: 'b', args: ['x'] }, { image: 'b' }],
    [
      { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
      { strategy: { type: 'Recreate' } },
      { strategy: { type: 'Recreate', rollingUpdate: null } },
    ],
    [{ env: [{ name: 'A' }, { name: 'B' }] }, { env: [{ name: 'A' }] }, { env: [{ name: 'A' }] }],
    [{ a: { b: 1 } }, {}, { a: null }],
    [{ a: 1, b: undefined }, { a: 1 }, undefined],
  ])('leads from %j to %j by %j', (present, wanted, patch) => {
    expect(toMergePatch(present, wanted)).toEqual(patch);
    if (patch !== undefined) expect(applyMergePatch(present, patch)).toEqual(wanted);
  });
});

describe('isEqual', () => {
  it('heeds no order of members, but that of a list', () => {
    expect(isEqual({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
    expect(isEqual([1, 2], [2, 1])).toBe(false);
    expect(isEqual({ a: undefined }, {})).toBe(true);
    expect(isEqual(null, {})).toBe(false);
    expect(isEqual([], {})).toBe(false);
  });
});

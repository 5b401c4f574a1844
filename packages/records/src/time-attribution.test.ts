import { describe, expect, it } from 'vitest';
import { attributeTime, BUILD_PHASES, type PhaseInterval } from './time-attribution.ts';

const NONE = {
  executing: 0,
  'base-pull': 0,
  'context-transfer': 0,
  'cache-import': 0,
  push: 0,
  'cache-export': 0,
  'image-export': 0,
  resolving: 0,
};

describe('attributeTime', () => {
  // Drawn by hand on a time line; the order of precedence is the documented one.
  it.each<{ name: string; intervals: PhaseInterval[]; wallMs: number; expected: object }>([
    {
      name: 'nothing ran',
      intervals: [],
      wallMs: 40,
      expected: { phases: NONE, clientMs: 40, remainderMs: 0 },
    },
    {
      name: 'phases one after the other, with a gap',
      intervals: [
        { phase: 'resolving', startMs: 1000, endMs: 1010 },
        { phase: 'executing', startMs: 1010, endMs: 1100 },
        { phase: 'push', startMs: 1105, endMs: 1125 },
      ],
      wallMs: 200,
      expected: { phases: { ...NONE, resolving: 10, executing: 90, push: 20 }, clientMs: 75, remainderMs: 5 },
    },
    {
      name: 'overlapping phases go to the first in order',
      intervals: [
        { phase: 'base-pull', startMs: 0, endMs: 100 },
        { phase: 'context-transfer', startMs: 20, endMs: 60 },
        { phase: 'executing', startMs: 50, endMs: 80 },
      ],
      wallMs: 100,
      expected: { phases: { ...NONE, 'base-pull': 70, executing: 30 }, clientMs: 0, remainderMs: 0 },
    },
    {
      name: 'a push inside the export of the image',
      intervals: [
        { phase: 'image-export', startMs: 0, endMs: 50 },
        { phase: 'push', startMs: 20, endMs: 45 },
      ],
      wallMs: 50,
      expected: { phases: { ...NONE, 'image-export': 25, push: 25 }, clientMs: 0, remainderMs: 0 },
    },
    {
      name: 'the same phase twice at once counts once',
      intervals: [
        { phase: 'executing', startMs: 0, endMs: 40 },
        { phase: 'executing', startMs: 10, endMs: 60 },
      ],
      wallMs: 60,
      expected: { phases: { ...NONE, executing: 60 }, clientMs: 0, remainderMs: 0 },
    },
    {
      name: 'an interval that ends before it starts is left out',
      intervals: [{ phase: 'executing', startMs: 40, endMs: 30 }],
      wallMs: 10,
      expected: { phases: NONE, clientMs: 10, remainderMs: 0 },
    },
    {
      name: 'a builder whose clock runs ahead takes more than the wall: no negative time',
      intervals: [{ phase: 'executing', startMs: 0, endMs: 70 }],
      wallMs: 60,
      expected: { phases: { ...NONE, executing: 70 }, clientMs: 0, remainderMs: 0 },
    },
  ])('$name', ({ intervals, wallMs, expected }) => {
    expect(attributeTime(intervals, wallMs)).toEqual(expected);
  });

  it('adds up to the wall time whatever overlaps', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 200; round += 1) {
      const intervals = Array.from({ length: random(30) }, () => {
        const startMs = random(1000);
        return {
          phase: BUILD_PHASES[random(BUILD_PHASES.length)] ?? 'push',
          startMs,
          endMs: startMs + random(300),
        };
      });
      const { phases, clientMs, remainderMs } = attributeTime(intervals, 5000);
      const sum = Object.values(phases).reduce((total, ms) => total + ms, clientMs + remainderMs);
      expect(sum).toBeCloseTo(5000, 6);
    }
  });
});

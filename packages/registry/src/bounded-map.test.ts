import { describe, expect, it } from 'vitest';
import { mapBounded } from './bounded-map.ts';

describe('mapBounded', () => {
  it('keeps the order and never runs more than the limit at once', async () => {
    let running = 0;
    let most = 0;
    const results = await mapBounded([30, 10, 20, 5, 1], 2, async (durationMs) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, durationMs));
      running -= 1;
      return durationMs * 2;
    });
    expect([results, most]).toEqual([[60, 20, 40, 10, 2], 2]);
  });

  it('begins nothing after a rejection, and rejects with it', async () => {
    const begun: number[] = [];
    const mapped = mapBounded([1, 2, 3, 4], 1, async (value) => {
      begun.push(value);
      if (value === 2) throw new Error('two');
    });
    await expect(mapped).rejects.toThrow('two');
    expect(begun).toEqual([1, 2]);
  });

  it('maps nothing to nothing', async () => {
    expect(await mapBounded([], 3, async () => 1)).toEqual([]);
  });
});

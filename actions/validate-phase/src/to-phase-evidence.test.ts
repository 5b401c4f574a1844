import type { Observation } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import { boundObservations } from './to-phase-evidence.ts';

const seriesOf = (count: number): Observation => ({
  kind: 'series',
  observedAtMs: 0,
  warnings: [],
  series: [
    { labels: {}, samples: Array.from({ length: count }, (_, timestampMs) => ({ timestampMs, value: 1 })) },
  ],
});

describe('the observations in evidence', () => {
  const observations = { small: seriesOf(1), largest: seriesOf(900), large: seriesOf(800) };

  it('are all there where they fit', () => {
    expect(boundObservations(observations, 100_000)).toEqual({ observations, omitted: [] });
  });

  it('lack the largest where they do not, by name', () => {
    const characters = JSON.stringify(observations.large).length + JSON.stringify(observations.small).length;
    expect(boundObservations(observations, characters)).toEqual({
      observations: { small: observations.small, large: observations.large },
      omitted: ['largest'],
    });
    expect(boundObservations(observations, 0)).toEqual({
      observations: {},
      omitted: ['largest', 'large', 'small'],
    });
  });
});

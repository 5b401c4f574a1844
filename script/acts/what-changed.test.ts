import { expect, it } from 'vitest';
import { type ComparedRecord, findLayerChanges, renderChange } from './what-changed.ts';

const base = { digest: 'sha256:aaaaaaaaaaaaaaaa', compressedBytes: 30_000_000 };
const sources = (digest: string, compressedBytes: number) => ({
  digest,
  compressedBytes,
  instruction: 'COPY . .',
  line: 5,
});

function record(commit: string, durationMs: number, stepsCached: number, layers: object[]): ComparedRecord {
  const compressedBytes = layers.length * 1000;
  return {
    commit,
    durationMs,
    cache: { stepsCached, stepsReached: 3 },
    image: {
      digest: 'sha256:image',
      references: [],
      platforms: [{ platform: 'linux/amd64', compressedBytes, layers }],
    },
  };
}

it('pairs layers by height and leaves out those with the same digest', () => {
  const [one, other] = [sources('sha256:b', 1), sources('sha256:c', 2)];
  expect(findLayerChanges([base, one], [base, other])).toEqual([{ before: one, after: other }]);
  expect(findLayerChanges([base], [base, other])).toEqual([{ before: undefined, after: other }]);
  expect(findLayerChanges([base, one], [base])).toEqual([{ before: one, after: undefined }]);
  expect(findLayerChanges([base, one], [base, one])).toEqual([]);
});

it('says what changed in files, time, cache, size and layers', () => {
  const before = record('1af3297000', 39_000, 0, [base]);
  const after = record('05ac948000', 31_000, 1, [base, sources('sha256:cccccccccccccccc', 21_200)]);

  expect(
    renderChange(
      ['app/main.py'],
      { record: before, firstRecord: before },
      { record: after, firstRecord: after },
    ),
  ).toBe(
    [
      'Changed files: `app/main.py`',
      '',
      '|  | `1af3297` | `05ac948` | Change |',
      '| --- | ---: | ---: | --- |',
      '| Build time | 39.0 s | 31.0 s | −8.00 s |',
      '| Steps from cache | 0 of 3 | 1 of 3 |  |',
      '| Image, compressed | 1.00 kB | 2.00 kB | +1.00 kB |',
      '| Layers | 1 | 2 | 1 changed, 21.2 kB to pull again |',
      '',
      '| Changed layers | Line | Before | After |',
      '| --- | ---: | --- | --- |',
      '| `COPY . .` | 5 | none | `cccccccccccc`, 21.2 kB |',
    ].join('\n'),
  );
});

it('shows the times of the first builds beside those of a repeated demo', () => {
  const first = record('1af3297000', 39_000, 0, [base]);
  const again = record('1af3297000', 8_000, 3, [base]);

  const text = renderChange([], { record: again, firstRecord: first }, { record: again, firstRecord: again });

  expect(text).toContain('| Build time | 8.00 s | 8.00 s | same |');
  expect(text).toContain('| Build time when first built here | 39.0 s | 8.00 s | −31.0 s |');
});

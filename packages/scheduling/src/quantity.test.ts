import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatQuantity, isMilliBytes, parseQuantity, roundUpForScheduler } from './quantity.ts';

type Vectors = { readonly vectors: readonly (readonly [string, readonly [string, string] | null])[] };

// What Kubernetes' own parser made of each text.
const { vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/quantities.json'), 'utf8'),
) as Vectors;

function read(text: string): readonly [string, string] | null {
  try {
    const nanos = parseQuantity(text);
    return [
      String(roundUpForScheduler('memory', nanos) / 1_000_000_000n),
      String(roundUpForScheduler('cpu', nanos) / 1_000_000n),
    ];
  } catch {
    return null;
  }
}

describe('parseQuantity', () => {
  it('reads and refuses what Kubernetes does, with the same value', () => {
    expect(vectors.length).toBeGreaterThan(400);
    expect(vectors.filter(([text, expected]) => `${read(text)}` !== `${expected}`)).toEqual([]);
  });

  // The examples of the API documentation: "128974848, 129e6, 129M, 128974848000m, 123Mi" are about the same value.
  it.each([
    ['128974848', 128_974_848_000_000_000n],
    ['129e6', 129_000_000_000_000_000n],
    ['129M', 129_000_000_000_000_000n],
    ['128974848000m', 128_974_848_000_000_000n],
    ['123Mi', 128_974_848_000_000_000n],
    [0.1, 100_000_000n],
    [2, 2_000_000_000n],
  ])('reads %s', (value, nanos) => {
    expect(parseQuantity(value)).toBe(nanos);
  });

  it('says what is accepted', () => {
    expect(() => parseQuantity('80GB')).toThrow(
      'Quantity "80GB" can\'t be read: expected a number with one of the suffixes n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, such as 500m or 1.5Gi.',
    );
  });

  // The API server takes these and computes with what is left of them in 64 bits.
  it.each(['8Ei', '1e19', '9223372036854775808', '1e999999999', 'x'.repeat(10_000), `${'9'.repeat(50_000)}`])(
    'refuses %s soon',
    (text) => {
      expect(() => parseQuantity(text)).toThrow(
        /^Quantity ".{1,41}" (?:is too large|can't be read): expected /,
      );
    },
  );

  it('keeps to the smallest amount where the exponent is far below it', () => {
    expect(parseQuantity('1e-999999999')).toBe(1n);
  });
});

describe('formatQuantity', () => {
  it.each([
    ['cpu', '1.5', '1500m'],
    ['cpu', '2000m', '2'],
    ['cpu', '1u', '1m'],
    ['memory', '80Gi', '80Gi'],
    ['memory', '263842144Ki', '263842144Ki'],
    ['memory', '1.5Gi', '1536Mi'],
    ['memory', '1G', '1000000000'],
    ['memory', '0', '0'],
    ['nvidia.com/gpu', '1024', '1024'],
  ])('writes %s of %s as %s', (resource, text, written) => {
    expect(formatQuantity(resource, parseQuantity(text))).toBe(written);
  });
});

describe('isMilliBytes', () => {
  it('finds memory in thousandths of a byte, and only that', () => {
    expect(isMilliBytes('memory', parseQuantity('128m'))).toBe(true);
    expect(isMilliBytes('memory', parseQuantity('128M'))).toBe(false);
    expect(isMilliBytes('cpu', parseQuantity('128m'))).toBe(false);
  });
});

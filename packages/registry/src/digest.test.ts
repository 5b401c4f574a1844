import { describe, expect, it } from 'vitest';
import { algorithmOf, computeDigest, isDigest, matchesDigest } from './digest.ts';

// Test vectors of FIPS 180-4: the message "abc".
const ABC = new TextEncoder().encode('abc');
const SHA256 = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const SHA512 =
  'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';

describe('digests', () => {
  it('are those of the standard', () => {
    expect([computeDigest(ABC), computeDigest(ABC, 'sha512')]).toEqual([SHA256, SHA512]);
    expect([algorithmOf(SHA256), algorithmOf(SHA512)]).toEqual(['sha256', 'sha512']);
  });

  it('match their own bytes only', () => {
    const altered = new TextEncoder().encode('abd');
    expect([matchesDigest(ABC, SHA256), matchesDigest(ABC, SHA512), matchesDigest(altered, SHA256)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it.each([
    [SHA256, true],
    [SHA512, true],
    [SHA256.slice(0, -1), false],
    [`${SHA256}0`, false],
    [SHA256.toUpperCase(), false],
    [SHA256.replace('sha256', 'sha1'), false],
    [SHA256.replace('sha256', 'constructor'), false],
    [SHA256.slice(7), false],
    [`sha256:${'g'.repeat(64)}`, false],
    [`${SHA256}\n`, false],
    ['', false],
  ])('%j: %s', (text, expected) => {
    expect(isDigest(text)).toBe(expected);
  });
});

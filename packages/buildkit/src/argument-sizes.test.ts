import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { checkArgumentSizes } from './argument-sizes.ts';

/** Whether the system itself takes these. */
function canSpawn(args: readonly string[], env: Record<string, string> = {}): boolean {
  return spawnSync('/bin/true', args, { env }).error === undefined;
}

function isAccepted(args: readonly string[], env: Record<string, string> = {}): boolean {
  try {
    checkArgumentSizes(args, env);
    return true;
  } catch {
    return false;
  }
}

describe.runIf(process.platform === 'linux')('checkArgumentSizes', () => {
  it.each([
    ['127 KiB', 127 * 1024],
    ['the largest', 131_071],
    ['one byte more', 131_072],
    ['200 KiB', 200 * 1024],
  ])('decides on one argument or variable as the system does: %s', (_, sizeBytes) => {
    const arg = 'x'.repeat(sizeBytes);
    expect(isAccepted([arg])).toBe(canSpawn([arg]));
    const value = 'x'.repeat(sizeBytes - 'V='.length);
    expect(isAccepted([], { V: value })).toBe(canSpawn([], { V: value }));
  });

  it('counts bytes, not characters', () => {
    expect(isAccepted(['é'.repeat(65_535)])).toBe(true);
    expect(isAccepted(['é'.repeat(65_536)])).toBe(false);
  });

  it('refuses at most 16 KiB before the system would, when all are too large together', () => {
    const args = (count: number): string[] => Array.from({ length: count }, () => 'x'.repeat(4000));
    let count = 1;
    let refused = 4096;
    while (refused - count > 1) {
      const middle = Math.floor((count + refused) / 2);
      if (canSpawn(args(middle))) count = middle;
      else refused = middle;
    }
    expect(isAccepted(args(count + 1))).toBe(false);
    expect(isAccepted(args(count - 4))).toBe(true);
  });

  it.each([
    [
      ['build', '--build-arg', `NOTES=${'s3cret'.repeat(40_000)}`],
      'Argument "--build-arg NOTES=…" is 240006 bytes: expected fewer than 131072, the system\'s limit for one argument. Pass it as a file or a secret.',
    ],
    [
      ['build', `--label=${'x'.repeat(200_000)}`],
      'Argument "--label=…" is 200008 bytes: expected fewer than 131072, the system\'s limit for one argument. Pass it as a file or a secret.',
    ],
    [
      ['build', 'x'.repeat(200_000)],
      "Argument 2 of 2 is 200000 bytes: expected fewer than 131072, the system's limit for one argument. Pass it as a file or a secret.",
    ],
    [['build', '--tag', 'a\0b'], 'Argument "--tag …" has a NUL byte: expected text without one. Remove it.'],
  ])('names the argument, never its value', (args, message) => {
    expect(() => checkArgumentSizes(args, {})).toThrow(message);
  });

  it('names a variable that is too large', () => {
    expect(() => checkArgumentSizes([], { BIG: 'x'.repeat(200_000) })).toThrow(
      'Environment variable "BIG" is 200004 bytes: expected fewer than 131072',
    );
  });
});

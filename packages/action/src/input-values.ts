import { parse } from 'csv-parse/sync';
import { distance } from 'fastest-levenshtein';
import { InputError } from './errors.ts';

const MAX_QUOTED_CHARACTERS = 60;

/** Control characters JSON leaves as they are, and those that reorder a line on screen. */
const INVISIBLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A value as one line for a message: quoted, cut at 60 characters, what can't be seen written as an escape. */
export function quoteValue(value: string): string {
  const quoted = JSON.stringify(value.slice(0, MAX_QUOTED_CHARACTERS)).replace(
    INVISIBLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const isWhole = value.length <= MAX_QUOTED_CHARACTERS && quoted.length <= MAX_QUOTED_CHARACTERS + 2;
  return isWhole ? quoted : `${quoted.slice(0, MAX_QUOTED_CHARACTERS - 3)}..."`;
}

/** The candidate nearest to what was written, if it is near enough to be what was meant. */
export function findNearest(value: string, candidates: readonly string[]): string | undefined {
  // The distance costs length × length; no candidate is near a value of this length.
  if (value.length > 64) return undefined;
  const written = value.toLowerCase();
  const ranked = candidates
    .map((candidate) => ({ candidate, far: stepsBetween(written, candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best !== undefined && best.far <= Math.ceil(best.candidate.length / 3) ? best.candidate : undefined;
}

/** The edit distance, where letters in another order, `gah` for `gha`, are one step. */
function stepsBetween(written: string, candidate: string): number {
  const sorted = (text: string) => [...text].sort().join('');
  return sorted(written) === sorted(candidate) ? 1 : distance(written, candidate);
}

function wrongValue(input: string, value: string, accepted: string, nearest?: string): InputError {
  const hint = nearest === undefined ? '' : ` Did you mean ${nearest}?`;
  return new InputError(`Input "${input}" is ${quoteValue(value)}: expected ${accepted}.${hint}`);
}

/**
 * A boolean of the YAML 1.2 core schema, as `core.getBooleanInput` reads it.
 *
 * @throws {InputError} The value is anything else, `yes` and `1` included.
 * @see https://yaml.org/spec/1.2.2/#1032-tag-resolution
 */
export function parseBoolean(input: string, value: string): boolean {
  if (/^(true|True|TRUE)$/.test(value)) return true;
  if (/^(false|False|FALSE)$/.test(value)) return false;
  const yes = /^(1|y|yes|on)$/i.test(value) ? '"true"' : undefined;
  const no = /^(0|n|no|off)$/i.test(value) ? '"false"' : undefined;
  const near = findNearest(value, ['true', 'false']);
  throw wrongValue(input, value, '"true" or "false"', yes ?? no ?? (near && `"${near}"`));
}

/** One of a fixed set of words. @throws {InputError} It is none of them. */
export function parseChoice<const T extends string>(input: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const near = findNearest(value, choices);
  throw wrongValue(input, value, `one of ${choices.map((c) => `"${c}"`).join(', ')}`, near && `"${near}"`);
}

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * A length of time: `0`, `90s`, `10m`, `24h`, `7d`, `1.5h`.
 *
 * @returns Whole milliseconds.
 * @throws {InputError} It is anything else.
 */
export function parseDuration(input: string, value: string): number {
  if (value === '0') return 0;
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(value);
  if (match === null) {
    const bare = /^\d+(\.\d+)?$/.test(value) ? `"${value}s"` : undefined;
    throw wrongValue(input, value, 'a time such as 0, 90s, 10m, 24h or 7d', bare);
  }
  return Math.round(Number(match[1]) * MS_PER_UNIT[match[2] as keyof typeof MS_PER_UNIT]);
}

const BYTES_PER_UNIT = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
} as const;

/**
 * A size: `800MB`, `1.2GB` (decimal, as registries count) or `1GiB` (binary).
 *
 * @returns Whole bytes.
 * @throws {InputError} It is anything else.
 */
export function parseSize(input: string, value: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?([KMGT]i?B|B)$/i.exec(value);
  if (match === null) {
    throw wrongValue(input, value, 'a size such as 800MB, 1.2GB or 1GiB');
  }
  const unit = (match[2] ?? 'B').toLowerCase() as keyof typeof BYTES_PER_UNIT;
  return Math.round(Number(match[1]) * BYTES_PER_UNIT[unit]);
}

/**
 * How a list input is split, in the terms of `docker/build-push-action`:
 * `list` at new lines and commas; `lines` at new lines only; `raw-lines` as lines with quotes left in place;
 * `secret-lines` as lines that keep their surrounding white space.
 */
export type ListKind = 'list' | 'lines' | 'raw-lines' | 'secret-lines';

/**
 * A list, read as CSV exactly as `docker/build-push-action` reads it (the same library, the same options):
 * a value quoted as CSV may hold commas and new lines; empty items are dropped; `#` starts no comment.
 *
 * @throws {InputError} A quote is never closed. The value is not repeated: it may be a secret.
 */
export function parseList(input: string, value: string, kind: ListKind): readonly string[] {
  if (value === '') return [];
  const keepsCommas = kind !== 'list';
  const items = readRecords(input, value, kind === 'raw-lines').flatMap((record) => {
    if (record.length === 1 && !keepsCommas) return (record[0] ?? '').split(',');
    return keepsCommas ? [record.join(',')] : record;
  });
  const filled = items.filter((item) => item !== '');
  return kind === 'secret-lines' ? filled : filled.map((item) => item.trim());
}

function readRecords(input: string, value: string, areQuotesPlain: boolean): string[][] {
  try {
    return parse(value, {
      columns: false,
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      ...(areQuotesPlain ? { quote: false } : {}),
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const line = 'lines' in error ? ` that starts in line ${String(error.lines)}` : '';
    throw new InputError(
      `Input "${input}" has a quoted value${line} that does not end: expected a closing ". Double a quote inside a quoted value.`,
      { cause: error },
    );
  }
}

/** The fields of one CSV line, `type=registry,"ref=a,b"` ▶ `['type=registry', 'ref=a,b']`. */
export function parseFields(input: string, line: string): readonly string[] {
  return readRecords(input, line, false)[0] ?? [];
}

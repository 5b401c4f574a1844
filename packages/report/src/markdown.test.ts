import { describe, expect, it } from 'vitest';
import { code, escapeText, renderBar, renderTable } from './markdown.ts';
import { formatBytes, formatDuration, formatShare } from './quantities.ts';

describe('escapeText', () => {
  // CommonMark 0.31: any ASCII punctuation may be escaped by a backslash; HTML needs entities.
  it.each([
    ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert\\(1\\)&gt;'],
    ['[click](https://evil.example)', '\\[click\\]\\(https&#58;//evil.example\\)'],
    ['![x](y)', '\\!\\[x\\]\\(y\\)'],
    ['a | b', 'a \\| b'],
    ['one\n# two\r\n::error::x', 'one \\# two ::error::x'],
    ['@octocat', '&#64;octocat'],
    ['feat/\u202egnp.exe', 'feat/ gnp.exe'],
  ])('makes %j plain', (text, expected) => {
    expect(escapeText(text)).toBe(expected);
  });

  it('cuts by characters, not in the middle of one', () => {
    expect(escapeText('😀'.repeat(10), 4)).toBe('😀😀😀…');
  });
});

describe('code', () => {
  // CommonMark 0.31, section 6.1: a fence longer than any run inside; blanks keep a leading backtick apart.
  it.each([
    ['RUN npm ci', '`RUN npm ci`'],
    ['a`b', '`` a`b ``'],
    ['``', '``` `` ```'],
    ['a|b', '`a\\|b`'],
    ['line\nbreak', '`line break`'],
    ['', ''],
  ])('quotes %j', (text, expected) => {
    expect(code(text)).toBe(expected);
  });
});

describe('renderTable', () => {
  it('renders a GitHub table', () => {
    expect(renderTable([{ title: 'Step' }, { title: 'Time', align: 'right' }], [['a', '1 s']])).toBe(
      '| Step | Time |\n| --- | ---: |\n| a | 1 s |',
    );
  });
});

describe('renderBar', () => {
  it.each([
    [0, ''],
    [0.5, '████'],
    [1, '████████'],
    [1 / 64, '▏'],
    [7, '████████'],
    [-1, ''],
  ])('draws %d of the whole', (share, bar) => {
    expect(renderBar(share, 8)).toBe(bar);
  });
});

describe('quantities', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1234, '1.23 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [245_000_000, '245 MB'],
    [1_130_000_000, '1.13 GB'],
  ])('writes %d bytes', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
  it.each([
    [0.4, '0 ms'],
    [840, '840 ms'],
    [999.6, '1.00 s'],
    [12_340, '12.3 s'],
    [59_960, '1 min 00 s'],
    [245_000, '4 min 05 s'],
    [7_380_000, '2 h 03 min'],
  ])('writes %d ms', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
  it.each([
    [1, 4, '25 %'],
    [1, 1000, '<1 %'],
    [0, 10, '0 %'],
    [1, 0, '0 %'],
  ])('writes %d of %d', (part, whole, text) => {
    expect(formatShare(part, whole)).toBe(text);
  });
});

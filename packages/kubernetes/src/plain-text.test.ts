import { describe, expect, it } from 'vitest';
import { quoteList, toOneLine, withoutSecrets } from './plain-text.ts';

describe('toOneLine', () => {
  it.each([
    ['a\n::error::b', 'a ::error::b'],
    ['\u001b[31mred\u001b[0m\r\n', '[31mred [0m'],
    ['a\u2028b\u200fc', 'a b c'],
    ['x'.repeat(20), 'xxxxxxxxx…'],
  ])('%j becomes %j', (text, expected) => {
    expect(toOneLine(text, expected.endsWith('…') ? 10 : 100)).toBe(expected);
  });
});

describe('withoutSecrets', () => {
  const token = `eyJhbGciOiJSUzI1NiJ9.${'a'.repeat(20)}.${'b'.repeat(20)}`;
  it.each([
    ['a known one', 'token s3cr3t is bad', 'token *** is bad'],
    ['a JSON web token', `got ${token}, sorry`, 'got ***, sorry'],
    ['a header', 'Authorization: Bearer abcdefghijklmnopqrst', 'Authorization: Bearer ***'],
    ['a password in a URL', 'GET https://me:pass@host/x', 'GET https://***@host/x'],
  ])('takes out %s', (_, text, expected) => {
    expect(withoutSecrets(text, ['s3cr3t', 'x'])).toBe(expected);
  });

  it('leaves words that only remind of them', () => {
    const text = 'Basic authentication needs a bearer token, see https://host/a@b';
    expect(withoutSecrets(text, ['x'])).toBe(text);
  });
});

describe('quoteList', () => {
  it('names the first and counts the rest', () => {
    expect([quoteList([], 2), quoteList(['a', 'b'], 2), quoteList(['a', 'b', 'c'], 2)]).toEqual([
      '',
      '"a", "b"',
      '"a", "b" and 1 more',
    ]);
  });
});

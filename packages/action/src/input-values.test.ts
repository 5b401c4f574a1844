import { describe, expect, it } from 'vitest';
import { InputError } from './errors.ts';
import {
  findNearest,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseList,
  parseSize,
  quoteValue,
} from './input-values.ts';

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}

describe('parseBoolean', () => {
  // YAML 1.2.2, section 10.3.2: tag:yaml.org,2002:bool.
  it.each(['true', 'True', 'TRUE'])('takes %s as true', (text) => {
    expect(parseBoolean('push', text)).toBe(true);
  });
  it.each(['false', 'False', 'FALSE'])('takes %s as false', (text) => {
    expect(parseBoolean('push', text)).toBe(false);
  });
  it.each([
    ['yes', 'Input "push" is "yes": expected "true" or "false". Did you mean "true"?'],
    ['0', 'Input "push" is "0": expected "true" or "false". Did you mean "false"?'],
    ['ture', 'Input "push" is "ture": expected "true" or "false". Did you mean "true"?'],
    ['maybe', 'Input "push" is "maybe": expected "true" or "false".'],
  ])('refuses %s', (text, message) => {
    expect(messageOf(() => parseBoolean('push', text))).toBe(message);
  });
});

describe('parseDuration', () => {
  // design.md, section 4: times are 0, 90s, 10m, 24h, 7d.
  it.each([
    ['0', 0],
    ['90s', 90_000],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
  ])('reads %s as %d ms', (text, ms) => {
    expect(parseDuration('max-age', text)).toBe(ms);
  });
  it.each([
    ['90', 'Input "max-age" is "90": expected a time such as 0, 90s, 10m, 24h or 7d. Did you mean "90s"?'],
    ['-1h', 'Input "max-age" is "-1h": expected a time such as 0, 90s, 10m, 24h or 7d.'],
    ['1h30m', 'Input "max-age" is "1h30m": expected a time such as 0, 90s, 10m, 24h or 7d.'],
    ['Infinityd', 'Input "max-age" is "Infinityd": expected a time such as 0, 90s, 10m, 24h or 7d.'],
  ])('refuses %s', (text, message) => {
    expect(messageOf(() => parseDuration('max-age', text))).toBe(message);
  });
});

describe('parseSize', () => {
  // SI (decimal) and IEC 80000-13 (binary) prefixes.
  it.each([
    ['1.2GB', 1_200_000_000],
    ['800MB', 800_000_000],
    ['1GiB', 1_073_741_824],
    ['64kb', 64_000],
    ['12 B', 12],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseSize('size-budget', text)).toBe(bytes);
  });
  it('refuses a number without a unit', () => {
    expect(messageOf(() => parseSize('size-budget', '800'))).toBe(
      'Input "size-budget" is "800": expected a size such as 800MB, 1.2GB or 1GiB.',
    );
  });
});

describe('parseList', () => {
  // The README of docker/build-push-action and the table of csv-parse's own documentation.
  it.each([
    { name: 'lines', text: 'a\nb\n\nc', kind: 'lines', items: ['a', 'b', 'c'] },
    { name: 'commas in a list', text: 'a,b\nc', kind: 'list', items: ['a', 'b', 'c'] },
    {
      name: 'commas kept in lines',
      text: 'type=gha,mode=max\nx',
      kind: 'lines',
      items: ['type=gha,mode=max', 'x'],
    },
    { name: 'CRLF', text: 'a\r\nb', kind: 'lines', items: ['a', 'b'] },
    {
      name: 'a quoted value with a new line',
      text: '"KEY=one\ntwo"\nB=1',
      kind: 'lines',
      items: ['KEY=one\ntwo', 'B=1'],
    },
    { name: 'a doubled quote', text: '"KEY=say ""hi"""', kind: 'lines', items: ['KEY=say "hi"'] },
    { name: 'a quote inside a value', text: 'KEY=say "hi"', kind: 'lines', items: ['KEY=say "hi"'] },
    {
      name: 'quotes left alone',
      text: 'type=image,"name=a,b"',
      kind: 'raw-lines',
      items: ['type=image,"name=a,b"'],
    },
    { name: '# as an ordinary character', text: '# a\nb # c', kind: 'lines', items: ['# a', 'b # c'] },
    { name: 'blanks trimmed', text: '  a  \n b ', kind: 'lines', items: ['a', 'b'] },
    { name: 'blanks of a secret kept', text: 'K= v ', kind: 'secret-lines', items: ['K= v '] },
    { name: 'nothing', text: '', kind: 'list', items: [] },
  ] as const)('reads $name', ({ text, kind, items }) => {
    expect(parseList('tags', text, kind)).toEqual(items);
  });

  it('names an open quote and repeats nothing of the value', () => {
    const message = messageOf(() => parseList('secrets', 'A=1\n"TOKEN=hunter2', 'secret-lines'));
    expect(message).toBe(
      'Input "secrets" has a quoted value that starts in line 2 that does not end: expected a closing ". Double a quote inside a quoted value.',
    );
  });
});

describe('quoteValue', () => {
  it.each([
    ['on one line', 'one\r\ntwo\t"three"', String.raw`"one\r\ntwo\t\"three\""`],
    ['with what reorders a line made visible', 'a\u202eb\u2066c', String.raw`"a\u202eb\u2066c"`],
    ['with control characters made visible', '\u001b[31m\u009b', String.raw`"\u001b[31m\u009b"`],
    ['whole up to 60 characters', 'x'.repeat(60), `"${'x'.repeat(60)}"`],
    ['cut above', 'x'.repeat(61), `"${'x'.repeat(56)}..."`],
    ['cut where escapes make it long', '\u0000'.repeat(40), `"${String.raw`\u0000`.repeat(9)}\\u..."`],
  ])('quotes a value %s', (_, value, quoted) => {
    expect(quoteValue(value)).toBe(quoted);
  });
});

describe('findNearest', () => {
  it('finds a slip of the finger', () => {
    expect(findNearest('cache-form', ['cache-from', 'cache-to', 'context'])).toBe('cache-from');
  });
  it('finds a short word whose letters changed places', () => {
    expect(findNearest('gah', ['registry', 'local', 'gha', 'inline', 's3'])).toBe('gha');
  });
  it('finds nothing near for another word', () => {
    expect(findNearest('kubernetes', ['cache-from', 'cache-to'])).toBeUndefined();
  });
  it('does not measure a text longer than any candidate could be meant by', () => {
    expect(findNearest('x'.repeat(100_000), ['xx'])).toBeUndefined();
  });
});

describe('parseChoice', () => {
  it('names the choices and the nearest', () => {
    expect(messageOf(() => parseChoice('cache', 'regisrty', ['auto', 'registry']))).toBe(
      'Input "cache" is "regisrty": expected one of "auto", "registry". Did you mean "registry"?',
    );
  });
});

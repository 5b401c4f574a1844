import { describe, expect, it } from 'vitest';
import { parseChallenges } from './challenge.ts';

function plain(header: string): unknown {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe('parseChallenges', () => {
  it.each([
    // The token specification's own example.
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:samalba/my-app:pull,push"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:samalba/my-app:pull,push',
          },
        ],
      ],
    ],
    // RFC 9110 section 11.6.1's example of two challenges in one field.
    [
      'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
      [
        ['basic', { realm: 'simple' }],
        ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
      ],
    ],
    ['Basic realm="a, Bearer realm=b"', [['basic', { realm: 'a, Bearer realm=b' }]]],
    ['BEARER Realm = "x" , SERVICE=y', [['bearer', { realm: 'x', service: 'y' }]]],
    ['Negotiate', [['negotiate', {}]]],
    [
      'Negotiate, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['Bearer realm="unclosed', [['bearer', {}]]],
    ['realm="no scheme"', []],
    ['', []],
  ])('%s', (header, expected) => {
    expect(plain(header)).toEqual(expected);
  });

  it.each([
    { what: 'letters', header: `Bearer ${'a'.repeat(1_000_000)}`, expected: ['bearer', 'a'.repeat(8185)] },
    { what: 'backslashes', header: `Bearer realm="${'\\'.repeat(1_000_000)}`, expected: ['bearer'] },
    { what: 'commas', header: `Bearer${' ,'.repeat(1_000_000)}`, expected: ['bearer'] },
  ])('looks at no more than 8 KiB of a megabyte of $what', ({ header, expected }) => {
    expect(parseChallenges(header).map(({ scheme }) => scheme)).toEqual(expected);
  });
});

import { describe, expect, it } from 'vitest';
import {
  InvalidReferenceError,
  identifierOf,
  isSameRepository,
  parseReference,
  renderFamiliar,
  renderReference,
  withDigest,
  withTag,
} from './reference.ts';

const HEX64 = '86e0e091d0da6bde2456dbb48306f3956bbeb2eae1b5b9a43045843f69fe4aaa';
const SHA256 = `sha256:${HEX64}` as const;
const SHA512 = `sha512:${HEX64}${HEX64}` as const;
const LONGEST_TAG = 'x'.repeat(128);
/** 255 characters, the most a repository may have. */
const LONGEST_PATH = `${'a/'.repeat(127)}a`;

// By hand from the grammar and the normalisation that distribution/reference documents in its package comment.
const GOOD: readonly (readonly [text: string, full: string, familiar: string])[] = [
  ['debian', 'docker.io/library/debian', 'debian'],
  ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
  [`debian@${SHA256}`, `docker.io/library/debian@${SHA256}`, `debian@${SHA256}`],
  [`debian:12@${SHA256}`, `docker.io/library/debian:12@${SHA256}`, `debian:12@${SHA256}`],
  [`debian@${SHA512}`, `docker.io/library/debian@${SHA512}`, `debian@${SHA512}`],
  ['library/debian', 'docker.io/library/debian', 'debian'],
  ['docker.io/debian', 'docker.io/library/debian', 'debian'],
  ['docker.io/library/debian', 'docker.io/library/debian', 'debian'],
  ['index.docker.io/debian', 'docker.io/library/debian', 'debian'],
  ['index.docker.io/team/app', 'docker.io/team/app', 'team/app'],
  ['team/app', 'docker.io/team/app', 'team/app'],
  ['team/sub/app:1', 'docker.io/team/sub/app:1', 'team/sub/app:1'],
  ['library/foo/bar', 'docker.io/library/foo/bar', 'library/foo/bar'],
  ['under_score/app', 'docker.io/under_score/app', 'under_score/app'],
  ['registry:5000', 'docker.io/library/registry:5000', 'registry:5000'],
  ['example.com', 'docker.io/library/example.com', 'example.com'],
  ['example.com:443', 'docker.io/library/example.com:443', 'example.com:443'],
  ['ghcr.io/team/app', 'ghcr.io/team/app', 'ghcr.io/team/app'],
  ['ghcr.io/app', 'ghcr.io/app', 'ghcr.io/app'],
  ['example.com:8080/app:1', 'example.com:8080/app:1', 'example.com:8080/app:1'],
  ['registry:5000/app', 'registry:5000/app', 'registry:5000/app'],
  ['localhost/app', 'localhost/app', 'localhost/app'],
  ['localhost:5000/app', 'localhost:5000/app', 'localhost:5000/app'],
  ['127.0.0.1:5000/team/app:1', '127.0.0.1:5000/team/app:1', '127.0.0.1:5000/team/app:1'],
  ['[::1]/app', '[::1]/app', '[::1]/app'],
  ['[2001:db8::1]:5000/app:1', '[2001:db8::1]:5000/app:1', '[2001:db8::1]:5000/app:1'],
  ['Registry/app', 'Registry/app', 'Registry/app'],
  ['xn--n3h.com/app:xn--n3h.com', 'xn--n3h.com/app:xn--n3h.com', 'xn--n3h.com/app:xn--n3h.com'],
  ['a.b/c.d/e-f/g_h/i__j/k---l', 'a.b/c.d/e-f/g_h/i__j/k---l', 'a.b/c.d/e-f/g_h/i__j/k---l'],
  ['app:_1', 'docker.io/library/app:_1', 'app:_1'],
  ['app:A.B-c_d', 'docker.io/library/app:A.B-c_d', 'app:A.B-c_d'],
  [`app:${LONGEST_TAG}`, `docker.io/library/app:${LONGEST_TAG}`, `app:${LONGEST_TAG}`],
  [`x.y/${LONGEST_PATH}:1`, `x.y/${LONGEST_PATH}:1`, `x.y/${LONGEST_PATH}:1`],
  [`docker.io/${HEX64}`, `docker.io/library/${HEX64}`, HEX64],
];

const NAME = 'expected [host/]repository[:tag][@digest]';
const BAD: readonly (readonly [text: string, message: string])[] = [
  ['', `Reference "" is empty: ${NAME}. Write a name such as "team/app:1".`],
  [
    'Team/App:1',
    'Reference "Team/App:1" has upper case in its repository "App": expected lower case. Write "app".',
  ],
  [
    'App',
    'Reference "App" has upper case in its repository "library/App": expected lower case. Write "library/app".',
  ],
  [
    'https://ghcr.io/team/app',
    `Reference "https://ghcr.io/team/app" starts with a scheme: ${NAME}. Leave out "http://" or "https://".`,
  ],
  [
    'team/app:1 ',
    `Reference "team/app:1" holds a blank, a control character or a letter outside ASCII: ${NAME}. Write one reference, in ASCII.`,
  ],
  [
    'app:1\n::error::x',
    `Reference "app:1 ::error::x" holds a blank, a control character or a letter outside ASCII: ${NAME}. Write one reference, in ASCII.`,
  ],
  [
    HEX64,
    `Reference "${HEX64.slice(0, 39)}…" is an image id: ${NAME}. Name a repository; an id goes after "@sha256:".`,
  ],
  [':1', `Reference ":1" names no repository: ${NAME}. Write a name such as "team/app:1".`],
  ['ghcr.io/', `Reference "ghcr.io/" names no repository: ${NAME}. Write a name such as "team/app:1".`],
  [
    `@${SHA256}`,
    `Reference "@${SHA256.slice(0, 38)}…" names no repository: ${NAME}. Write a name such as "team/app:1".`,
  ],
  [
    'app:',
    'Reference "app:" has the tag "": expected letters, digits, "_", ".", "-", not starting with "." or "-". Correct it.',
  ],
  [
    'app:-1',
    'Reference "app:-1" has the tag "-1": expected letters, digits, "_", ".", "-", not starting with "." or "-". Correct it.',
  ],
  [
    'app:a+b',
    'Reference "app:a+b" has the tag "a+b": expected letters, digits, "_", ".", "-", not starting with "." or "-". Correct it.',
  ],
  [
    `app:${LONGEST_TAG}x`,
    `Reference "app:${'x'.repeat(35)}…" has a tag of 129 characters, expected at most 128. Shorten it.`,
  ],
  [
    `x.y/a/${LONGEST_PATH}`,
    `Reference "x.y/${'a/'.repeat(17)}a…" has a repository of 257 characters, expected at most 255. Shorten it.`,
  ],
  [
    'app@sha256:abc',
    'Reference "app@sha256:abc" has a digest that has 3 hex digits where sha256 has 64: expected "sha256:" and 64 lower-case hex digits. Correct what stands after "@".',
  ],
  [
    'app@md5:abc',
    'Reference "app@md5:abc" has a digest that has an unknown algorithm: expected "sha256:" and 64 lower-case hex digits. Correct what stands after "@".',
  ],
  [
    'app@latest',
    'Reference "app@latest" has a digest that has no algorithm before it: expected "sha256:" and 64 lower-case hex digits. Correct what stands after "@".',
  ],
  [
    'a_b.com/app',
    'Reference "a_b.com/app" has the host "a_b.com": expected a host name or address, with a port of at most 65535. Correct what stands before the first "/".',
  ],
  [
    'ghcr.io:70000/app',
    'Reference "ghcr.io:70000/app" has the host "ghcr.io:70000": expected a host name or address, with a port of at most 65535. Correct what stands before the first "/".',
  ],
  [
    'team//app',
    'Reference "team//app" has the repository "team//app": expected a-z and 0-9 with single ".", "_", "__" or "-" between. Correct it.',
  ],
];

// Refused, too, by that grammar; what is said about them is in the list above.
const ALSO_BAD = [
  '-app',
  'app-',
  '_app',
  'team/-app',
  'a..b',
  'a._b',
  'a___b',
  'docker/',
  '/app',
  'team/app/',
  'ghcr.io//app',
  '[::1]',
  '[::1]:5000',
  '[fe80::1%eth0]:5000/app',
  'fc00::1:5000/app',
  '-a.com/app',
  'a-.com/app',
  'a.com:/app',
  'a.com:x/app',
  'app:a:b',
  'app:a/b',
  'app@',
  `app@${SHA256.toUpperCase()}`,
  `app@${SHA256}0`,
  `app@${SHA256}@${SHA256}`,
  `app@${SHA256}:1`,
  'aa/asdf$$^/aa',
  'app/../x',
  '../x',
  'app?x',
  'app#x',
  'a%2fb',
  'über',
  '$(id)',
  '`id`',
  "'app'",
];

describe('parseReference', () => {
  it.each(GOOD)('reads %s', (text, full, familiar) => {
    const reference = parseReference(text);
    expect({ full: renderReference(reference), familiar: renderFamiliar(reference) }).toEqual({
      full,
      familiar,
    });
    expect(parseReference(full)).toEqual(reference);
    expect(parseReference(familiar === HEX64 ? full : familiar)).toEqual(reference);
  });

  it('takes a reference apart', () => {
    expect(parseReference(`localhost:5000/team/app:1@${SHA256}`)).toEqual({
      host: 'localhost:5000',
      repository: 'team/app',
      tag: '1',
      digest: SHA256,
    });
    expect(parseReference('debian')).toEqual({ host: 'docker.io', repository: 'library/debian' });
  });

  it.each(BAD)('says what is wrong with %j', (text, message) => {
    expect(messageOf(text)).toBe(message);
  });

  it.each(ALSO_BAD)('refuses %s in at most 200 characters', (text) => {
    expect(messageOf(text)).toMatch(/^Reference ".{1,41}" .{1,157}\.$/);
  });

  it('refuses a megabyte at once, without showing it', () => {
    expect(messageOf('a-'.repeat(500_000))).toBe(
      `Reference "${'a-'.repeat(19)}a…" has 1000000 characters, expected at most 800. Shorten it.`,
    );
  });

  it('gives what is wrong in parts, for a sentence about an input', () => {
    const error = errorOf('App');
    expect([error.problem, error.fix]).toEqual([
      'has upper case in its repository "library/App": expected lower case',
      'Write "library/app".',
    ]);
  });
});

describe('a reference', () => {
  const reference = parseReference(`ghcr.io/team/app:1@${SHA256}`);

  it('is asked for by digest, else by tag, else as latest', () => {
    expect(
      [reference, withTag(reference, '2'), withDigest(reference, SHA256), parseReference('debian')].map(
        identifierOf,
      ),
    ).toEqual([SHA256, '2', SHA256, 'latest']);
  });

  it('gets another tag or digest in place of both', () => {
    expect(withTag(reference, '2')).toEqual(parseReference('ghcr.io/team/app:2'));
    expect(withDigest(reference, SHA256)).toEqual(parseReference(`ghcr.io/team/app@${SHA256}`));
    expect(() => withTag(reference, 'a b')).toThrow(
      'Reference "ghcr.io/team/app:a b" has the tag "a b": expected letters',
    );
  });

  it('shares its repository with another tag of it only', () => {
    const others = ['ghcr.io/team/app', 'ghcr.io/team/app2:1', 'team/app:1'].map(parseReference);
    expect(others.map((other) => isSameRepository(reference, other))).toEqual([true, false, false]);
  });
});

function errorOf(text: string): InvalidReferenceError {
  try {
    parseReference(text);
  } catch (error) {
    if (error instanceof InvalidReferenceError) return error;
    throw error;
  }
  throw new Error(`"${text}" was accepted.`);
}

function messageOf(text: string): string {
  return errorOf(text).message;
}

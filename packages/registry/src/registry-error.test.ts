import { describe, expect, it } from 'vitest';
import { createAnswerError, type FailedAnswer } from './registry-error.ts';

function messageOf(answer: Partial<FailedAnswer> & { readonly text?: string }): string {
  return createAnswerError({
    host: 'ghcr.io',
    operation: 'PUT manifest team/app:1',
    status: 403,
    body: new TextEncoder().encode(answer.text ?? ''),
    isLoggedIn: true,
    secrets: [],
    ...answer,
  }).message;
}

/** The error body of the distribution specification. */
const errorBody = (code: string, message: string): string =>
  JSON.stringify({ errors: [{ code, message, detail: {} }] });

describe('createAnswerError', () => {
  it.each([
    [
      { text: errorBody('DENIED', 'permission_denied: The token provided does not match expected scopes.') },
      'ghcr.io answered 403 DENIED to PUT manifest team/app:1: permission_denied: The token provided does not match expected scopes. Give the job "packages: write".',
    ],
    [
      { operation: 'GET manifest team/app:1' },
      'ghcr.io answered 403 to GET manifest team/app:1. Give the job "packages: read".',
    ],
    [
      { operation: 'GET token for repository:team/app:pull,push' },
      'ghcr.io answered 403 to GET token for repository:team/app:pull,push. Give the job "packages: write".',
    ],
    [
      { host: 'registry.example' },
      'registry.example answered 403 to PUT manifest team/app:1. Log in as a user who may write there.',
    ],
    [
      { isLoggedIn: false },
      'ghcr.io answered 403 to PUT manifest team/app:1. Log in with docker/login-action before this step.',
    ],
    [
      {
        status: 429,
        isLoggedIn: false,
        text: errorBody('TOOMANYREQUESTS', 'You have reached your pull rate limit.'),
      },
      'ghcr.io answered 429 TOOMANYREQUESTS to PUT manifest team/app:1: You have reached your pull rate limit. Try again later, or log in to have a higher limit.',
    ],
    [
      { status: 413 },
      'ghcr.io answered 413 to PUT manifest team/app:1. Make it smaller, or raise the limit of the proxy before the registry.',
    ],
    [
      { status: 502, text: '<html>Bad gateway</html>' },
      'ghcr.io answered 502 to PUT manifest team/app:1. Try again later.',
    ],
    [
      { status: 503, answeredBy: 'bucket.example' },
      'ghcr.io answered 503 to PUT manifest team/app:1 (from bucket.example, after a redirect). Try again later.',
    ],
    [
      {
        secrets: ['hunter2'],
        text: errorBody('DENIED', 'hunter2 at https://ann:hunter2@x.y/z?X-Sig=abc is no good'),
      },
      'ghcr.io answered 403 DENIED to PUT manifest team/app:1: *** at https://x.y/z?… is no good. Give the job "packages: write".',
    ],
    [
      { text: errorBody('no code', '') },
      'ghcr.io answered 403 to PUT manifest team/app:1. Give the job "packages: write".',
    ],
    [
      { text: '{"errors":"x"}' },
      'ghcr.io answered 403 to PUT manifest team/app:1. Give the job "packages: write".',
    ],
  ])('%j', (answer, message) => {
    expect(messageOf(answer)).toBe(message);
  });

  it('keeps what to do at the end of 200 characters, whatever is long', () => {
    const message = messageOf({
      operation: `PUT manifest ${'team/'.repeat(40)}app:release-1`,
      text: errorBody('DENIED', 'x'.repeat(100_000)),
    });
    expect(message).toMatch(
      /^ghcr\.io answered 403 DENIED to PUT manifest team.*app:release-1: x+…\. Give the job "packages: write"\.$/,
    );
    expect(message.length).toBeLessThanOrEqual(200);
  });

  it.each([
    [429, true],
    [500, true],
    [503, true],
    [408, true],
    [401, false],
    [403, false],
    [404, false],
  ])('%i is temporary: %s', (status, isTemporary) => {
    const answer = {
      host: 'a.io',
      operation: 'GET x',
      status,
      body: new Uint8Array(),
      isLoggedIn: false,
      secrets: [],
    };
    expect(createAnswerError(answer)).toMatchObject({
      isTemporary,
      status,
      host: 'a.io',
      operation: 'GET x',
      system: 'registry',
    });
  });
});

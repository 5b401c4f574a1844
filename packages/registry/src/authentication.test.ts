import { describe, expect, it } from 'vitest';
import {
  type LocalAnswer,
  type LocalServer,
  type ReceivedRequest,
  startLocalServer,
} from '../../../test/harness/local-server.ts';
import { parseReference } from './reference.ts';
import { createRegistry, type Registry } from './registry.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const basic = (login: string): string => `Basic ${Buffer.from(login).toString('base64')}`;
const query = (request: ReceivedRequest | undefined): URLSearchParams =>
  new URL(request?.path ?? '', 'http://x').searchParams;

/** A registry that lets in whom `isWelcome` says, and else answers with this challenge. */
async function startRegistry(
  challenge: string | undefined,
  isWelcome: (authorization: string | undefined) => boolean,
): Promise<LocalServer> {
  return startLocalServer(({ headers }) =>
    isWelcome(headers.authorization)
      ? { status: 200, headers: { 'docker-content-digest': DIGEST } }
      : {
          status: 401,
          ...(challenge === undefined ? {} : { headers: { 'www-authenticate': challenge } }),
          body: '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
        },
  );
}

function createClient(host: string, login?: object, now?: () => number): Registry {
  const env = login === undefined ? {} : { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [host]: login } }) };
  return createRegistry({
    env: { DOCKER_CONFIG: '/nonexistent', ...env },
    sleep: async () => undefined,
    ...(now === undefined ? {} : { now }),
  });
}

function token(body: object | string, status = 200): LocalAnswer {
  return { status, body: typeof body === 'string' ? body : JSON.stringify(body) };
}

const ANN = { auth: Buffer.from('ann:pw-s3cret').toString('base64') };

describe('a registry that wants nothing', () => {
  it('is asked once, without a login', async () => {
    await using server = await startRegistry(undefined, () => true);
    expect(
      await createClient(server.host, ANN).resolveDigest(parseReference(`${server.host}/team/app:1`)),
    ).toBe(DIGEST);
    expect(server.requests.map(({ method, path, headers }) => [method, path, headers.authorization])).toEqual(
      [['HEAD', '/v2/team/app/manifests/1', undefined]],
    );
  });
});

describe('a registry that wants a password', () => {
  it('gets it, and from then on with every call', async () => {
    await using server = await startRegistry('Basic realm="x"', (sent) => sent === basic('ann:pw-s3cret'));
    const client = createClient(server.host, ANN);
    const reference = parseReference(`${server.host}/team/app:1`);
    expect([await client.resolveDigest(reference), await client.resolveDigest(reference)]).toEqual([
      DIGEST,
      DIGEST,
    ]);
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    [undefined, 'Log in with docker/login-action before this step.', 1],
    [ANN, 'Check the user name and password that docker/login-action gets.', 2],
  ])('refuses another (%j)', async (login, fix, calls) => {
    await using server = await startRegistry('Basic realm="x"', () => false);
    const { host } = server;
    const error = await createClient(host, login)
      .readManifest(parseReference(`${host}/team/app:1`))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      message: `${host} answered 401 UNAUTHORIZED to GET manifest team/app:1: authentication required. ${fix}`,
      status: 401,
      code: 'UNAUTHORIZED',
      isTemporary: false,
    });
    expect(server.requests).toHaveLength(calls);
  });
});

describe('a registry that wants a token', () => {
  async function startPair(
    answer: (request: ReceivedRequest) => LocalAnswer,
    scope = 'repository:team/app:pull',
  ) {
    const service = await startLocalServer(answer);
    const challenge = `Bearer realm="http://${service.host}/token?account=x",service="reg",scope="${scope}"`;
    const server = await startRegistry(challenge, (sent) => sent?.startsWith('Bearer good') === true);
    return {
      service,
      server,
      reference: parseReference(`${server.host}/team/app:1`),
      async [Symbol.asyncDispose]() {
        await Promise.all([service[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
      },
    };
  }

  it('gets one for an anonymous caller, used until it expires', async () => {
    let now = 0;
    await using pair = await startPair(() => token({ token: 'good', expires_in: 300 }));
    const client = createClient(pair.server.host, undefined, () => now);
    for (const at of [0, 289_000, 291_000]) {
      now = at;
      expect(await client.resolveDigest(pair.reference)).toBe(DIGEST);
    }
    expect(pair.service.requests).toHaveLength(2);
    const [first] = pair.service.requests;
    expect([first?.method, first?.headers.authorization, Object.fromEntries(query(first))]).toEqual([
      'GET',
      undefined,
      { account: 'x', service: 'reg', scope: 'repository:team/app:pull' },
    ]);
  });

  it('gets one for a password, which only the token service sees', async () => {
    await using pair = await startPair(() => token({ access_token: 'good' }));
    await createClient(pair.server.host, ANN).resolveDigest(pair.reference);
    expect(pair.service.requests.map(({ headers }) => headers.authorization)).toEqual([
      basic('ann:pw-s3cret'),
    ]);
    expect(query(pair.service.requests[0]).get('account')).toBe('ann');
    expect(pair.server.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      'Bearer good',
    ]);
  });

  it('gets one for an identity token, by POST', async () => {
    await using pair = await startPair(() => token({ access_token: 'good' }));
    await createClient(pair.server.host, { identitytoken: 'refresh-me' }).resolveDigest(pair.reference);
    const [request] = pair.service.requests;
    expect([request?.method, request?.path, request?.headers['content-type']]).toEqual([
      'POST',
      '/token?account=x',
      'application/x-www-form-urlencoded',
    ]);
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'sophia-actions',
      service: 'reg',
      scope: 'repository:team/app:pull',
      refresh_token: 'refresh-me',
    });
  });

  it('gets a registry token as it is', async () => {
    await using pair = await startPair(() => token({}, 500));
    await createClient(pair.server.host, { registrytoken: 'good-as-it-is' }).resolveDigest(pair.reference);
    expect([pair.service.requests.length, pair.server.requests[1]?.headers.authorization]).toEqual([
      0,
      'Bearer good-as-it-is',
    ]);
  });

  it('is asked for one token by many calls at once', async () => {
    await using pair = await startPair(() => token({ token: 'good' }));
    const client = createClient(pair.server.host);
    await Promise.all(Array.from({ length: 8 }, () => client.resolveDigest(pair.reference)));
    expect(pair.service.requests).toHaveLength(1);
  });

  it('is asked for more rights to write, and the challenge is heeded', async () => {
    await using pair = await startPair(
      () => token({ token: 'good' }),
      'repository:team/app:push,delete registry:catalog:*',
    );
    await createClient(pair.server.host).deleteManifest(pair.reference);
    expect(query(pair.service.requests[0]).getAll('scope')).toEqual([
      'registry:catalog:*',
      'repository:team/app:delete,pull,push',
    ]);
  });

  it('is asked for a new token when it refuses one', async () => {
    let issued = 0;
    await using service = await startLocalServer(() => {
      issued += 1;
      return token({ token: `t${issued}` });
    });
    await using server = await startRegistry(
      `Bearer realm="http://${service.host}/",service="r"`,
      (sent) => sent === `Bearer t${issued}`,
    );
    const client = createClient(server.host);
    const reference = parseReference(`${server.host}/team/app:1`);
    await client.resolveDigest(reference);
    issued += 1;
    expect(await client.resolveDigest(reference)).toBe(DIGEST);
    expect(service.requests).toHaveLength(2);
  });

  it.each([
    [
      'refuses the password',
      token({ details: 'incorrect username or password' }, 401),
      'HOST answered 401 to GET token for repository:team/app:pull: incorrect username or password. Check the user name and password that docker/login-action gets.',
    ],
    [
      'repeats the password',
      token(
        { errors: [{ code: 'DENIED', message: 'pw-s3cret is wrong, see https://a.b/?token=abcdef' }] },
        403,
      ),
      'HOST answered 403 DENIED to GET token for repository:team/app:pull: *** is wrong, see https://a.b/?…. Log in as a user who may read there.',
    ],
    [
      'answers with a page',
      token('<html>', 200),
      "HOST's token service answered GET token for repository:team/app:pull without a token. Check the address of its token service.",
    ],
    [
      'gives an empty token',
      token({ token: '' }),
      "HOST's token service answered GET token for repository:team/app:pull without a token. Check the address of its token service.",
    ],
    [
      'gives a token that would break the header',
      token({ token: 'a\r\nX-Evil: 1' }),
      'The token for HOST holds blanks or control characters, expected none. Log in again with docker/login-action.',
    ],
    [
      'is down',
      token('', 503),
      'HOST answered 503 to GET token for repository:team/app:pull. Try again later.',
    ],
  ])('says so when its token service %s', async (_, answer, message) => {
    await using pair = await startPair(() => answer);
    const { host } = pair.server;
    const error = await createClient(host, ANN)
      .resolveDigest(pair.reference)
      .catch((reason: unknown) => reason);
    expect(String(error)).toBe(`RegistryError: ${message.replaceAll('HOST', host)}`);
  });
});

describe('a challenge that can not be met', () => {
  it.each([
    [undefined, 'without saying how to log in'],
    ['Negotiate', 'asking for "negotiate"'],
  ])('%s', async (challenge, words) => {
    await using server = await startRegistry(challenge, () => false);
    const { host } = server;
    await expect(createClient(host, ANN).readManifest(parseReference(`${host}/team/app:1`))).rejects.toThrow(
      `${host} answered 401 to GET manifest team/app:1 ${words}, expected "Bearer" or "Basic". Check that this is a registry.`,
    );
  });

  it.each(['http://192.0.2.1/token', 'file:///token', '/token', ''])(
    'a token service at %j gets no password',
    async (realm) => {
      await using server = await startRegistry(`Bearer realm="${realm}"`, () => false);
      const { host } = server;
      await expect(
        createClient(host, ANN).readManifest(parseReference(`${host}/team/app:1`)),
      ).rejects.toThrow(
        `${host} names the token service "${realm}", expected an https address. Check the registry's set-up.`,
      );
    },
  );
});

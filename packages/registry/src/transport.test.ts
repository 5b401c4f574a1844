import { describe, expect, it } from 'vitest';
import { type LocalAnswer, startLocalServer } from '../../../test/harness/local-server.ts';
import { RegistryError } from './registry-error.ts';
import { createTransport, type HttpRequest, parseRetryAfter, type TransportOptions } from './transport.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');

interface Trial {
  readonly waitsMs: readonly number[];
  readonly send: (host: string, request?: Partial<HttpRequest>) => Promise<{ status: number; text: string }>;
}

function createRequest(host: string): HttpRequest {
  return {
    method: 'GET',
    url: new URL(`http://${host}/v2/`),
    headers: {},
    host,
    operation: 'GET manifest team/app:1',
    maxBytes: 1000,
    isRepeatable: true,
    signal: new AbortController().signal,
  };
}

/** A transport whose waits pass at once and are written down. */
function createTrial(options: TransportOptions = {}): Trial {
  const waitsMs: number[] = [];
  let clockMs = NOW;
  const send = createTransport({
    sleep: async (durationMs) => {
      waitsMs.push(durationMs);
      clockMs += durationMs;
    },
    now: () => clockMs,
    random: () => 1,
    ...options,
  });
  return {
    waitsMs,
    async send(host, request = {}) {
      const { status, body } = await send({ ...createRequest(host), ...request });
      return { status, text: new TextDecoder().decode(body) };
    },
  };
}

/** Answers with each of a list in turn, with the last one for ever. */
function inTurn(...answers: readonly LocalAnswer[]): () => LocalAnswer {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next, answers.length - 1)] ?? 'drop';
    next += 1;
    return answer;
  };
}

const GOOD = { status: 200, body: 'good' };

describe('retries', () => {
  it.each([
    { name: 'a 503', first: [{ status: 503 }], waitsMs: [500] },
    { name: 'three failures', first: [{ status: 500 }, 'drop', { status: 502 }], waitsMs: [500, 1000, 2000] },
    {
      name: 'a 429 that asks for 7 s',
      first: [{ status: 429, headers: { 'retry-after': '7' } }],
      waitsMs: [7000],
    },
    {
      name: 'a 503 that names a time',
      first: [{ status: 503, headers: { 'retry-after': 'Wed, 25 Nov 2026 12:00:09 GMT' } }],
      waitsMs: [9000],
    },
    {
      name: 'a Retry-After of nonsense',
      first: [{ status: 503, headers: { 'retry-after': 'soon' } }],
      waitsMs: [500],
    },
  ] satisfies { name: string; first: LocalAnswer[]; waitsMs: number[] }[])(
    'gets over $name',
    async ({ first, waitsMs }) => {
      await using server = await startLocalServer(inTurn(...first, GOOD));
      const trial = createTrial();
      expect(await trial.send(server.host)).toEqual({ status: 200, text: 'good' });
      expect([trial.waitsMs, server.requests.length]).toEqual([waitsMs, first.length + 1]);
    },
  );

  it('halves a wait at most by chance', async () => {
    await using server = await startLocalServer(inTurn({ status: 503 }, GOOD));
    const trial = createTrial({ random: () => 0 });
    await trial.send(server.host);
    expect(trial.waitsMs).toEqual([250]);
  });

  it('gives up after four tries with the last answer', async () => {
    await using server = await startLocalServer(inTurn({ status: 503, body: 'busy' }));
    const trial = createTrial();
    expect(await trial.send(server.host)).toEqual({ status: 503, text: 'busy' });
    expect(server.requests).toHaveLength(4);
  });

  it.each([
    ['an hour', { status: 429, headers: { 'retry-after': '3600' } }],
    ['a refusal', { status: 403 }],
    ['a miss', { status: 404 }],
  ] as const)('does not wait for %s', async (_, answer) => {
    await using server = await startLocalServer(inTurn(answer));
    const trial = createTrial();
    expect((await trial.send(server.host)).status).toBe(answer.status);
    expect([trial.waitsMs, server.requests.length]).toEqual([[], 1]);
  });

  it('makes a call that must not be made twice again only when it was turned away', async () => {
    await using server = await startLocalServer(inTurn({ status: 429 }, { status: 500 }, GOOD));
    const trial = createTrial();
    const request = { method: 'PUT', body: 'x', isRepeatable: false } as const;
    expect((await trial.send(server.host, request)).status).toBe(500);
    expect(server.requests.map(({ body }) => body)).toEqual(['x', 'x']);
  });

  it('keeps to its total time', async () => {
    await using server = await startLocalServer(inTurn({ status: 503, headers: { 'retry-after': '50' } }));
    const trial = createTrial();
    expect((await trial.send(server.host)).status).toBe(503);
    expect(trial.waitsMs).toEqual([50_000, 50_000]);
  });

  it('ends a wait when the signal aborts, with its reason', async () => {
    await using server = await startLocalServer(inTurn({ status: 503, headers: { 'retry-after': '50' } }));
    const controller = new AbortController();
    const reason = new Error('SIGINT');
    const startedAt = performance.now();
    setTimeout(() => controller.abort(reason), 100);
    const send = createTransport({});
    await expect(send({ ...createRequest(server.host), signal: controller.signal })).rejects.toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});

describe('errors without an answer', () => {
  it('say that nothing listens', async () => {
    const server = await startLocalServer(() => GOOD);
    await server[Symbol.asyncDispose]();
    const error = await createTrial()
      .send(server.host)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({
      message: `${server.host} could not be reached for GET manifest team/app:1: connection refused. Check that the registry is up.`,
      isTemporary: true,
      host: server.host,
      system: 'registry',
    });
  });

  it('say that there is no such host, at once', async () => {
    const trial = createTrial();
    const url = new URL('https://registry.invalid/v2/');
    const error = await trial.send('registry.invalid', { url }).catch((reason: unknown) => reason);
    // A machine without a name server answers EAI_AGAIN: that may pass.
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^registry\.invalid could not be reached for GET manifest team\/app:1: (no such host\. Check the host name\.|the name could not be looked up\. Check that the registry is up\.)$/,
      ),
    });
  });

  it('say that the other side speaks no TLS', async () => {
    await using server = await startLocalServer(() => GOOD);
    const url = new URL(`https://${server.host}/`);
    await expect(createTrial().send(server.host, { url })).rejects.toMatchObject({
      message: `${server.host} could not be reached for GET manifest team/app:1: it does not speak TLS. Give it a certificate: plain HTTP is for loopback addresses only.`,
      isTemporary: false,
    });
  });

  it('say that it took too long', async () => {
    await using server = await startLocalServer(() => 'hang');
    await expect(createTrial({ tryLimitMs: 100 }).send(server.host)).rejects.toMatchObject({
      message: `${server.host} did not answer GET manifest team/app:1 within 0.1 s. Check that the registry is up.`,
      isTemporary: true,
    });
    expect(server.requests).toHaveLength(4);
  });

  it('pass on the reason of the signal', async () => {
    await using server = await startLocalServer(() => 'hang');
    const reason = new Error('SIGTERM');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    await expect(createTrial().send(server.host, { signal: controller.signal })).rejects.toBe(reason);
  });
});

describe('sizes', () => {
  const MEGABYTE = new Uint8Array(1_000_000);

  it('accept a body of just the limit', async () => {
    await using server = await startLocalServer(() => ({ status: 200, body: 'x'.repeat(1000) }));
    expect((await createTrial().send(server.host)).text).toHaveLength(1000);
  });

  it('refuse a larger one after reading no more than that', async () => {
    let sent = 0;
    await using server = await startLocalServer(() => ({
      status: 200,
      body: (function* () {
        for (; sent < 1000; sent += 1) yield MEGABYTE;
      })(),
    }));
    await expect(createTrial().send(server.host)).rejects.toThrow(
      `${server.host} answered GET manifest team/app:1 with more than 1000 bytes, expected at most that. Check that it is an image.`,
    );
    expect(sent).toBeLessThan(50);
  });

  it('cut the body of a failure at 64 KiB', async () => {
    await using server = await startLocalServer(() => ({ status: 400, body: 'x'.repeat(1_000_000) }));
    expect((await createTrial().send(server.host)).text).toHaveLength(65_536);
  });
});

describe('redirects', () => {
  const request = { headers: { authorization: 'Bearer t', accept: 'a/b' } };

  it('keep the login on the same origin and take it off for another', async () => {
    await using storage = await startLocalServer(() => GOOD);
    await using server = await startLocalServer(({ path }) =>
      path === '/v2/'
        ? { status: 302, headers: { location: '/near' } }
        : { status: 307, headers: { location: `http://${storage.host}/blob?signature=s` } },
    );
    expect(await createTrial().send(server.host, request)).toEqual({ status: 200, text: 'good' });
    const seen = [...server.requests, ...storage.requests].map(({ path, headers }) => [
      path,
      headers.authorization,
      headers.accept,
    ]);
    expect(seen).toEqual([
      ['/v2/', 'Bearer t', 'a/b'],
      ['/near', 'Bearer t', 'a/b'],
      ['/blob?signature=s', undefined, 'a/b'],
    ]);
  });

  it('are not followed over plain HTTP to another machine', async () => {
    await using server = await startLocalServer(() => ({
      status: 302,
      headers: { location: 'http://192.0.2.1/x?secret=s' },
    }));
    await expect(createTrial().send(server.host, request)).rejects.toThrow(
      `${server.host} leads GET manifest team/app:1 to 192.0.2.1 over http, expected https. Give that address a certificate.`,
    );
  });

  it('are not followed to a file', async () => {
    await using server = await startLocalServer(() => ({
      status: 302,
      headers: { location: 'file:///etc/passwd' },
    }));
    await expect(createTrial().send(server.host, request)).rejects.toThrow('over file, expected https.');
  });

  it('do not carry content to another origin', async () => {
    await using storage = await startLocalServer(() => GOOD);
    await using server = await startLocalServer(() => ({
      status: 307,
      headers: { location: `http://${storage.host}/` },
    }));
    expect((await createTrial().send(server.host, { method: 'PUT', body: 'x' })).status).toBe(307);
    expect(storage.requests).toEqual([]);
  });

  it('end', async () => {
    await using server = await startLocalServer(() => ({ status: 302, headers: { location: '/again' } }));
    await expect(createTrial().send(server.host)).rejects.toThrow(
      `${server.host} redirected GET manifest team/app:1 more than 5 times. Check the registry's set-up.`,
    );
  });
});

describe('parseRetryAfter', () => {
  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Wed, 25 Nov 2026 12:01:00 GMT', 60_000],
    ['Wed, 25 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j ▶ %s ms', (header, expected) => {
    expect(parseRetryAfter(header, NOW)).toBe(expected);
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as startRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parse } from 'yaml';

/** A request on its way to the API server, read to its end. */
export interface ApiServerRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly isWatch: boolean;
}

/**
 * What goes wrong with a request: `drop` closes the connection without a word, `hang` never answers. With a status the
 * API server isn't asked; its body is a `Status` unless another is given. All else is passed on: after a delay, with
 * other parameters (to ask for a version that has really expired), or cut short after so many lines (events of a watch) or so much time, with a last line in the stream where one is given;
 * `isCut` breaks the connection there where the answer would else end as it should.
 */
export type ApiServerFault =
  | 'drop'
  | 'hang'
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: object | string;
    }
  | { readonly delayMs: number }
  | { readonly query: Readonly<Record<string, string>> }
  | { readonly endAfterMs: number; readonly lastLine?: object | string; readonly isCut?: boolean }
  | { readonly endAfterLines: number; readonly lastLine?: object | string; readonly isCut?: boolean };

/** An API server behind a proxy in which things go wrong. */
export interface FaultyApiServer extends AsyncDisposable {
  /** Path of a kubeconfig that leads through the proxy, with the credentials of the given one. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:PORT`. */
  readonly server: string;
  /** Every request so far, those with a fault too. */
  readonly requests: readonly ApiServerRequest[];
}

interface Upstream {
  readonly url: URL;
  readonly agent: Agent;
}

const run = promisify(execFile);

/**
 * Starts an HTTPS proxy before a real API server. It decides for each request whether something goes wrong; what it
 * has none for is passed on as it is. `await using` ends it with all its connections.
 *
 * @param options `kubeconfig`: path of one with a token or a client certificate.
 */
export async function startFaultyApiServer(options: {
  readonly kubeconfig: string;
  readonly decide: (request: ApiServerRequest) => ApiServerFault | undefined;
}): Promise<FaultyApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'faulty-api-server-'));
  const { certificate, key } = await makeCertificate(folder);
  const config = parse(await readFile(options.kubeconfig, 'utf8'));
  const upstream = upstreamOf(config);
  const requests: ApiServerRequest[] = [];
  const server = createServer({ cert: certificate, key }, async (message, response) => {
    const request = await receive(message);
    requests.push(request);
    const fault = options.decide(request);
    if (fault === 'hang') return;
    if (fault === 'drop') message.socket.destroy();
    else if (fault !== undefined && 'status' in fault) answer(response, fault);
    else {
      if (fault !== undefined && 'delayMs' in fault) await wait(fault.delayMs);
      passOn(upstream, request, response, fault);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = join(folder, 'kubeconfig');
  const cluster = { server: url, 'certificate-authority-data': Buffer.from(certificate).toString('base64') };
  const through = { ...config, clusters: [{ name: config.clusters[0].name, cluster }] };
  await writeFile(kubeconfig, JSON.stringify(through), { mode: 0o600 });
  return {
    kubeconfig,
    server: url,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      upstream.agent.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

async function makeCertificate(folder: string): Promise<{ certificate: string; key: string }> {
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=faulty-api-server', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
}

function upstreamOf(config: ReturnType<typeof parse>): Upstream {
  const { server, 'certificate-authority-data': authority } = config.clusters[0].cluster;
  const { 'client-certificate-data': certificate, 'client-key-data': key } = config.users[0].user;
  const decode = (data: string) => Buffer.from(data, 'base64').toString('utf8');
  const identity = certificate === undefined ? {} : { cert: decode(certificate), key: decode(key) };
  return {
    url: new URL(server),
    agent: new Agent({ keepAlive: true, ca: decode(authority), ...identity }),
  };
}

async function receive(message: IncomingMessage): Promise<ApiServerRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  const url = new URL(message.url ?? '/', 'https://localhost');
  return {
    method: message.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    body: Buffer.concat(chunks).toString('utf8'),
    isWatch: ['1', 'true'].includes(url.searchParams.get('watch') ?? ''),
  };
}

function answer(response: ServerResponse, fault: Extract<ApiServerFault, { status: number }>): void {
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `the test answers ${fault.status}`,
    code: fault.status,
  };
  const body = fault.body ?? status;
  const isText = typeof body === 'string';
  response.writeHead(fault.status, {
    'content-type': isText ? 'text/plain' : 'application/json',
    ...fault.headers,
  });
  response.end(isText ? body : JSON.stringify(body));
}

function passOn(
  upstream: Upstream,
  request: ApiServerRequest,
  response: ServerResponse,
  fault: ApiServerFault | undefined,
): void {
  const query = new URLSearchParams(request.query);
  if (typeof fault === 'object' && 'query' in fault)
    for (const [name, value] of Object.entries(fault.query)) query.set(name, value);
  const outgoing = startRequest({
    method: request.method,
    host: upstream.url.hostname,
    port: upstream.url.port,
    path: query.size === 0 ? request.path : `${request.path}?${query}`,
    headers: { ...request.headers, host: upstream.url.host },
    agent: upstream.agent,
  });
  outgoing.on('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.headers);
    response.flushHeaders();
    if (typeof fault === 'object' && ('endAfterMs' in fault || 'endAfterLines' in fault))
      relayInPart(incoming, response, fault);
    else incoming.pipe(response);
    incoming.on('error', () => response.destroy());
  });
  outgoing.on('error', () => response.destroy());
  // The watch of a client that has gone is given up, too.
  response.on('close', () => outgoing.destroy());
  outgoing.end(request.body);
}

function relayInPart(
  incoming: IncomingMessage,
  response: ServerResponse,
  fault: Extract<ApiServerFault, { isCut?: boolean }>,
): void {
  let lines = 0;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    const { lastLine, isCut = false } = fault;
    const text = lastLine === undefined || typeof lastLine === 'string' ? lastLine : JSON.stringify(lastLine);
    if (text !== undefined) response.write(`${text}\n`);
    // What was written is to arrive before the connection breaks.
    if (isCut) setTimeout(() => response.destroy(), 20);
    else response.end();
    incoming.destroy();
  };
  if ('endAfterMs' in fault) setTimeout(end, fault.endAfterMs).unref();
  if ('endAfterLines' in fault && fault.endAfterLines === 0) end();
  incoming.on('data', (chunk: Buffer) => {
    for (let start = 0; start < chunk.length && !isOver; ) {
      const lineBreak = chunk.indexOf(0x0a, start);
      const next = lineBreak === -1 ? chunk.length : lineBreak + 1;
      response.write(chunk.subarray(start, next));
      start = next;
      lines += lineBreak === -1 ? 0 : 1;
      if ('endAfterLines' in fault && lines >= fault.endAfterLines) end();
    }
  });
  incoming.on('end', end);
}

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived, read to its end. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a local server answers; `drop` closes the connection without a word, `hang` never answers. */
export type LocalAnswer =
  | 'drop'
  | 'hang'
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array | Iterable<Uint8Array>;
    };

/** A real HTTP server on a port of its own. */
export interface LocalServer extends AsyncDisposable {
  /** `localhost:PORT`. */
  readonly host: string;
  readonly port: number;
  /** All requests so far, in the order in which they were read. */
  readonly requests: readonly ReceivedRequest[];
}

/** Starts a server whose answers a test decides. `await using` ends it with all its connections. */
export async function startLocalServer(
  answer: (request: ReceivedRequest) => LocalAnswer | Promise<LocalAnswer>,
): Promise<LocalServer> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (message, response) => {
    const request = await receive(message);
    requests.push(request);
    const given = await answer(request);
    if (given === 'drop') message.socket.destroy();
    else if (given !== 'hang') await send(response, given);
  });
  // Both families: `localhost` may be either.
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `localhost:${port}`,
    port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(message: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  const { method = '', url: path = '', headers } = message;
  return { method, path, headers, body: Buffer.concat(chunks).toString('utf8') };
}

async function send(
  response: ServerResponse,
  { status, headers, body }: Exclude<LocalAnswer, string>,
): Promise<void> {
  response.writeHead(status, headers);
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    response.end(body);
    return;
  }
  for (const chunk of body) {
    if (response.destroyed) return;
    // A client that stops reading closes the connection: then there is no drain.
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

async function once(
  emitter: { once(event: string, listener: () => void): unknown },
  event: string,
): Promise<void> {
  return new Promise((resolve) => {
    emitter.once(event, () => resolve());
  });
}

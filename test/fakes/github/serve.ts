import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultAnswer, toWireAnswer, type WireAnswer, withEntityTag } from './answer.ts';
import type { Description, Operation } from './description.ts';
import { GithubFault, notFound } from './fault.ts';
import { checkHandlers } from './handlers/checks.ts';
import { commentHandlers } from './handlers/comments.ts';
import { commitHandlers } from './handlers/commits.ts';
import { contentHandlers } from './handlers/contents.ts';
import { gitDataHandlers } from './handlers/git-data.ts';
import { repositoryHandlers } from './handlers/repository.ts';
import { acceptedPermissions, isPermitted } from './permissions.ts';
import { checkBody, checkPath, checkQuery } from './request-check.ts';
import type { SchemaValidator } from './schema-validator.ts';
import type { GithubState, Handler, TokenRights } from './state.ts';

/** A request as it came, with the status it was answered with. */
export interface RecordedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Undefined where the description has no such operation. */
  readonly operation: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  status: number;
}

/** A trouble that a coming request meets instead of, or after, its answer. */
export interface Trouble {
  /** Only requests of this operation, such as `issues/create-comment`; any when left out. */
  readonly operation?: string;
  /** How many requests meet it; default 1. */
  readonly times?: number;
  readonly kind:
    | {
        readonly answer: number;
        readonly message?: string;
        readonly headers?: Readonly<Record<string, string>>;
      }
    /** 403 or 429 with Retry-After, as when too many requests come at once. */
    | { readonly secondaryLimit: 403 | 429; readonly retryAfterSeconds: number }
    /** The connection breaks before anything was done. */
    | 'drop'
    /** The request is carried out and its answer lost. */
    | 'lose-answer'
    | { readonly delayMs: number };
}

export interface Server {
  readonly description: Description;
  readonly validator: SchemaValidator;
  readonly state: GithubState;
  readonly tokens: Map<string, TokenRights>;
  readonly requests: RecordedRequest[];
  readonly problems: string[];
  readonly troubles: { trouble: Trouble; left: number }[];
  readonly now: () => number;
  requestsLeft: number;
  readonly requestLimit: number;
}

const handlers: Readonly<Record<string, Handler>> = {
  ...checkHandlers,
  ...commentHandlers,
  ...commitHandlers,
  ...contentHandlers,
  ...gitDataHandlers,
  ...repositoryHandlers,
};

function authenticate(server: Server, authorization: string | undefined): TokenRights {
  if (authorization === undefined) throw new GithubFault(401, 'Requires authentication');
  const given = /^(?:token|bearer)\s+(\S+)$/iu.exec(authorization)?.[1] ?? '';
  const rights = server.tokens.get(given);
  if (rights === undefined) throw new GithubFault(401, 'Bad credentials');
  return rights;
}

function limitHeaders(server: Server): Record<string, string> {
  return {
    'x-ratelimit-limit': String(server.requestLimit),
    'x-ratelimit-remaining': String(Math.max(0, server.requestsLeft)),
    'x-ratelimit-used': String(server.requestLimit - Math.max(0, server.requestsLeft)),
    'x-ratelimit-reset': String(Math.floor(server.now() / 1000) + 3600),
    'x-ratelimit-resource': 'core',
  };
}

function takeTrouble(server: Server, operation: Operation | undefined): Trouble['kind'] | undefined {
  const found = server.troubles.find(
    ({ trouble, left }) =>
      left > 0 && (trouble.operation === undefined || trouble.operation === operation?.id),
  );
  if (found === undefined) return undefined;
  found.left -= 1;
  return found.trouble.kind;
}

function throwTrouble(kind: Exclude<Trouble['kind'], string>): void {
  if ('answer' in kind) {
    throw new GithubFault(kind.answer, kind.message ?? 'Server Error', { headers: kind.headers ?? {} });
  }
  if ('secondaryLimit' in kind) {
    throw new GithubFault(
      kind.secondaryLimit,
      'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      { headers: { 'retry-after': String(kind.retryAfterSeconds) } },
    );
  }
}

function isOwnRepository(server: Server, path: Readonly<Record<string, string>>): boolean {
  const { owner, name } = server.state.repository;
  const same = (given: string | undefined, own: string) => given?.toLowerCase() === own.toLowerCase();
  return same(path['owner'], owner) && same(path['repo'], name);
}

interface Arrived {
  readonly message: IncomingMessage;
  readonly body: Buffer;
  readonly address: URL;
  readonly operation: Operation | undefined;
  readonly path: Readonly<Record<string, string>>;
}

async function answerRequest(server: Server, arrived: Arrived): Promise<WireAnswer> {
  const { message, operation, path, address } = arrived;
  const rights = authenticate(server, message.headers.authorization);
  if (server.requestsLeft < 0) {
    throw new GithubFault(
      403,
      `API rate limit exceeded for installation ID ${server.state.repository.owner}.`,
    );
  }
  if (operation === undefined || !isOwnRepository(server, path)) throw notFound();
  if (!isPermitted(operation, rights.permissions, server.state.repository)) {
    throw new GithubFault(403, 'Resource not accessible by integration');
  }
  const handler = handlers[operation.id];
  if (handler === undefined) {
    server.problems.push(`The GitHub fake can't do ${operation.id}. Write its handler.`);
    throw new GithubFault(501, `The GitHub fake can't do ${operation.id}.`);
  }
  checkPath(operation, path, server.validator);
  const query = checkQuery(operation, address.searchParams, server.validator);
  const body = checkBody(operation, arrived.body, server.validator);
  const isRaw = /\.raw\b/u.test(message.headers.accept ?? '');
  const request = { operation, path, query, body, token: rights, isRaw };
  const answer = toWireAnswer(await handler(request, server.state), address);
  checkAnswer(server, operation, answer);
  return message.method === 'GET' ? withEntityTag(answer, message.headers['if-none-match']) : answer;
}

/** A fake that answers out of the description would teach the code under test a wrong GitHub. */
function checkAnswer(server: Server, operation: Operation, answer: WireAnswer): void {
  const described = operation.responses.get(answer.status);
  if (described === undefined) {
    server.problems.push(
      `${operation.id} was answered ${answer.status}, which its description doesn't have.`,
    );
  } else if (described.schema !== undefined && answer.json !== undefined) {
    const faults = server.validator.check(described.schema, answer.json);
    for (const fault of faults.slice(0, 5)) {
      server.problems.push(
        `${operation.id} was answered out of schema: ${fault.instancePath} ${fault.message}.`,
      );
    }
  } else return;
  if (server.problems.length > 0) throw new GithubFault(500, server.problems.join('\n'));
}

async function answerOrFault(server: Server, arrived: Arrived): Promise<WireAnswer> {
  try {
    return await answerRequest(server, arrived);
  } catch (error) {
    if (error instanceof GithubFault) return faultAnswer(error, arrived.operation);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    server.problems.push(`The GitHub fake failed in ${arrived.operation?.id ?? 'no operation'}: ${text}`);
    return faultAnswer(new GithubFault(500, 'Server Error'), arrived.operation);
  }
}

/** Answers one request, records it, and lets it meet the trouble that waits for it. */
export async function serve(
  server: Server,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const address = new URL(message.url ?? '/', server.state.baseUrl());
  const method = message.method ?? 'GET';
  const match = server.description.match(method, address.pathname);
  const operation = match?.operation;
  const body = Buffer.concat(chunks);
  const record: RecordedRequest = {
    method,
    path: message.url ?? '/',
    operation: operation?.id,
    headers: message.headers,
    body: body.toString('utf8'),
    status: 0,
  };
  server.requests.push(record);
  server.requestsLeft -= 1;
  const trouble = takeTrouble(server, operation);
  if (trouble === 'drop') {
    message.socket.destroy();
    return;
  }
  if (typeof trouble === 'object' && 'delayMs' in trouble) await sleep(trouble.delayMs);
  const arrived: Arrived = { message, body, address, operation, path: match?.pathParameters ?? {} };
  const answer = await troubledAnswer(server, arrived, trouble);
  record.status = answer.status;
  // A client's own copy costs nothing.
  if (answer.status === 304) server.requestsLeft += 1;
  if (trouble === 'lose-answer') {
    message.socket.destroy();
    return;
  }
  response.writeHead(answer.status, {
    ...answer.headers,
    ...limitHeaders(server),
    ...(operation === undefined ? {} : { 'x-accepted-github-permissions': acceptedPermissions(operation) }),
    'x-github-media-type': 'github.v3; format=json',
    'x-github-request-id': `FAKE:${server.requests.length.toString(16).toUpperCase().padStart(4, '0')}`,
    'content-length': String(answer.body.length),
  });
  response.end(answer.body);
}

function troubledAnswer(
  server: Server,
  arrived: Arrived,
  trouble: Trouble['kind'] | undefined,
): Promise<WireAnswer> {
  if (typeof trouble !== 'object') return answerOrFault(server, arrived);
  try {
    throwTrouble(trouble);
  } catch (error) {
    if (error instanceof GithubFault) return Promise.resolve(faultAnswer(error, arrived.operation));
    throw error;
  }
  return answerOrFault(server, arrived);
}

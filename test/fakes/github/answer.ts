import { createHash } from 'node:crypto';
import type { Operation } from './description.ts';
import type { GithubFault } from './fault.ts';
import type { HandlerAnswer } from './state.ts';

/** What goes over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The value the body was written from, for the check against the response's schema. */
  readonly json: unknown;
}

const jsonType = 'application/json; charset=utf-8';

function clampedPage(query: URLSearchParams): { page: number; perPage: number } {
  const whole = (name: string, fallback: number) => {
    const given = Number(query.get(name));
    return Number.isInteger(given) && given > 0 ? given : fallback;
  };
  return { page: whole('page', 1), perPage: Math.min(whole('per_page', 30), 100) };
}

/** The `Link` header: empty where one page holds all. */
function linkHeader(address: URL, page: number, lastPage: number): string {
  const link = (rel: string, number: number) => {
    const target = new URL(address);
    target.searchParams.set('page', String(number));
    return `<${target.href}>; rel="${rel}"`;
  };
  return [
    ...(page > 1 ? [link('prev', page - 1)] : []),
    ...(page < lastPage ? [link('next', page + 1), link('last', lastPage)] : []),
    ...(page > 1 ? [link('first', 1)] : []),
  ].join(', ');
}

function jsonAnswer(status: number, json: unknown, headers: Record<string, string> = {}): WireAnswer {
  return {
    status,
    json,
    body: Buffer.from(JSON.stringify(json)),
    headers: { 'content-type': jsonType, ...headers },
  };
}

/** Writes a handler's answer; a list is divided into pages of `per_page` (30, at most 100). */
export function toWireAnswer(answer: HandlerAnswer, address: URL): WireAnswer {
  switch (answer.kind) {
    case 'value':
      return jsonAnswer(
        answer.status,
        answer.body,
        answer.location === undefined ? {} : { location: answer.location },
      );
    case 'empty':
      return { status: 204, headers: {}, body: Buffer.alloc(0), json: undefined };
    case 'raw':
      return {
        status: 200,
        headers: { 'content-type': answer.contentType },
        body: answer.body,
        json: undefined,
      };
    case 'list': {
      const { page, perPage } = clampedPage(address.searchParams);
      const items = answer.items.slice((page - 1) * perPage, page * perPage);
      const link = linkHeader(address, page, Math.ceil(answer.items.length / perPage));
      const json = answer.wrap === undefined ? items : answer.wrap(items, answer.items.length);
      return jsonAnswer(200, json, link === '' ? {} : { link });
    }
    default:
      return answer satisfies never;
  }
}

export function faultAnswer(fault: GithubFault, operation: Operation | undefined): WireAnswer {
  const json = {
    message: fault.message,
    ...(fault.errors === undefined ? {} : { errors: fault.errors }),
    documentation_url: operation?.documentationUrl ?? 'https://docs.github.com/rest',
    status: String(fault.status),
  };
  return jsonAnswer(fault.status, json, fault.headers);
}

/** Adds the entity tag of a GET, and answers 304 without a body where the client has it already. */
export function withEntityTag(answer: WireAnswer, ifNoneMatch: string | undefined): WireAnswer {
  if (answer.status !== 200) return answer;
  const etag = `W/"${createHash('sha256').update(answer.body).digest('hex')}"`;
  const headers = { ...answer.headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60' };
  if (ifNoneMatch?.split(/\s*,\s*/u).includes(etag) !== true) return { ...answer, headers };
  return { status: 304, headers: { etag }, body: Buffer.alloc(0), json: undefined };
}

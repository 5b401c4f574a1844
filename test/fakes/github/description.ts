import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** A schema object of OpenAPI 3.0, or a reference to one. */
export type OpenApiSchema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: OpenApiSchema;
  /** A path parameter that may hold slashes, such as a ref or a file. */
  readonly isMultiSegment: boolean;
}

export interface ResponseContent {
  readonly schema: OpenApiSchema | undefined;
  readonly example: unknown;
}

/** One operation of the description, such as `issues/create-comment`. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly template: string;
  readonly documentationUrl: string;
  readonly parameters: readonly Parameter[];
  readonly requestSchema: OpenApiSchema | undefined;
  readonly isBodyRequired: boolean;
  /** The JSON answers by status. */
  readonly responses: ReadonlyMap<number, ResponseContent>;
}

/** GitHub's published description of its REST API, resolved lazily. */
export interface Description {
  readonly match: (method: string, pathname: string) => RouteMatch | undefined;
  readonly schema: (name: string) => OpenApiSchema;
  /** The published example of a component, a copy of its own. */
  readonly example: (name: string) => unknown;
}

export interface RouteMatch {
  readonly operation: Operation;
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface Node {
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

function child(node: unknown, key: string): unknown {
  return isNode(node) ? node[key] : undefined;
}

const runFile = promisify(execFile);

// A module's state is one test file's: the file of 13 MB is read and parsed once there, in about 0.2 s.
let loading: Promise<Description> | undefined;

/**
 * Loads the description that `script/github-description` keeps in the project's cache folder.
 *
 * @throws {Error} It is not there and can't be fetched.
 */
export function loadDescription(): Promise<Description> {
  loading ??= readDescription();
  return loading;
}

async function readDescription(): Promise<Description> {
  const script = path.join(import.meta.dirname, '../../../script/github-description');
  const { stdout } = await runFile(script, { encoding: 'utf8' });
  return createDescription(JSON.parse(await readFile(stdout.trim(), 'utf8')));
}

interface Route {
  readonly method: string;
  readonly template: string;
  readonly segments: readonly string[];
  readonly literals: number;
}

function listRoutes(document: unknown): ReadonlyMap<string, readonly Route[]> {
  const routes = Object.entries(child(document, 'paths') ?? {}).flatMap(([template, methods]) => {
    const segments = template.split('/').slice(1);
    const literals = segments.filter((segment) => !segment.includes('{')).length;
    return Object.keys(methods as Node).map((method) => ({ method, template, segments, literals }));
  });
  // The most literal template wins: `/user/repos` before `/user/{name}`.
  return Map.groupBy(
    routes.sort((a, b) => b.literals - a.literals),
    (route) => route.method,
  );
}

function matchSegments(
  segments: readonly string[],
  given: readonly string[],
  isMultiSegment: (name: string) => boolean,
): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const name = /^\{(.+)\}$/u.exec(segment)?.[1];
    const isLast = index === segments.length - 1;
    const rest =
      name !== undefined && isLast && isMultiSegment(name) ? given.slice(index).join('/') : given[index];
    if (rest === undefined || rest === '') return undefined;
    if (name !== undefined) found[name] = decodeURIComponent(rest);
    else if (segment !== rest) return undefined;
    if (isLast && rest === given[index] && given.length > segments.length) return undefined;
  }
  return found;
}

/** Indexes a parsed description; operations and components are read when they are asked for. */
function createDescription(document: unknown): Description {
  const routes = listRoutes(document);
  const operations = new Map<string, Operation>();
  const resolve = (value: unknown): unknown => {
    const reference = child(value, '$ref');
    if (typeof reference !== 'string') return value;
    return resolve(reference.slice(2).split('/').reduce(child, document));
  };
  const operationAt = ({ method, template }: Route): Operation => {
    const key = `${method} ${template}`;
    const known = operations.get(key);
    if (known !== undefined) return known;
    const raw = child(child(child(document, 'paths'), template), method);
    const operation = readOperation(raw, method, template, resolve);
    operations.set(key, operation);
    return operation;
  };
  return {
    match(method, pathname) {
      const given = pathname.split('/').slice(1);
      for (const route of routes.get(method.toLowerCase()) ?? []) {
        // Cheap first: a template of literal text that differs need not be read.
        if (route.segments[0] !== given[0] || route.segments.length > given.length) continue;
        if (!route.segments.every((one, index) => one.includes('{') || one === given[index])) continue;
        const operation = operationAt(route);
        const isMulti = (name: string) =>
          operation.parameters.some((one) => one.name === name && one.isMultiSegment);
        const pathParameters = matchSegments(route.segments, given, isMulti);
        if (pathParameters !== undefined) return { operation, pathParameters };
      }
      return undefined;
    },
    schema(name) {
      const schema = child(child(child(document, 'components'), 'schemas'), name);
      if (!isNode(schema)) throw new Error(`The description has no schema "${name}".`);
      return schema;
    },
    example(name) {
      const value = child(child(child(child(document, 'components'), 'examples'), name), 'value');
      if (value === undefined) throw new Error(`The description has no example "${name}".`);
      return structuredClone(value);
    },
  };
}

function readParameter(raw: unknown): Parameter {
  const { name, required, schema } = raw as { name: string; required?: boolean; schema?: OpenApiSchema };
  return {
    name,
    in: child(raw, 'in') as Parameter['in'],
    required: required === true,
    schema: schema ?? {},
    isMultiSegment: child(raw, 'x-multi-segment') === true,
  };
}

function readOperation(
  raw: unknown,
  method: string,
  template: string,
  resolve: (value: unknown) => unknown,
): Operation {
  const json = (node: unknown) => child(child(node, 'content'), 'application/json');
  const body = resolve(child(raw, 'requestBody'));
  const responses = new Map<number, ResponseContent>();
  for (const [status, reference] of Object.entries(child(raw, 'responses') ?? {})) {
    const content = json(resolve(reference));
    const example = Object.values(child(content, 'examples') ?? {})[0];
    responses.set(Number(status), {
      schema: child(content, 'schema') as OpenApiSchema | undefined,
      example: child(resolve(example), 'value'),
    });
  }
  return {
    id: String(child(raw, 'operationId')),
    method,
    template,
    documentationUrl: String(child(child(raw, 'externalDocs'), 'url')),
    parameters: ((child(raw, 'parameters') ?? []) as unknown[]).map((one) => readParameter(resolve(one))),
    requestSchema: child(json(body), 'schema') as OpenApiSchema | undefined,
    isBodyRequired: child(body, 'required') === true,
    responses,
  };
}

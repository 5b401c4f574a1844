import type { ErrorObject } from 'ajv';
import type { OpenApiSchema, Operation } from './description.ts';
import { GithubFault, notFound } from './fault.ts';
import type { SchemaValidator } from './schema-validator.ts';
import type { Json } from './state.ts';

// GitHub reads these on every operation, whether its description lists them or not.
const commonQuery = new Set(['per_page', 'page']);

function properties(schema: OpenApiSchema): Readonly<Record<string, unknown>> {
  return (schema['properties'] ?? {}) as Readonly<Record<string, unknown>>;
}

function explain(fault: ErrorObject): string {
  const field = fault.instancePath.slice(1).replaceAll('/', '.');
  if (fault.keyword === 'required') return `"${String(fault.params['missingProperty'])}" wasn't supplied.`;
  const place = field === '' ? '' : `For 'properties/${field.replaceAll('.', '/')}', `;
  return `${place}${fault.message ?? fault.keyword}.`;
}

function invalidRequest(explanations: readonly string[]): GithubFault {
  return new GithubFault(422, `Invalid request.\n\n${explanations.join('\n')}`);
}

/**
 * Checks path parameters: one that can't be of its type names nothing that exists.
 *
 * @throws {GithubFault} 404.
 */
export function checkPath(
  operation: Operation,
  path: Readonly<Record<string, string>>,
  validator: SchemaValidator,
): void {
  for (const parameter of operation.parameters) {
    const text = path[parameter.name];
    if (
      parameter.in === 'path' &&
      text !== undefined &&
      validator.coerce(parameter.schema, text).faults.length > 0
    ) {
      throw notFound();
    }
  }
}

/**
 * Checks and types the query. Stricter than GitHub, which ignores a parameter it doesn't know: here that is
 * a misspelling in the code under test.
 *
 * @throws {GithubFault} 422.
 */
export function checkQuery(
  operation: Operation,
  query: URLSearchParams,
  validator: SchemaValidator,
): Record<string, unknown> {
  const typed: Record<string, unknown> = {};
  for (const [name, text] of query) {
    const parameter = operation.parameters.find((one) => one.in === 'query' && one.name === name);
    if (parameter === undefined) {
      if (commonQuery.has(name)) continue;
      throw invalidRequest([`"${name}" is not a permitted key.`]);
    }
    const { value, faults } = validator.coerce(parameter.schema, text);
    if (faults.length > 0)
      throw invalidRequest(faults.map((fault) => `For '${name}', ${fault.message ?? fault.keyword}.`));
    typed[name] = value;
  }
  for (const { name, required } of operation.parameters.filter((one) => one.in === 'query')) {
    if (required && typed[name] === undefined) throw invalidRequest([`"${name}" wasn't supplied.`]);
  }
  return typed;
}

/**
 * Parses and checks a body by its operation's schema, unknown members included.
 *
 * @throws {GithubFault} 400 for what is no JSON object, 422 for what the schema refuses.
 */
export function checkBody(operation: Operation, bytes: Buffer, validator: SchemaValidator): Json {
  if (operation.requestSchema === undefined) return {};
  let body: unknown = {};
  if (bytes.length > 0) {
    try {
      body = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new GithubFault(400, 'Problems parsing JSON');
    }
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new GithubFault(400, 'Body should be a JSON object');
  }
  const known = properties(operation.requestSchema);
  const unknownNames = Object.keys(body).filter((name) => Object.keys(known).length > 0 && !(name in known));
  const faults = validator.check(operation.requestSchema, body);
  if (faults.length > 0 || unknownNames.length > 0) {
    throw invalidRequest([
      ...faults.map(explain),
      ...unknownNames.map((name) => `"${name}" is not a permitted key.`),
    ]);
  }
  return body as Json;
}

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormatsModule from 'ajv-formats';
import type { Description, OpenApiSchema } from './description.ts';

// ajv-formats is CommonJS with a default export: NodeNext sees the module object.
const addFormats = addFormatsModule.default;

/** Validates values against schemas of the description; compiled ones are kept. */
export interface SchemaValidator {
  /** @returns The faults, empty when the value is valid. */
  readonly check: (schema: OpenApiSchema, value: unknown) => readonly ErrorObject[];
  /** Turns a query's or path's text into the type its schema asks for. */
  readonly coerce: (
    schema: OpenApiSchema,
    text: string,
  ) => { value: unknown; faults: readonly ErrorObject[] };
}

const componentPrefix = '#/components/schemas/';

function convertMember(key: string, value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((one) => (key === 'enum' || key === 'required' ? one : convertAny(one)));
  if (key === 'properties' && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, convertAny(schema)]));
  }
  return convertAny(value);
}

function convertAny(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? toJsonSchema(value as OpenApiSchema)
    : value;
}

// Prose and hints that say nothing about validity.
const ignoredKeys = new Set([
  'nullable',
  'description',
  'example',
  'title',
  'discriminator',
  'externalDocs',
  'deprecated',
  'readOnly',
  'writeOnly',
  'xml',
  'default',
]);

/**
 * Turns a schema of OpenAPI 3.0 into JSON Schema: `nullable` admits null beside whatever else is said, and
 * `oneOf` becomes `anyOf`, as GitHub's alternatives overlap (a directory's entry is also a valid file's).
 */
function toJsonSchema(schema: OpenApiSchema): Record<string, unknown> {
  const reference = schema['$ref'];
  if (typeof reference === 'string') return { $ref: `component:${reference.slice(componentPrefix.length)}` };
  const converted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (ignoredKeys.has(key) || key.startsWith('x-')) continue;
    converted[key === 'oneOf' ? 'anyOf' : key] = convertMember(key, value);
  }
  return schema['nullable'] === true ? { anyOf: [{ type: 'null' }, converted] } : converted;
}

function createAjv(coerceTypes: boolean): Ajv {
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    validateSchema: false,
    coerceTypes,
    addUsedSchema: false,
  });
  addFormats(ajv);
  for (const format of ['repo.nwo', 'timestamp']) ajv.addFormat(format, true);
  return ajv;
}

function referencedComponents(schema: unknown, found: Set<string>): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$ref' && typeof value === 'string' && value.startsWith('component:')) found.add(value);
    else referencedComponents(value, found);
  }
  return found;
}

/** Creates the validator of one description. A schema costs 1 to 40 ms the first time, then nothing. */
export function createSchemaValidator(description: Description): SchemaValidator {
  const compiled = new Map<OpenApiSchema, ValidateFunction>();
  const strictAjv = createAjv(false);
  const coercingAjv = createAjv(true);
  const addComponents = (schema: unknown) => {
    for (const id of referencedComponents(schema, new Set())) {
      if (strictAjv.schemas[id] !== undefined) continue;
      const component = toJsonSchema(description.schema(id.slice('component:'.length)));
      strictAjv.addSchema(component, id);
      coercingAjv.addSchema(component, id);
      addComponents(component);
    }
  };
  const compile = (ajv: Ajv, schema: OpenApiSchema): ValidateFunction => {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const converted = toJsonSchema(schema);
    addComponents(converted);
    const validate = ajv.compile(converted);
    compiled.set(schema, validate);
    return validate;
  };
  return {
    check(schema, value) {
      const validate = compile(strictAjv, schema);
      return validate(value) === true ? [] : (validate.errors ?? []);
    },
    coerce(schema, text) {
      const holder = { value: text as unknown };
      // Coercion needs a parent to write to; the wrapper is keyed by the schema it wraps.
      const wrapper = wrappers.get(schema) ?? { type: 'object', properties: { value: schema } };
      wrappers.set(schema, wrapper);
      const validate = compile(coercingAjv, wrapper);
      return { faults: validate(holder) === true ? [] : (validate.errors ?? []), value: holder.value };
    },
  };
}

const wrappers = new WeakMap<OpenApiSchema, OpenApiSchema>();

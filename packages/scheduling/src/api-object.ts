import * as z from 'zod/mini';
import { InvalidQuantityError, parseQuantity } from './quantity.ts';

/** An API object that can't be read. The message names the object and the field. */
export class InvalidObjectError extends Error {
  override name = 'InvalidObjectError';
}

/** Amounts of resources by name, in nano-units. */
export type Amounts = ReadonlyMap<string, bigint>;

/** An optional field; the Go client writes an absent list or map as null. */
export function absentable<T extends z.ZodMiniType>(schema: T) {
  return z.optional(z.nullable(schema));
}

export const textMap = z.record(z.string(), z.string());

const quantity = z.pipe(
  z.union([z.string(), z.number()]),
  z.transform((value, context): bigint => {
    try {
      const nanos = parseQuantity(value);
      if (nanos >= 0n) return nanos;
      context.issues.push({ code: 'custom', input: value, message: `Quantity "${value}" is negative.` });
    } catch (error) {
      if (!(error instanceof InvalidQuantityError)) throw error;
      context.issues.push({ code: 'custom', input: value, message: error.message });
    }
    return z.NEVER;
  }),
);

/** `{"cpu": "500m"}` ▶ {@link Amounts}. */
export const amounts = z.pipe(
  z.record(z.string(), quantity),
  z.transform((record): Amounts => new Map(Object.entries(record))),
);

/**
 * Reads a document by a schema.
 *
 * @param kind What it should be, for the message: `Pod`.
 * @throws {InvalidObjectError} With the object's name and the first wrong field.
 */
export function readObject<T extends z.ZodMiniType>(kind: string, schema: T, document: unknown): z.output<T> {
  const parsed = z.safeParse(schema, document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue === undefined ? '' : renderPath(issue.path);
  const name = z.safeParse(z.object({ metadata: z.object({ name: z.string() }) }), document).data?.metadata
    .name;
  const subject = name === undefined ? `A ${kind}` : `${kind} ${JSON.stringify(name.slice(0, 63))}`;
  const place = field === '' ? 'the document' : `field ${field}`;
  throw new InvalidObjectError(`${subject} can't be read: ${place}: ${issue?.message ?? 'invalid'}`);
}

/** `spec.containers[0].resources.limits["nvidia.com/gpu"]` */
function renderPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      const text = String(part);
      if (!/^[A-Za-z]\w*$/.test(text)) return `[${JSON.stringify(text)}]`;
      return index === 0 ? text : `.${text}`;
    })
    .join('');
}

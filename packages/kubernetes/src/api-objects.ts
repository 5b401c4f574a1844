import * as z from 'zod/mini';
import type { KubernetesObject, ResourceType } from './cluster.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { toOneLine } from './plain-text.ts';
import type { ApiAnswer } from './transport.ts';

const Labels = z.optional(z.record(z.string(), z.string()));

const Metadata = z.looseObject({
  name: z.string(),
  namespace: z.optional(z.string()),
  uid: z.optional(z.string()),
  resourceVersion: z.optional(z.string()),
  generation: z.optional(z.number()),
  creationTimestamp: z.optional(z.string()),
  deletionTimestamp: z.optional(z.string()),
  labels: Labels,
  annotations: Labels,
});

/** What is certain of an object of the API. */
const ApiObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: Metadata,
});

const ListPage = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.optional(z.string()),
    continue: z.optional(z.string()),
  }),
  items: z.nullable(z.array(z.looseObject({ metadata: Metadata }))),
});

export type Page = {
  readonly objects: readonly KubernetesObject[];
  readonly resourceVersion: string;
  /** Where the next page begins; empty at the last. */
  readonly next: string;
};

export type AnswerContext = { readonly host: string; readonly operation: string };

/** @throws {KubernetesError} where the answer is no object of the API. */
export function readObject(answer: ApiAnswer, context: AnswerContext): KubernetesObject {
  return checkObject(readJson(answer, context)) ?? fail(context, 'an object');
}

/** An object of the API; undefined where the value is none. */
export function checkObject(value: unknown): KubernetesObject | undefined {
  const object = ApiObject.safeParse(value);
  return object.success ? (object.data as KubernetesObject) : undefined;
}

/** @throws {KubernetesError} where the answer is no list. */
export function readPage(answer: ApiAnswer, type: ResourceType, context: AnswerContext): Page {
  const page = ListPage.safeParse(readJson(answer, context));
  if (!page.success) return fail(context, 'a list of objects');
  const { metadata, items } = page.data;
  return {
    // The items of a list don't say what they are.
    objects: (items ?? []).map(
      (item) => ({ ...item, apiVersion: type.apiVersion, kind: type.kind }) as KubernetesObject,
    ),
    resourceVersion: metadata.resourceVersion ?? '',
    next: metadata.continue ?? '',
  };
}

/** @throws {KubernetesError} where the answer is no JSON. */
export function readJson(answer: ApiAnswer, context: AnswerContext): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return fail(context, 'JSON');
    throw error;
  }
}

/** Says that something answered which is no Kubernetes API, such as a log-in page. */
export function fail({ host, operation }: AnswerContext, expected: string): never {
  throw new KubernetesError({
    operation,
    message: `${host} answered ${toOneLine(operation, 100)} with something else than ${expected}. Check that the address is a Kubernetes API server's.`,
  });
}

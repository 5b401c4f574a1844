import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import type { AskedObject, ObjectAnswer } from '@sophia/rollout';
import * as z from 'zod/mini';
import { readOptional } from './survey-cluster.ts';

/** Looks for the ConfigMaps and Secrets that a kubelet misses. */
export type ObjectReader = {
  readonly answers: ReadonlyMap<string, ObjectAnswer>;
  /** Asks again each time, one question about an object at once. The answers come in their own time. */
  readonly ask: (objects: readonly AskedObject[], signal: AbortSignal) => void;
};

export function createObjectReader(cluster: Cluster): ObjectReader {
  const answers = new Map<string, ObjectAnswer>();
  const pending = new Set<string>();
  const look = async (asked: AskedObject, signal: AbortSignal) => {
    const { id, kind, namespace, name, key } = asked;
    const found = await readOptional(cluster, { apiVersion: 'v1', kind, namespace, name }, signal);
    answers.set(id, answerOf(found, key));
  };
  return {
    answers,
    ask: (objects, signal) => {
      for (const asked of objects.filter(({ id }) => !pending.has(id))) {
        pending.add(asked.id);
        look(asked, signal)
          // An answer that doesn't come leaves it unknown: the verdict takes longer and is the same.
          .catch(() => answers.set(asked.id, 'unknown'))
          .finally(() => pending.delete(asked.id));
      }
    },
  };
}

const dataSchema = z.object({
  data: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  binaryData: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
});

function answerOf(object: KubernetesObject | undefined | null, key: string | undefined): ObjectAnswer {
  if (object === null) return 'unknown';
  if (object === undefined) return 'missing';
  if (key === undefined) return 'there';
  const parsed = z.safeParse(dataSchema, object);
  if (!parsed.success) return 'unknown';
  const { data, binaryData } = parsed.data;
  return Object.hasOwn(data ?? {}, key) || Object.hasOwn(binaryData ?? {}, key) ? 'there' : 'missing';
}

import { isOutsideError } from '@sophia/action';
import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import type { DeployRecord } from '@sophia/records';
import type { Finding } from '@sophia/rollout';
import * as z from 'zod/mini';

export type Evidence = DeployRecord['evidence'];

const MOST_EVENTS = 30;
const LOG_LINES = 40;
const LOG_BYTES = 32_768;
const LINE_CHARACTERS = 500;

const eventSchema = z.object({
  involvedObject: z.object({ kind: z.optional(z.string()), name: z.optional(z.string()) }),
  reason: z.optional(z.nullable(z.string())),
  message: z.optional(z.nullable(z.string())),
  count: z.optional(z.nullable(z.number())),
  lastTimestamp: z.optional(z.nullable(z.string())),
  eventTime: z.optional(z.nullable(z.string())),
  metadata: z.object({ creationTimestamp: z.optional(z.nullable(z.string())) }),
});

export type EvidenceSearch = {
  readonly cluster: Cluster;
  readonly events: readonly KubernetesObject[];
  readonly finding: Finding;
  /** Names of the new Pods of the workload that failed. */
  readonly pods: readonly string[];
  /** Hides what must not be seen, such as the values of the Secrets that were deployed. */
  readonly redact: (text: string) => string;
  readonly signal: AbortSignal;
};

/** Gathers what a rollback would take away: the events of what failed and the last lines of its containers. */
export async function saveEvidence(search: EvidenceSearch): Promise<Evidence> {
  const { events, finding, pods } = search;
  const name = finding.subject.slice(finding.subject.lastIndexOf('/') + 1);
  const isOurs = (involved: string) =>
    pods.includes(involved) || involved === name || involved.startsWith(`${name}-`);
  const told = events.flatMap((object) => {
    const parsed = z.safeParse(eventSchema, object);
    return parsed.success && isOurs(parsed.data.involvedObject.name ?? '') ? [parsed.data] : [];
  });
  const lastSeenOf = (event: z.output<typeof eventSchema>) =>
    event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
  return {
    events: told
      .toSorted((a, b) => lastSeenOf(b).localeCompare(lastSeenOf(a)))
      .slice(0, MOST_EVENTS)
      .map((event) => ({
        subject: `${event.involvedObject.kind ?? ''} ${event.involvedObject.name ?? ''}`.trim(),
        reason: event.reason ?? '',
        message: cut(search.redact(event.message ?? '')),
        count: event.count ?? 1,
        lastSeen: lastSeenOf(event),
      })),
    logs: await readLogs(search),
  };
}

async function readLogs({ cluster, finding, redact, signal }: EvidenceSearch): Promise<Evidence['logs']> {
  const { container } = finding;
  if (container === undefined) return [];
  const runs = container.isPrevious ? [true, false] : [false, true];
  const logs = await Promise.all(
    runs.map(async (isPrevious) => {
      const text = await readLog(cluster, container, isPrevious, signal);
      const lines = text
        .split('\n')
        .filter((line) => line !== '')
        .slice(-LOG_LINES);
      return {
        pod: container.pod,
        container: container.name,
        isPrevious,
        lines: lines.map((line) => cut(redact(line))),
      };
    }),
  );
  return logs.filter(({ lines }) => lines.length > 0);
}

/** Empty where there is none: a container that never ran has no log, and a user may lack the right. */
async function readLog(
  cluster: Cluster,
  { namespace, pod, name }: NonNullable<Finding['container']>,
  isPrevious: boolean,
  signal: AbortSignal,
): Promise<string> {
  try {
    const selection = {
      namespace,
      pod,
      container: name,
      isPrevious,
      tailLines: LOG_LINES,
      limitBytes: LOG_BYTES,
    };
    return await cluster.readLog(selection, signal);
  } catch (error) {
    if (isOutsideError(error)) return '';
    throw error;
  }
}

function cut(line: string): string {
  return line.length > LINE_CHARACTERS ? `${line.slice(0, LINE_CHARACTERS)}…` : line;
}

/** Values that must not be seen: those of the Secrets among the manifests, as written and as the Pods get them. */
export function secretValuesOf(objects: readonly KubernetesObject[]): readonly string[] {
  const schema = z.object({
    data: z.optional(z.nullable(z.record(z.string(), z.string()))),
    stringData: z.optional(z.nullable(z.record(z.string(), z.string()))),
  });
  return objects
    .filter(({ apiVersion, kind }) => apiVersion === 'v1' && kind === 'Secret')
    .flatMap((object) => {
      const parsed = z.safeParse(schema, object);
      if (!parsed.success) return [];
      const encoded = Object.values(parsed.data.data ?? {});
      const decoded = encoded.map((value) => Buffer.from(value, 'base64').toString('utf8'));
      return [...encoded, ...decoded, ...Object.values(parsed.data.stringData ?? {})];
    })
    .flatMap((value) => [value, ...value.split('\n')])
    .map((value) => value.trim())
    .filter((value) => value.length >= 4);
}

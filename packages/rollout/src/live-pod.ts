import * as z from 'zod/mini';
import { conditions, flag, loose, metadataSchema, text, wholeNumber } from './workload.ts';

const probeSchema = loose(
  z.object({
    initialDelaySeconds: wholeNumber,
    periodSeconds: wholeNumber,
    timeoutSeconds: wholeNumber,
    failureThreshold: wholeNumber,
    httpGet: loose(z.object({ path: text, port: loose(z.union([z.string(), z.number()])) })),
  }),
);

const terminatedSchema = loose(
  z.object({
    exitCode: wholeNumber,
    reason: text,
    message: text,
    startedAt: text,
    finishedAt: text,
    containerID: text,
  }),
);

const quantities = loose(z.record(z.string(), z.unknown()));

const containerSchema = z.object({
  name: z.string(),
  image: text,
  restartPolicy: text,
  startupProbe: probeSchema,
  readinessProbe: probeSchema,
  resources: loose(z.object({ limits: quantities, requests: quantities })),
});

const statusSchema = z.object({
  name: z.string(),
  ready: flag,
  started: flag,
  restartCount: wholeNumber,
  imageID: text,
  state: loose(
    z.object({
      waiting: loose(z.object({ reason: text, message: text })),
      running: loose(z.object({ startedAt: text })),
      terminated: terminatedSchema,
    }),
  ),
  lastState: loose(z.object({ terminated: terminatedSchema })),
});

/** A list of which entries that can't be read are left out. */
export function listOf<T extends z.ZodMiniType>(schema: T) {
  return z.pipe(
    loose(z.array(z.unknown())),
    z.transform((entries) => (entries ?? []).flatMap((entry) => z.safeParse(schema, entry).data ?? [])),
  );
}

const podSchema = z.object({
  metadata: metadataSchema,
  spec: loose(
    z.object({
      nodeName: text,
      restartPolicy: text,
      schedulerName: text,
      containers: listOf(containerSchema),
      initContainers: listOf(containerSchema),
    }),
  ),
  status: loose(
    z.object({
      phase: text,
      reason: text,
      message: text,
      nominatedNodeName: text,
      conditions,
      containerStatuses: listOf(statusSchema),
      initContainerStatuses: listOf(statusSchema),
    }),
  ),
});

export type Probe = NonNullable<z.output<typeof probeSchema>>;
export type Termination = NonNullable<z.output<typeof terminatedSchema>>;

/** A container of a Pod: what was asked for and what became of it. */
export type LiveContainer = {
  readonly name: string;
  readonly image: string;
  /** One that must end before the Pod's containers begin. */
  readonly isInit: boolean;
  readonly startupProbe: Probe | undefined;
  readonly readinessProbe: Probe | undefined;
  /** As the manifest writes it. */
  readonly memoryLimit: string | undefined;
  readonly usesGpu: boolean;
  readonly waiting: { readonly reason: string; readonly message: string } | undefined;
  readonly runningSinceMs: number | undefined;
  readonly terminated: Termination | undefined;
  readonly lastTerminated: Termination | undefined;
  readonly isReady: boolean;
  readonly isStarted: boolean;
  readonly restarts: number;
  readonly hasImage: boolean;
};

/** A Pod of the rollout as the API has it. */
export type LivePod = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerUids: readonly string[];
  readonly createdMs: number | undefined;
  readonly deletionMs: number | undefined;
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly nodeName: string | undefined;
  readonly nominatedNodeName: string | undefined;
  readonly restartPolicy: string;
  readonly isReady: boolean;
  /** Reason and message of `PodScheduled=False`; undefined where there is no such condition. */
  readonly unscheduled: { readonly reason: string; readonly message: string } | undefined;
  readonly containers: readonly LiveContainer[];
  /** The object itself. */
  readonly document: unknown;
};

/** Undefined where it is no Pod that can be read. */
export function readLivePod(document: unknown): LivePod | undefined {
  const parsed = z.safeParse(podSchema, document);
  const name = parsed.data?.metadata.name;
  if (!parsed.success || name === undefined) return undefined;
  const { metadata, spec, status } = parsed.data;
  return {
    ...readIdentity(name, metadata),
    ...readStatus(status),
    nodeName: nonEmpty(spec?.nodeName),
    restartPolicy: spec?.restartPolicy ?? 'Always',
    containers: [
      ...readContainers(true, spec?.initContainers, status?.initContainerStatuses),
      ...readContainers(false, spec?.containers, status?.containerStatuses),
    ],
    document,
  };
}

function readIdentity(
  name: string,
  metadata: z.output<typeof metadataSchema>,
): Pick<LivePod, 'name' | 'namespace' | 'uid' | 'labels' | 'ownerUids' | 'createdMs' | 'deletionMs'> {
  return {
    name,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid ?? `${metadata.namespace ?? ''}/${name}`,
    labels: metadata.labels ?? {},
    ownerUids: (metadata.ownerReferences ?? []).flatMap(({ uid }) => uid ?? []),
    createdMs: toMs(metadata.creationTimestamp),
    deletionMs: toMs(metadata.deletionTimestamp),
  };
}

function readStatus(
  status: z.output<typeof podSchema>['status'],
): Pick<LivePod, 'phase' | 'reason' | 'message' | 'nominatedNodeName' | 'isReady' | 'unscheduled'> {
  const all = status?.conditions ?? [];
  const scheduled = all.find(({ type }) => type === 'PodScheduled');
  return {
    phase: status?.phase ?? 'Pending',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    nominatedNodeName: nonEmpty(status?.nominatedNodeName),
    isReady: all.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    unscheduled:
      scheduled?.status === 'False'
        ? { reason: scheduled.reason ?? '', message: scheduled.message ?? '' }
        : undefined,
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function readContainers(
  isInitList: boolean,
  containers: readonly z.output<typeof containerSchema>[] | undefined,
  statuses: readonly z.output<typeof statusSchema>[] | undefined,
): readonly LiveContainer[] {
  return (containers ?? []).map((container) => readContainer(container, isInitList, statuses ?? []));
}

function readContainer(
  container: z.output<typeof containerSchema>,
  isInitList: boolean,
  statuses: readonly z.output<typeof statusSchema>[],
): LiveContainer {
  const status = statuses.find(({ name }) => name === container.name);
  const { waiting, running, terminated } = status?.state ?? {};
  const limits = container.resources?.limits ?? {};
  const memory = limits['memory'];
  return {
    name: container.name,
    image: container.image ?? '',
    isInit: isInitList && container.restartPolicy !== 'Always',
    startupProbe: container.startupProbe,
    readinessProbe: container.readinessProbe,
    memoryLimit: memory === undefined ? undefined : String(memory),
    usesGpu: Object.keys({ ...limits, ...container.resources?.requests }).some((key) =>
      /\/(?:gpu|mig-)/.test(key),
    ),
    waiting:
      waiting === undefined ? undefined : { reason: waiting.reason ?? '', message: waiting.message ?? '' },
    runningSinceMs: running === undefined ? undefined : (toMs(running.startedAt) ?? 0),
    terminated,
    lastTerminated: status?.lastState?.terminated,
    isReady: status?.ready ?? false,
    isStarted: status?.started ?? false,
    restarts: status?.restartCount ?? 0,
    hasImage: (status?.imageID ?? '') !== '',
  };
}

/** ISO 8601 ▶ milliseconds since 1970; undefined where it is no time. */
export function toMs(time: string | undefined): number | undefined {
  if (time === undefined) return undefined;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

import * as z from 'zod/mini';
import { type Amounts, absentable, amounts, readObject, textMap } from './api-object.ts';
import { nodeSelectorSchema, type Term } from './node-affinity.ts';
import { type Toleration, tolerationSchema } from './taints.ts';

/** What a container, init container or sidecar takes. */
export type Container = {
  readonly name: string;
  readonly image: string;
  /** As the API server completes them: a missing request is the limit. */
  readonly requests: Amounts;
  /** An init container with `restartPolicy: Always`. */
  readonly isSidecar: boolean;
  /** Granted by the kubelet, and in effect: they differ from `requests` while a resize is under way. */
  readonly allocated: Amounts | undefined;
  readonly actual: Amounts | undefined;
};

/** A port that the Pod takes on its node. */
export type HostPort = { readonly ip: string; readonly protocol: string; readonly port: number };

/** What can keep a Pod away from a node and isn't judged here. */
export type UnjudgedConstraint =
  | 'topology-spread'
  | 'pod-affinity'
  | 'pod-anti-affinity'
  | 'existing-pod-anti-affinity'
  | 'resource-claim'
  | 'volume'
  | 'other-scheduler'
  | 'scheduling-gate'
  | 'scheduling-group'
  | 'toleration-operator';

/** What scheduling reads of a Pod. */
export type Pod = {
  readonly namespace: string;
  /** `''` for one made from a template. */
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly phase: string;
  readonly priority: number;
  readonly nodeName: string | undefined;
  /** Promised by a preemption whose victims still end. */
  readonly nominatedNodeName: string | undefined;
  readonly isTerminating: boolean;
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
  /** `spec.resources`: of the Pod as a whole. */
  readonly wholePod: { readonly requests: Amounts; readonly limits: Amounts };
  readonly overhead: Amounts;
  readonly hostPorts: readonly HostPort[];
  readonly nodeSelector: ReadonlyMap<string, string>;
  /** Required node affinity; undefined when there is none, which is not the same as no terms. */
  readonly nodeAffinity: readonly Term[] | undefined;
  readonly tolerations: readonly Toleration[];
  /** Each with what it names: `PersistentVolumeClaim "models"`. */
  readonly unjudged: readonly { readonly constraint: UnjudgedConstraint; readonly detail: string }[];
  readonly repelsOthers: boolean;
};

const text = absentable(z.string());
const anything = absentable(z.array(z.unknown()));
const required = absentable(z.object({ requiredDuringSchedulingIgnoredDuringExecution: anything }));

const resources = absentable(z.object({ requests: absentable(amounts), limits: absentable(amounts) }));

const containerSchema = z.object({
  name: z.string(),
  image: text,
  resources,
  restartPolicy: text,
  ports: absentable(
    z.array(
      z.object({
        containerPort: z.int(),
        hostPort: absentable(z.int()),
        hostIP: text,
        protocol: text,
      }),
    ),
  ),
});

const statusesSchema = absentable(
  z.array(z.object({ name: z.string(), resources, allocatedResources: absentable(amounts) })),
);

const specSchema = z.object({
  containers: z.array(containerSchema),
  initContainers: absentable(z.array(containerSchema)),
  resources,
  overhead: absentable(amounts),
  nodeName: text,
  nodeSelector: absentable(textMap),
  affinity: absentable(
    z.object({
      nodeAffinity: absentable(
        z.object({ requiredDuringSchedulingIgnoredDuringExecution: absentable(nodeSelectorSchema) }),
      ),
      podAffinity: required,
      podAntiAffinity: required,
    }),
  ),
  tolerations: absentable(z.array(tolerationSchema)),
  topologySpreadConstraints: absentable(
    z.array(z.object({ topologyKey: z.string(), whenUnsatisfiable: text })),
  ),
  schedulingGates: absentable(z.array(z.object({ name: z.string() }))),
  schedulerName: text,
  schedulingGroup: z.optional(z.unknown()),
  workloadRef: z.optional(z.unknown()),
  priority: absentable(z.int()),
  hostNetwork: absentable(z.boolean()),
  resourceClaims: absentable(z.array(z.object({ name: z.string() }))),
  volumes: absentable(z.array(z.looseObject({ name: z.string() }))),
});

const podSchema = z.object({
  metadata: absentable(
    z.object({ name: text, namespace: text, labels: absentable(textMap), deletionTimestamp: text }),
  ),
  spec: specSchema,
  status: absentable(
    z.object({
      phase: text,
      nominatedNodeName: text,
      containerStatuses: statusesSchema,
      initContainerStatuses: statusesSchema,
    }),
  ),
});

type Spec = z.output<typeof specSchema>;
type Statuses = z.output<typeof statusesSchema>;

/**
 * Reads a Pod as the API gives it, or a Pod template (`spec.template` of a Deployment).
 *
 * What the API server would fill in is filled in where it is certain: requests from limits, host ports of a Pod on the
 * host's network. A Pod that a server dry-run returned is better input than a template: LimitRanges and webhooks
 * may add to it.
 *
 * @throws {InvalidObjectError} Names the field.
 */
export function parsePod(document: unknown): Pod {
  const { metadata, spec, status } = readObject('Pod', podSchema, document);
  const read = (statuses: Statuses) => (container: z.output<typeof containerSchema>) =>
    readContainer(container, statuses);
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    labels: new Map(Object.entries(metadata?.labels ?? {})),
    phase: status?.phase ?? 'Pending',
    priority: spec.priority ?? 0,
    nodeName: nonEmpty(spec.nodeName),
    nominatedNodeName: nonEmpty(status?.nominatedNodeName),
    isTerminating: nonEmpty(metadata?.deletionTimestamp) !== undefined,
    containers: spec.containers.map(read(status?.containerStatuses)),
    initContainers: (spec.initContainers ?? []).map(read(status?.initContainerStatuses)),
    wholePod: {
      requests: spec.resources?.requests ?? new Map(),
      limits: spec.resources?.limits ?? new Map(),
    },
    overhead: spec.overhead ?? new Map(),
    hostPorts: findHostPorts(spec),
    nodeSelector: new Map(Object.entries(spec.nodeSelector ?? {})),
    nodeAffinity: spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? undefined,
    tolerations: spec.tolerations ?? [],
    unjudged: findUnjudged(spec),
    repelsOthers: hasTerms(spec.affinity?.podAntiAffinity),
  };
}

function nonEmpty(value: string | null | undefined): string | undefined {
  return value === null || value === '' ? undefined : value;
}

function readContainer(container: z.output<typeof containerSchema>, statuses: Statuses): Container {
  const status = (statuses ?? []).find(({ name }) => name === container.name);
  const { requests, limits } = container.resources ?? {};
  return {
    name: container.name,
    image: container.image ?? '',
    requests: new Map([...(limits ?? []), ...(requests ?? [])]),
    isSidecar: container.restartPolicy === 'Always',
    allocated: status?.allocatedResources ?? undefined,
    actual: status?.resources?.requests ?? undefined,
  };
}

function findHostPorts(spec: Spec): readonly HostPort[] {
  const longRunning = [
    ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
    ...spec.containers,
  ];
  return longRunning
    .flatMap(({ ports }) => ports ?? [])
    .map(({ hostPort, containerPort, hostIP, protocol }) => ({
      ip: nonEmpty(hostIP) ?? '0.0.0.0',
      protocol: nonEmpty(protocol) ?? 'TCP',
      port: hostPort ?? (spec.hostNetwork === true ? containerPort : 0),
    }))
    .filter(({ port }) => port > 0);
}

function hasTerms(affinity: z.output<typeof required>): boolean {
  return (affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
}

/** Volumes of these sources are made on any node. */
const anywhereVolumes = new Set([
  'configMap',
  'secret',
  'emptyDir',
  'projected',
  'downwardAPI',
  'hostPath',
  'image',
  'nfs',
  'gitRepo',
]);

function findUnjudged(spec: Spec): Pod['unjudged'] {
  const group = spec.schedulingGroup ?? spec.workloadRef ?? null;
  const spreads = (spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway',
  );
  return [
    ...(spec.schedulingGates ?? []).map(({ name }) =>
      unjudged('scheduling-gate', `scheduling gate ${JSON.stringify(name)}`),
    ),
    ...findForeignScheduler(spec),
    ...(group === null ? [] : [unjudged('scheduling-group', 'scheduling group')]),
    ...spreads.map(({ topologyKey }) => unjudged('topology-spread', `topology spread over ${topologyKey}`)),
    ...(hasTerms(spec.affinity?.podAffinity) ? [unjudged('pod-affinity', 'required Pod affinity')] : []),
    ...(hasTerms(spec.affinity?.podAntiAffinity)
      ? [unjudged('pod-anti-affinity', 'required Pod anti-affinity')]
      : []),
    ...(spec.resourceClaims ?? []).map(({ name }) =>
      unjudged('resource-claim', `resource claim ${JSON.stringify(name)}`),
    ),
    ...findBoundVolumes(spec),
  ];
}

function unjudged(constraint: UnjudgedConstraint, detail: string): Pod['unjudged'][number] {
  return { constraint, detail };
}

function findForeignScheduler({ schedulerName }: Spec): Pod['unjudged'] {
  const scheduler = nonEmpty(schedulerName) ?? 'default-scheduler';
  if (scheduler === 'default-scheduler') return [];
  return [unjudged('other-scheduler', `scheduler ${JSON.stringify(scheduler)}`)];
}

function findBoundVolumes({ volumes }: Spec): Pod['unjudged'] {
  return (volumes ?? []).flatMap(({ name, ...sources }) => {
    const source = Object.keys(sources).find(
      (key) => !anywhereVolumes.has(key) && (sources[key] ?? null) !== null,
    );
    return source === undefined
      ? []
      : [unjudged('volume', `volume ${JSON.stringify(name)} from ${JSON.stringify(source)}`)];
  });
}

import * as z from 'zod/mini';
import type { Finding } from './finding.ts';
import { shorten, writeLine } from './finding-text.ts';
import { listOf } from './live-pod.ts';
import { flag, loose, metadataSchema, nameWorkload, readWorkload, text } from './workload.ts';

/** Which object. `namespace` is undefined for kinds that have none. */
export type DependencyKey = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
};

/** Something that a workload's Pods can't do without. */
export type Dependency = {
  readonly key: DependencyKey;
  /** `Deployment inference/vllm` */
  readonly subject: string;
  /** Where it is named: `spec.template.spec.containers[0].env[2].valueFrom.secretKeyRef`. */
  readonly field: string;
  /** Entry of a ConfigMap or Secret; undefined where the object as such is meant. */
  readonly entry: string | undefined;
  /** False for a pull secret: a kubelet goes on without it. */
  readonly isNeeded: boolean;
};

const itemsSchema = listOf(z.object({ key: text }));
const nameRef = loose(z.object({ name: text, optional: flag }));
const keyRef = loose(z.object({ name: text, key: text, optional: flag }));

const containerSchema = z.object({
  envFrom: listOf(z.object({ configMapRef: nameRef, secretRef: nameRef })),
  env: listOf(z.object({ valueFrom: loose(z.object({ configMapKeyRef: keyRef, secretKeyRef: keyRef })) })),
});

const sourceSchema = z.object({
  configMap: loose(z.object({ name: text, optional: flag, items: itemsSchema })),
  secret: loose(z.object({ secretName: text, name: text, optional: flag, items: itemsSchema })),
});

const volumeSchema = z.extend(sourceSchema, {
  persistentVolumeClaim: loose(z.object({ claimName: text })),
  projected: loose(z.object({ sources: listOf(sourceSchema) })),
});

const podSpecSchema = z.object({
  serviceAccountName: text,
  priorityClassName: text,
  runtimeClassName: text,
  imagePullSecrets: listOf(z.object({ name: text })),
  containers: listOf(containerSchema),
  initContainers: listOf(containerSchema),
  volumes: listOf(volumeSchema),
});

type PodSpec = z.output<typeof podSpecSchema>;
type Source = z.output<typeof sourceSchema>;

/** What is named, before it is known whose it is. */
type Reference = Pick<Dependency, 'field' | 'entry' | 'isNeeded'> & {
  readonly kind: keyof typeof kinds;
  readonly name: string;
};

const kinds = {
  ConfigMap: { apiVersion: 'v1', isNamespaced: true },
  Secret: { apiVersion: 'v1', isNamespaced: true },
  PersistentVolumeClaim: { apiVersion: 'v1', isNamespaced: true },
  ServiceAccount: { apiVersion: 'v1', isNamespaced: true },
  PriorityClass: { apiVersion: 'scheduling.k8s.io/v1', isNamespaced: false },
  RuntimeClass: { apiVersion: 'node.k8s.io/v1', isNamespaced: false },
} as const;

/**
 * Lists what the Pods of a workload refer to, without what is `optional: true`. Empty for an object without Pods.
 *
 * @param workload A Deployment, StatefulSet, DaemonSet, Job or Pod, from the manifests or the API.
 */
export function listDependencies(workload: unknown): readonly Dependency[] {
  const read = readWorkload(workload);
  if (read === undefined) return [];
  const isPod = read.kind === 'Pod';
  const found = isPod
    ? z.safeParse(z.object({ spec: podSpecSchema }), workload).data?.spec
    : z.safeParse(z.object({ spec: z.object({ template: z.object({ spec: podSpecSchema }) }) }), workload)
        .data?.spec.template.spec;
  if (found === undefined) return [];
  const root = isPod ? 'spec' : 'spec.template.spec';
  const subject = nameWorkload(read);
  return findReferences(found).map(({ kind, name, field, entry, isNeeded }) => {
    const { apiVersion, isNamespaced } = kinds[kind];
    const namespace = isNamespaced ? read.metadata.namespace : undefined;
    return {
      key: { apiVersion, kind, namespace, name },
      subject,
      field: `${root}.${field}`,
      entry,
      isNeeded,
    };
  });
}

function findReferences(spec: PodSpec): readonly Reference[] {
  const named = (kind: Reference['kind'], name: string | undefined, field: string): readonly Reference[] =>
    name === undefined || name === '' ? [] : [{ kind, name, field, entry: undefined, isNeeded: true }];
  // The default account is made with every namespace.
  const account = spec.serviceAccountName === 'default' ? undefined : spec.serviceAccountName;
  return [
    ...named('ServiceAccount', account, 'serviceAccountName'),
    ...named('PriorityClass', spec.priorityClassName, 'priorityClassName'),
    ...named('RuntimeClass', spec.runtimeClassName, 'runtimeClassName'),
    ...spec.imagePullSecrets.flatMap(({ name }, index) =>
      named('Secret', name, `imagePullSecrets[${index}]`).map((one) => ({ ...one, isNeeded: false })),
    ),
    ...spec.initContainers.flatMap((container, index) => inContainer(container, `initContainers[${index}]`)),
    ...spec.containers.flatMap((container, index) => inContainer(container, `containers[${index}]`)),
    ...spec.volumes.flatMap((volume, index) => [
      ...inSource(volume, `volumes[${index}]`),
      ...(volume.projected?.sources ?? []).flatMap((source, part) =>
        inSource(source, `volumes[${index}].projected.sources[${part}]`),
      ),
      ...named(
        'PersistentVolumeClaim',
        volume.persistentVolumeClaim?.claimName,
        `volumes[${index}].persistentVolumeClaim`,
      ),
    ]),
  ];
}

function inContainer(container: z.output<typeof containerSchema>, path: string): readonly Reference[] {
  return [
    ...container.envFrom.flatMap(({ configMapRef, secretRef }, index) => [
      ...refer('ConfigMap', configMapRef, `${path}.envFrom[${index}].configMapRef`),
      ...refer('Secret', secretRef, `${path}.envFrom[${index}].secretRef`),
    ]),
    ...container.env.flatMap(({ valueFrom }, index) => [
      ...refer('ConfigMap', valueFrom?.configMapKeyRef, `${path}.env[${index}].valueFrom.configMapKeyRef`),
      ...refer('Secret', valueFrom?.secretKeyRef, `${path}.env[${index}].valueFrom.secretKeyRef`),
    ]),
  ];
}

function inSource({ configMap, secret }: Source, path: string): readonly Reference[] {
  const items = (source: Source['configMap'] | Source['secret']) =>
    (source?.items ?? []).length === 0 ? [undefined] : (source?.items ?? []).map(({ key }) => key);
  return [
    ...items(configMap).flatMap((key) =>
      refer('ConfigMap', configMap && { ...configMap, key }, `${path}.configMap`),
    ),
    ...items(secret).flatMap((key) =>
      refer('Secret', secret && { ...secret, name: secret.secretName ?? secret.name, key }, `${path}.secret`),
    ),
  ];
}

function refer(
  kind: Reference['kind'],
  ref:
    | {
        readonly name?: string | undefined;
        readonly key?: string | undefined;
        readonly optional?: boolean | undefined;
      }
    | undefined,
  field: string,
): readonly Reference[] {
  const name = ref?.name;
  if (name === undefined || name === '' || ref?.optional === true) return [];
  return [{ kind, name, field, entry: ref?.key, isNeeded: true }];
}

/**
 * Says which dependencies are neither in the cluster nor among the manifests. Where a manifest has an operator make it
 * (an ExternalSecret, a Certificate), that is only a warning.
 *
 * @param findExisting The object as it is in the cluster; undefined where there is none, null where that can't be told
 *   (this user may not read it).
 * @param manifests All objects that are applied together.
 */
export function findMissingDependencies(
  dependencies: readonly Dependency[],
  findExisting: (key: DependencyKey) => unknown,
  manifests: readonly unknown[],
): readonly Finding[] {
  const set = manifests.flatMap((manifest) => readManifest(manifest));
  const missing = dependencies.filter(({ key, entry }) => {
    const written = set.find((one) => isSame(one, key));
    // What is applied is merged into what is there.
    const objects = [written?.document, findExisting(key)];
    if (objects.includes(null)) return false;
    return !objects.some(
      (object) => object !== undefined && (entry === undefined || hasEntry(object, entry)),
    );
  });
  const isThere = ({ key }: Dependency) =>
    findExisting(key) !== undefined || set.some((one) => isSame(one, key));
  const byObject = Map.groupBy(missing, (one) =>
    JSON.stringify([one.subject, one.key, isThere(one) ? one.entry : undefined]),
  );
  return [...byObject.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [toFinding(first, same, findMaker(first.key, set), isThere(first))];
  });
}

const manifestSchema = z.object({
  kind: text,
  metadata: metadataSchema,
  spec: loose(
    z.looseObject({
      secretName: text,
      target: loose(z.object({ name: text })),
      destination: loose(z.object({ name: text })),
    }),
  ),
});

type ReadManifest = z.output<typeof manifestSchema> & { readonly document: unknown };

function readManifest(document: unknown): readonly ReadManifest[] {
  const parsed = z.safeParse(manifestSchema, document);
  return parsed.success ? [{ ...parsed.data, document }] : [];
}

function isSame({ kind, metadata }: ReadManifest, key: DependencyKey): boolean {
  return kind === key.kind && metadata.name === key.name && isIn(metadata.namespace, key.namespace);
}

/** A manifest that names no namespace is applied to the same as its neighbours. */
function isIn(namespace: string | undefined, wanted: string | undefined): boolean {
  return namespace === undefined || wanted === undefined || namespace === wanted;
}

const entriesSchema = z.object({
  data: loose(z.record(z.string(), z.unknown())),
  binaryData: loose(z.record(z.string(), z.unknown())),
  stringData: loose(z.record(z.string(), z.unknown())),
});

function hasEntry(object: unknown, entry: string): boolean {
  const { data, binaryData, stringData } = z.safeParse(entriesSchema, object).data ?? {};
  return [data, binaryData, stringData].some((part) => part !== undefined && Object.hasOwn(part, entry));
}

/** The manifest by which an operator makes a Secret of this name. */
function findMaker(key: DependencyKey, set: readonly ReadManifest[]): ReadManifest | undefined {
  if (key.kind !== 'Secret') return undefined;
  return set.find(
    ({ kind, metadata, spec }) =>
      kind !== undefined &&
      isIn(metadata.namespace, key.namespace) &&
      madeBy[kind]?.({ name: metadata.name, spec }) === key.name,
  );
}

type MakerFields = { readonly name: string | undefined; readonly spec: ReadManifest['spec'] };

/** Kinds that make a Secret, and the name it gets. */
const madeBy: Readonly<Record<string, ((fields: MakerFields) => string | undefined) | undefined>> = {
  ExternalSecret: ({ name, spec }) => spec?.target?.name ?? name,
  SealedSecret: ({ name }) => name,
  Certificate: ({ spec }) => spec?.secretName,
  VaultStaticSecret: ({ spec }) => spec?.destination?.name,
  VaultDynamicSecret: ({ spec }) => spec?.destination?.name,
  OnePasswordItem: ({ name }) => name,
};

function toFinding(
  { subject, key, entry }: Dependency,
  all: readonly Dependency[],
  maker: ReadManifest | undefined,
  isPresent: boolean,
): Finding {
  const what = `${key.kind} ${shorten(key.name, 63)}`;
  const seen =
    entry === undefined || !isPresent
      ? `${what} is neither in the cluster nor in the manifests`
      : `${what} has no key ${shorten(entry, 63)}`;
  const isNeeded = all.some((one) => one.isNeeded);
  const fields = all.map(({ field }) => field);
  const fix =
    maker !== undefined
      ? `See that ${maker.kind} ${maker.metadata.name ?? ''} is synced`
      : entry === undefined || !isPresent
        ? 'Create it, or add it to the manifests'
        : 'Add the key, or correct its name';
  return {
    code: 'dependency-missing',
    class: maker === undefined && isNeeded ? 'refused' : 'suspected',
    subject,
    message: writeLine(subject, {
      wrong:
        maker === undefined ? (isNeeded ? 'cannot start' : 'may not get its image') : 'waits for an operator',
      seen: [seen, fields.length === 1 ? (fields[0] ?? '') : `${fields[0]} and ${fields.length - 1} more`],
      fix,
    }),
    details: fields.map((field) => `Named by ${field}.`),
    nodes: [],
    container: undefined,
  };
}

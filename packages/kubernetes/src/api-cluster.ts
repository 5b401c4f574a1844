import * as z from 'zod/mini';
import { fail, readJson, readObject, readPage } from './api-objects.ts';
import type {
  AccessQuestion,
  ApplyOptions,
  Cluster,
  KubernetesObject,
  LogSelection,
  ObjectKey,
  RemoveOptions,
  ResourceType,
  Selection,
  WriteOptions,
} from './cluster.ts';
import { createDiscovery, type Discovery, isHtml, pathOfVersion } from './discovery.ts';
import type { Endpoint } from './endpoint.ts';
import { KubernetesError } from './kubernetes-error.ts';
import type { Transport } from './transport.ts';
import { type Listing, watchObjects } from './watch.ts';

const LIST_PAGE = 500;
/** How often a list is begun anew whose next page has expired before it is asked for whole. */
const MAX_LIST_STARTS = 3;
const MAX_LOG_BYTES = 16 * 1024 * 1024;

type Ask = {
  readonly transport: Transport;
  readonly namespace: string;
  readonly typeOf: (
    object: { readonly apiVersion: string; readonly kind: string },
    operation: string,
    signal: AbortSignal | undefined,
  ) => Promise<ResourceType>;
  readonly findType: Discovery['findType'];
  readonly log: (line: string) => void;
};

/** The calls of a cluster, made through a transport. */
export function createCluster(
  endpoint: Endpoint,
  transport: Transport,
  log: (line: string) => void,
): Cluster {
  const discovery = createDiscovery(transport);
  const ask: Ask = {
    transport,
    namespace: endpoint.namespace,
    findType: discovery.findType,
    typeOf: async ({ apiVersion, kind }, operation, signal) => {
      const type = await discovery.findType(apiVersion, kind, signal);
      if (type !== undefined) return type;
      throw new KubernetesError({
        operation,
        status: 404,
        reason: 'NotFound',
        message: `${transport.host} serves no ${kind} of ${apiVersion}, so it can't ${operation}. Install its CustomResourceDefinition, or correct apiVersion and kind.`,
      });
    },
    log,
  };
  return {
    address: endpoint.server.href.replace(/\/$/, ''),
    namespace: endpoint.namespace,
    findType: (apiVersion, kind) => discovery.findType(apiVersion, kind),
    rediscover: discovery.forget,
    read: (key, signal) => read(ask, key, signal),
    list: async (selection, signal) => (await list(ask, selection, signal)).objects,
    watch: (selection, signal) => watch(ask, selection, signal),
    apply: (object, options) => apply(ask, object, options),
    create: (object, options = {}) => create(ask, object, options),
    patch: (key, patch, options = {}) => patchObject(ask, key, patch, options),
    remove: (key, options = {}) => remove(ask, key, options),
    readLog: (selection, signal) => readLog(ask, selection, signal),
    isAllowed: (question, signal) => isAllowed(ask, question, signal),
  };
}

function nameOf(key: ObjectKey): string {
  return `${key.kind} ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`;
}

function keyOf({ apiVersion, kind, metadata }: KubernetesObject): ObjectKey {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

/** Where objects of a kind are; without a namespace in that of the context, as kubectl does. */
function pathOfType(type: ResourceType, namespace: string | undefined): string {
  const inNamespace =
    type.isNamespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${pathOfVersion(type.apiVersion)}${inNamespace}/${encodeURIComponent(type.plural)}`;
}

function pathOfObject(ask: Ask, type: ResourceType, key: ObjectKey): string {
  return `${pathOfType(type, key.namespace ?? ask.namespace)}/${encodeURIComponent(key.name)}`;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function read(
  ask: Ask,
  key: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<KubernetesObject | undefined> {
  const operation = `read ${nameOf(key)}`;
  const type = await ask.findType(key.apiVersion, key.kind, signal);
  if (type === undefined) return undefined;
  const path = pathOfObject(ask, type, key);
  const answer = await ask.transport.send(
    { method: 'GET', path, operation, isRepeatable: true, signal },
    [404],
  );
  const context = { host: ask.transport.host, operation };
  if (answer.status !== 404) return readObject(answer, context);
  return isHtml(answer.body) ? fail(context, 'an answer of the API') : undefined;
}

function operationOf(verb: string, { kind, namespace }: Selection): string {
  return `${verb} ${kind} objects${namespace === undefined ? '' : ` in ${namespace}`}`;
}

async function list(ask: Ask, selection: Selection, signal: AbortSignal | undefined): Promise<Listing> {
  const operation = operationOf('list', selection);
  const type = await ask.typeOf(selection, operation, signal);
  for (let starts = 1; ; starts += 1) {
    // The last start asks for one page: it can't expire half-way.
    const limit = starts > MAX_LIST_STARTS ? undefined : LIST_PAGE;
    const listing = await listPages(ask, type, selection, { operation, limit, signal });
    if (listing !== undefined) return listing;
    ask.log(`${ask.transport.host}: ${operation}: expired between two pages; starting over`);
  }
}

async function listPages(
  { transport }: Ask,
  type: ResourceType,
  selection: Selection,
  how: {
    readonly operation: string;
    readonly limit: number | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Listing | undefined> {
  const { operation, limit, signal } = how;
  const objects: KubernetesObject[] = [];
  const context = { host: transport.host, operation };
  for (let next = ''; ; ) {
    const path = withQuery(pathOfType(type, selection.namespace), {
      labelSelector: selection.labelSelector,
      fieldSelector: selection.fieldSelector,
      limit,
      continue: next,
    });
    const answer = await transport.send(
      { method: 'GET', path, operation, isRepeatable: true, signal },
      next === '' ? [] : [410],
    );
    if (answer.status === 410) return undefined;
    const page = readPage(answer, type, context);
    for (const object of page.objects) objects.push(object);
    if (page.next === '') return { objects, resourceVersion: page.resourceVersion };
    if (page.next === next) return fail(context, 'a next page');
    next = page.next;
  }
}

async function* watch(ask: Ask, selection: Selection, signal: AbortSignal): ReturnType<Cluster['watch']> {
  const operation = operationOf('watch', selection);
  const type = await ask.typeOf(selection, operation, signal).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (type === undefined) return;
  yield* watchObjects({
    transport: ask.transport,
    list: () => list(ask, selection, signal),
    pathFrom: (resourceVersion, timeoutSeconds) =>
      withQuery(pathOfType(type, selection.namespace), {
        watch: 1,
        allowWatchBookmarks: true,
        resourceVersion,
        timeoutSeconds,
        labelSelector: selection.labelSelector,
        fieldSelector: selection.fieldSelector,
      }),
    operation,
    signal,
    log: ask.log,
  });
}

async function apply(ask: Ask, object: KubernetesObject, options: ApplyOptions): Promise<KubernetesObject> {
  const key = keyOf(object);
  const operation = `apply ${nameOf(key)}`;
  const type = await ask.typeOf(key, operation, options.signal);
  const path = withQuery(pathOfObject(ask, type, key), {
    fieldManager: options.fieldManager,
    force: options.isForced ?? false,
    // Without it a misspelt field would be dropped with a mere warning.
    fieldValidation: 'Strict',
    dryRun: options.isDryRun === true ? 'All' : undefined,
  });
  const answer = await ask.transport.send({
    method: 'PATCH',
    path,
    contentType: 'application/apply-patch+yaml',
    body: JSON.stringify(object),
    operation,
    isRepeatable: true,
    signal: options.signal,
  });
  return readObject(answer, { host: ask.transport.host, operation });
}

async function create(ask: Ask, object: KubernetesObject, options: WriteOptions): Promise<KubernetesObject> {
  const key = keyOf(object);
  const operation = `create ${nameOf(key)}`;
  const type = await ask.typeOf(key, operation, options.signal);
  const isDryRun = options.isDryRun ?? false;
  const answer = await ask.transport.send({
    method: 'POST',
    path: withQuery(pathOfType(type, key.namespace ?? ask.namespace), {
      dryRun: isDryRun ? 'All' : undefined,
    }),
    body: JSON.stringify(object),
    operation,
    isRepeatable: isDryRun,
    signal: options.signal,
  });
  return readObject(answer, { host: ask.transport.host, operation });
}

const VersionedPatch = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

async function patchObject(
  ask: Ask,
  key: ObjectKey,
  patch: unknown,
  options: WriteOptions,
): Promise<KubernetesObject> {
  const operation = `patch ${nameOf(key)}`;
  const type = await ask.typeOf(key, operation, options.signal);
  const answer = await ask.transport.send({
    method: 'PATCH',
    path: withQuery(pathOfObject(ask, type, key), { dryRun: options.isDryRun === true ? 'All' : undefined }),
    contentType: 'application/merge-patch+json',
    body: JSON.stringify(patch),
    operation,
    // One that holds for a single version has missed it once it is refused.
    isRepeatable: !VersionedPatch.safeParse(patch).success,
    signal: options.signal,
  });
  return readObject(answer, { host: ask.transport.host, operation });
}

async function remove(ask: Ask, key: ObjectKey, options: RemoveOptions): Promise<boolean> {
  const operation = `delete ${nameOf(key)}`;
  const { isDryRun, uid, signal } = options;
  const type = await ask.findType(key.apiVersion, key.kind, signal);
  if (type === undefined) return false;
  const answer = await ask.transport.send(
    {
      method: 'DELETE',
      path: pathOfObject(ask, type, key),
      body: JSON.stringify({
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        ...(uid === undefined ? {} : { preconditions: { uid } }),
        ...(isDryRun === true ? { dryRun: ['All'] } : {}),
      }),
      operation,
      isRepeatable: true,
      signal,
    },
    uid === undefined ? [404] : [404, 409],
  );
  if (answer.status !== 404) return answer.status !== 409;
  return isHtml(answer.body) ? fail({ host: ask.transport.host, operation }, 'an answer of the API') : false;
}

async function readLog(ask: Ask, selection: LogSelection, signal: AbortSignal | undefined): Promise<string> {
  const { namespace, pod, container, isPrevious, tailLines, limitBytes } = selection;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
  const answer = await ask.transport.send({
    method: 'GET',
    path: withQuery(path, {
      container,
      previous: isPrevious === true ? true : undefined,
      tailLines,
      limitBytes: Math.min(limitBytes ?? MAX_LOG_BYTES, MAX_LOG_BYTES),
    }),
    operation: `read the log of ${container} in Pod ${namespace}/${pod}`,
    isRepeatable: true,
    signal,
  });
  return answer.body.toString('utf8');
}

const AccessReview = z.object({ status: z.object({ allowed: z.boolean() }) });

async function isAllowed(
  ask: Ask,
  question: AccessQuestion,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const [resource = '', subresource] = question.resource.split('/');
  const operation = `ask whether this user may ${question.verb} ${question.resource}`;
  const answer = await ask.transport.send({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          verb: question.verb,
          group: question.group,
          resource,
          ...(subresource === undefined ? {} : { subresource }),
          ...(question.namespace === undefined ? {} : { namespace: question.namespace }),
        },
      },
    }),
    operation,
    isRepeatable: true,
    signal,
  });
  const context = { host: ask.transport.host, operation };
  const review = AccessReview.safeParse(readJson(answer, context));
  return review.success ? review.data.status.allowed : fail(context, 'a SelfSubjectAccessReview');
}

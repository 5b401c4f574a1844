import { type Cluster, KubernetesError, type KubernetesObject, type Manifest } from '@sophia/kubernetes';
import { explainRefusal, type Finding } from '@sophia/rollout';
import { FIELD_MANAGER, isHandTool } from './field-ownership.ts';
import { isEqual } from './merge-patch.ts';
import { fieldsEntriesOf } from './owned-fields.ts';
import type { PlannedObject } from './plan.ts';
import { isTurnedToRecreate, keyOf, subjectOf, withoutStrategy, withStrategy } from './workload.ts';

/** What came of trying one object without writing it. */
export type Trial =
  | { readonly kind: 'accepted'; readonly planned: PlannedObject; readonly result: KubernetesObject }
  /** It can't be tried before something else of the set is there. */
  | { readonly kind: 'later'; readonly planned: PlannedObject }
  | { readonly kind: 'refused'; readonly planned: PlannedObject; readonly finding: Finding };

/**
 * Asks the API server what it would make of an object (server-side apply, dry run), and what is there now.
 *
 * @param made What the same manifests make: namespaces and custom resource definitions, which others wait for.
 * @throws {KubernetesError} The server failed, or refused in a way that isn't the manifest's fault.
 */
export async function tryObject(
  cluster: Cluster,
  manifest: Manifest,
  made: MadeHere,
  signal: AbortSignal,
): Promise<Trial> {
  const { object, source } = manifest;
  const key = keyOf(object);
  const plannedAs = (
    change: PlannedObject['change'],
    before?: KubernetesObject,
    isForced = false,
  ): PlannedObject => ({
    key,
    object,
    source,
    before,
    isForced,
    change,
  });
  const isServed = (await cluster.findType(object.apiVersion, object.kind)) !== undefined;
  if (!isServed) {
    if (made.kinds.has(`${groupOf(object.apiVersion)}/${object.kind}`))
      return { kind: 'later', planned: plannedAs('created') };
    return { kind: 'refused', planned: plannedAs('planned'), finding: refuseKind(manifest) };
  }
  if (key.namespace !== undefined && made.namespaces.has(key.namespace)) {
    return { kind: 'later', planned: plannedAs('created') };
  }
  const before = await cluster.read(key, signal);
  try {
    // What is turned to Recreate is patched first, which a dry run of the rest can't have seen.
    const isTurned = isTurnedToRecreate(object, before);
    const tried = await dryRun(cluster, isTurned ? withoutStrategy(object) : object, before, signal);
    const result = isTurned ? withStrategy(tried.result, { type: 'Recreate' }) : tried.result;
    const { isForced } = tried;
    const change = before === undefined ? 'created' : isSameBut(before, result) ? 'unchanged' : 'changed';
    return { kind: 'accepted', planned: plannedAs(change, before, isForced), result };
  } catch (error) {
    const finding = toRefusal(error, subjectOf(key), manifest);
    if (finding === undefined) throw error;
    return { kind: 'refused', planned: plannedAs('planned', before), finding };
  }
}

/** What the manifests themselves bring, that isn't there yet. */
export type MadeHere = {
  readonly namespaces: ReadonlySet<string>;
  /** `group/Kind` of custom resource definitions. */
  readonly kinds: ReadonlySet<string>;
};

export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

async function dryRun(
  cluster: Cluster,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
  signal: AbortSignal,
): Promise<{ readonly result: KubernetesObject; readonly isForced: boolean }> {
  const options = { fieldManager: FIELD_MANAGER, isDryRun: true, signal };
  try {
    return { result: await cluster.apply(object, options), isForced: false };
  } catch (error) {
    if (!isTakeover(error, before)) throw error;
    return { result: await cluster.apply(object, { ...options, isForced: true }), isForced: true };
  }
}

/** Whether a conflict is with hand tools only. The managers are read from the object: the answer has them in words. */
function isTakeover(error: unknown, before: KubernetesObject | undefined): boolean {
  if (!(error instanceof KubernetesError) || error.status !== 409 || before === undefined) return false;
  const causes = error.causes.filter(({ reason }) => reason === 'FieldManagerConflict');
  const entries = fieldsEntriesOf(before);
  return (
    causes.length > 0 &&
    causes.every(({ message }) => {
      const named = /conflict with "((?:[^"\\]|\\.)*)"/.exec(message)?.[1];
      return isHandTool(named) && entries.some(({ manager }) => manager === named);
    })
  );
}

/** Turns an answer that refuses an object into its finding, with the place it was written at. */
export function toRefusal(
  error: unknown,
  subject: string,
  manifest: Manifest | undefined,
): Finding | undefined {
  if (!(error instanceof KubernetesError)) return undefined;
  const { status, reason, answer, causes } = error;
  const finding = explainRefusal({ status, reason, answer, causes }, subject);
  if (finding === undefined || manifest === undefined) return finding;
  return { ...finding, details: [...finding.details, `Written in ${placeOf(manifest)}.`] };
}

function refuseKind(manifest: Manifest): Finding {
  const { object } = manifest;
  const subject = subjectOf(keyOf(object));
  return {
    code: 'kind-unknown',
    class: 'refused',
    subject,
    message: `${subject} can't be applied: the cluster serves no ${object.kind} of ${object.apiVersion}. Install its custom resource definition, or correct apiVersion and kind.`,
    details: [`Written in ${placeOf(manifest)}.`],
    nodes: [],
    container: undefined,
  };
}

/** `deploy/vllm.yaml, document 2, line 14`. */
function placeOf({ source }: Manifest): string {
  const line = source.line === undefined ? '' : `, line ${source.line}`;
  return `${source.file}, document ${source.document}${line}`;
}

/** Whether a write would change nothing that anybody wrote. */
function isSameBut(before: KubernetesObject, after: KubernetesObject): boolean {
  return isEqual(withoutBookkeeping(before), withoutBookkeeping(after));
}

/** An object without what the API server itself keeps in it. */
export function withoutBookkeeping(object: KubernetesObject): Readonly<Record<string, unknown>> {
  const { status: _status, metadata, ...rest } = object;
  const {
    managedFields: _fields,
    resourceVersion: _version,
    generation: _generation,
    uid: _uid,
    creationTimestamp: _created,
    ...kept
  } = metadata;
  return { ...rest, metadata: kept };
}

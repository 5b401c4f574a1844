import { isOutsideError } from '@sophia/action';
import type { Cluster, KubernetesObject } from '@sophia/kubernetes';
import { extractOwned, type FieldsEntry, fieldsEntriesOf } from './owned-fields.ts';
import { keyOf } from './workload.ts';

/** As whom fields are applied. */
export const FIELD_MANAGER = 'gpu-deploy';

/** As whom the API server knows our patches: by the start of the client's user agent. */
const PATCH_MANAGER = 'sophia-actions';

/**
 * Tools that people deploy the same manifests with: what they set may be taken over. Anything else that holds a field,
 * such as an autoscaler or an operator, means it.
 */
const HAND_TOOLS = /^(?:kubectl(?:-[a-z-]+)?|before-first-apply|gpu-deploy|sophia-actions)$/;

export function isHandTool(manager: string | undefined): boolean {
  return manager !== undefined && HAND_TOOLS.test(manager);
}

function isOurs({ manager, operation }: FieldsEntry): boolean {
  return manager === FIELD_MANAGER && operation === 'Apply';
}

function isOurPatch({ manager }: FieldsEntry): boolean {
  return manager === PATCH_MANAGER;
}

/** What this action, or a tool that it takes over from, had set in an object: to be applied again. */
export function extractApplied(object: KubernetesObject): KubernetesObject | undefined {
  return extractOwned(object, (entry) => isOurs(entry) || isHandTool(entry.manager));
}

/**
 * Makes what was patched count as applied, so that a later deployment without a field removes it.
 *
 * @param object As the API answered last.
 */
export async function adoptPatches(
  cluster: Cluster,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  const owned = extractOwned(object, (entry) => isOurs(entry) || isOurPatch(entry));
  if (owned === undefined) return object;
  const adopted = await cluster.apply(owned, { fieldManager: FIELD_MANAGER, isForced: true, signal });
  return forgetPatches(cluster, adopted, signal);
}

/** A controller writes the status of what was just changed, at any moment, and a server may be in trouble. */
const MOST_TRIES = 5;

/** The client doesn't repeat a patch of one version: whether it took effect shows when the object is read. */
function isWorthAnother(error: unknown): boolean {
  return isOutsideError(error) && (error.isTemporary || ('status' in error && error.status === 409));
}

/**
 * Takes our patches off the list of who owns what. They were means to an end, and a field that two own stays when one
 * of them gives it up. Where others write at every moment they are left.
 */
export async function forgetPatches(
  cluster: Cluster,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  let present: KubernetesObject | undefined = object;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if (present === undefined || !fieldsEntriesOf(present).some(isOurPatch)) return present ?? object;
    const { resourceVersion } = present.metadata;
    const all: unknown = present.metadata['managedFields'];
    const managedFields = Array.isArray(all) ? all.filter((entry: FieldsEntry) => !isOurPatch(entry)) : [];
    try {
      return await cluster.patch(keyOf(object), { metadata: { resourceVersion, managedFields } }, { signal });
    } catch (error) {
      if (!isWorthAnother(error)) throw error;
      present = await cluster.read(keyOf(object), signal);
    }
  }
  return present ?? object;
}

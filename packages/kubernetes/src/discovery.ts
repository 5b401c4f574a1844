import * as z from 'zod/mini';
import { fail, readJson } from './api-objects.ts';
import type { ResourceType } from './cluster.ts';
import type { Transport } from './transport.ts';
import { untilAborted } from './until-aborted.ts';

const ResourceList = z.object({
  kind: z.literal('APIResourceList'),
  resources: z.nullable(
    z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        namespaced: z.boolean(),
        verbs: z.optional(z.nullable(z.array(z.string()))),
      }),
    ),
  ),
});

export type Discovery = {
  readonly findType: (
    apiVersion: string,
    kind: string,
    signal?: AbortSignal,
  ) => Promise<ResourceType | undefined>;
  readonly forget: () => void;
};

/** Asks the API which kinds it serves, once for each group and version. */
export function createDiscovery(transport: Transport): Discovery {
  const known = new Map<string, Promise<ReadonlyMap<string, ResourceType>>>();
  return {
    findType: async (apiVersion, kind, signal) => {
      let types = known.get(apiVersion);
      if (types === undefined) {
        types = fetchTypes(apiVersion, transport);
        known.set(apiVersion, types);
        const forget = () => known.get(apiVersion) === types && known.delete(apiVersion);
        types.catch(forget);
      }
      // Others may wait for the same answer, so a signal ends the wait and not the question.
      return (await untilAborted(types, signal)).get(kind);
    },
    forget: () => known.clear(),
  };
}

/** `/api/v1` for the core, `/apis/apps/v1` for any other group. */
export function pathOfVersion(apiVersion: string): string {
  const parts = apiVersion.split('/').map(encodeURIComponent);
  return parts.length === 1 ? `/api/${parts[0]}` : `/apis/${parts.join('/')}`;
}

/** Something that looks like an apiVersion, so that no text of a manifest becomes a path of its own. */
const API_VERSION = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[a-z0-9]{1,63}$/;

async function fetchTypes(
  apiVersion: string,
  transport: Transport,
): Promise<ReadonlyMap<string, ResourceType>> {
  if (!API_VERSION.test(apiVersion)) return new Map();
  const operation = `list the kinds of ${apiVersion}`;
  const context = { host: transport.host, operation };
  const answer = await transport.send(
    { method: 'GET', path: pathOfVersion(apiVersion), operation, isRepeatable: true, signal: undefined },
    [404],
  );
  if (answer.status === 404) {
    // What a wrong address answers must not pass for a group that isn't there. Every API server has the core.
    const isElsewhere = apiVersion === 'v1' || isHtml(answer.body);
    return isElsewhere ? fail(context, 'an answer of the API') : new Map();
  }
  const list = ResourceList.safeParse(readJson(answer, context));
  if (!list.success) return fail(context, 'a list of kinds');
  return toTypes(apiVersion, list.data.resources ?? []);
}

type Resource = NonNullable<z.infer<typeof ResourceList>['resources']>[number];

function toTypes(apiVersion: string, resources: readonly Resource[]): ReadonlyMap<string, ResourceType> {
  // Those with a slash are parts of others, `pods/log`. Of several of a kind that which can be read is meant.
  const whole = resources.filter(({ name }) => !name.includes('/'));
  const ranked = whole.toSorted((a, b) => Number(isReadable(a)) - Number(isReadable(b)));
  return new Map(
    ranked.map(({ name, kind, namespaced }) => [
      kind,
      { apiVersion, kind, plural: name, isNamespaced: namespaced },
    ]),
  );
}

function isReadable({ verbs }: Resource): boolean {
  return verbs?.includes('get') ?? false;
}

export function isHtml(body: Buffer): boolean {
  return /^\s*</.test(body.subarray(0, 200).toString('utf8'));
}

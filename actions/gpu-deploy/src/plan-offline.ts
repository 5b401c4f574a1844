import { readFile, stat } from 'node:fs/promises';
import { InputError, quoteValue } from '@sophia/action';
import type { KubernetesObject, Manifest } from '@sophia/kubernetes';
import { type Node, occupyNodes, type Pod, parseNode, parsePod } from '@sophia/scheduling';
import * as z from 'zod/mini';
import { type DeployPlan, type PlannedObject, planDeploy } from './plan.ts';
import type { ImageReader } from './read-images.ts';
import { imagesOf, isWorkload, keyOf, podOf, readObject, templateOf } from './workload.ts';

/** 10,000 Pods print some 100 MB. */
const MOST_BYTES = 256 * 1024 * 1024;

/** What `kubectl get nodes,pods -A -o yaml` (or `-o json`) printed. */
export type Inventory = {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
};

const listSchema = z.object({
  kind: z.optional(z.string()),
  items: z.array(z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })),
});

/**
 * Reads an inventory.
 *
 * @throws {InputError} The file isn't there, isn't such a list, or has no node in it.
 */
export async function readInventory(path: string): Promise<Inventory> {
  const wrong = (why: string, cause?: unknown) =>
    new InputError(
      `Input "inventory" is ${quoteValue(path)}: ${why}. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml`,
      { cause },
    );
  const text = await readBounded(path, wrong);
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = /^\s*\{/.test(text) ? JSON.parse(text) : parse(text, { maxAliasCount: 0 });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // The parser ends that line with a colon where it goes on to show the place.
    const why = (error.message.split('\n')[0] ?? '').replace(/:$/, '');
    throw wrong(`it is no YAML or JSON: ${why}`, error);
  }
  const parsed = z.safeParse(listSchema, document);
  if (!parsed.success) throw wrong('it is not a list of objects as kubectl prints it');
  const items = parsed.data.items as unknown as readonly KubernetesObject[];
  const nodes = items.filter(({ kind }) => kind === 'Node');
  if (nodes.length === 0) throw wrong(`it has no nodes among its ${items.length} objects`);
  const read = <T>(object: KubernetesObject, parse: (object: KubernetesObject) => T) =>
    readObject(
      () => parse(object),
      (why) => wrong(why.replace(/\.$/, '')),
    );
  return {
    nodes: nodes.map((node) => read(node, parseNode)),
    pods: items.filter(({ kind }) => kind === 'Pod').map((pod) => read(pod, parsePod)),
  };
}

async function readBounded(
  path: string,
  wrong: (why: string, cause?: unknown) => InputError,
): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw wrong(`it has ${size} bytes, expected at most ${MOST_BYTES}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw wrong(`it can't be read (${String(error.code)})`, error);
    throw error;
  }
}

/** Plans a deployment on an inventory: everything but what only the API server knows. */
export async function planOffline(
  manifests: readonly Manifest[],
  { nodes, pods }: Inventory,
  options: {
    readonly strategy: 'auto' | 'rolling' | 'recreate';
    readonly images: ImageReader;
    readonly signal: AbortSignal;
  },
): Promise<DeployPlan> {
  const workloads = manifests.filter(({ object }) => isWorkload(object) && templateOf(object) !== undefined);
  await options.images.ask(
    workloads.flatMap(({ object }) => imagesOf(object)),
    options.signal,
  );
  const objects = manifests.map(
    ({ object, source }): PlannedObject => ({
      key: keyOf(object),
      object,
      source,
      before: undefined,
      isForced: false,
      change: 'planned',
    }),
  );
  return planDeploy({
    objects,
    workloads: objects
      .filter(({ object }) => isWorkload(object))
      .flatMap((planned) => {
        const template = templateOf(planned.object);
        if (template === undefined) return [];
        return [
          {
            planned,
            workload: planned.object,
            pod: podOf(planned.object, template),
            oldPods: findSelected(planned.object, pods),
            fullQuota: undefined,
          },
        ];
      }),
    nodes: occupyNodes(nodes, pods),
    pods: pods,
    areNodesSeen: true,
    images: options.images.answers,
    hasAutoscaler: pods.some(({ name }) => name.includes('cluster-autoscaler')),
    strategy: options.strategy,
    findings: [],
  });
}

const selectorSchema = z.object({ selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) });

/** The inventory doesn't say who owns a Pod through whom, but a workload's selector does. */
function findSelected(object: KubernetesObject, pods: readonly Pod[]): readonly Pod[] {
  const parsed = z.safeParse(selectorSchema, object['spec']);
  if (!parsed.success) return [];
  const labels = Object.entries(parsed.data.selector.matchLabels);
  return pods.filter(
    (pod) =>
      pod.namespace === object.metadata.namespace &&
      labels.length > 0 &&
      labels.every(([name, value]) => pod.labels.get(name) === value),
  );
}

import type { Observation } from '@sophia/records';
import * as z from 'zod/mini';
import { hintAt } from './nearest.ts';

/** What can be asked of a snapshot of a cluster. */
export const CLUSTER_CHECKS = ['node-labels'] as const;

const WORKLOAD_LABEL = 'workload.sophia.ai/';
/** Resources that are GPUs, whole or in parts: `nvidia.com/gpu`, `nvidia.com/gpu.shared`, `nvidia.com/mig-1g.5gb`. */
const GPU_RESOURCE = /^(?:nvidia|amd)\.com\/(?:gpu|mig-)|^gpu\.intel\.com\//;
/** Labels by which feature discovery says that there is a GPU, even where its driver doesn't run. 10de is NVIDIA. */
const GPU_LABEL =
  /^(?:nvidia\.com\/gpu\.(?:present|product|count)|feature\.node\.kubernetes\.io\/pci-.*10de.*\.present)$/;
const MAX_NAMED = 5;

const strings = z.record(z.string(), z.string());
const snapshotSchema = z.object({
  kind: z.string(),
  metadata: z.optional(
    z.object({ continue: z.optional(z.string()), remainingItemCount: z.optional(z.number()) }),
  ),
  items: z.array(z.unknown()),
});
const itemSchema = z.object({ kind: z.optional(z.string()), metadata: z.object({ name: z.string() }) });
const nodeSchema = z.object({
  metadata: z.object({
    name: z.string(),
    creationTimestamp: z.optional(z.nullable(z.string())),
    labels: z.optional(z.nullable(strings)),
  }),
  status: z.optional(
    z.object({
      capacity: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
      conditions: z.optional(
        z.nullable(
          z.array(
            z.object({
              lastHeartbeatTime: z.optional(z.nullable(z.string())),
              lastTransitionTime: z.optional(z.nullable(z.string())),
            }),
          ),
        ),
      ),
    }),
  ),
});
type Node = z.infer<typeof nodeSchema>;

/**
 * A check of a cluster's objects, as an observation of one value: for `node-labels` the share of the nodes with GPUs
 * that carry the label `gpu` and at least one `workload.sophia.ai/…` that is "true". The nodes that don't are named in
 * the series' label `exceptions`.
 *
 * The time of the observation is that of the newest heartbeat or change in the snapshot, so that a copied file does not
 * make old nodes look new; where the caller knows a moment before it, it is that.
 *
 * @param snapshotJson What `kubectl get nodes,pods -A -o json` prints, or `kubectl get nodes -o json`.
 * @param capturedAtMs When it was taken, where that is known. Not needed: nodes report every five minutes at least.
 * A file's time of change is no such moment, as a checkout sets it.
 */
export function observeCluster(check: string, snapshotJson: string, capturedAtMs?: number): Observation {
  const checks: readonly string[] = CLUSTER_CHECKS;
  if (!checks.includes(check)) {
    const message = `A snapshot of a cluster has no check "${check.slice(0, 60)}": expected "${checks.join('", "')}".${hintAt(check, checks)}`;
    return absent('missing', message);
  }
  const nodes = readNodes(snapshotJson);
  if ('kind' in nodes) return nodes;
  const gpuNodes = nodes.filter(hasGpu);
  if (gpuNodes.length === 0) {
    return absent('missing', `The snapshot has ${nodes.length} nodes and no GPU in any: expected some.`);
  }
  const observedAtMs = findMoment(nodes, capturedAtMs);
  if (observedAtMs === undefined) {
    return absent(
      'missing',
      'The snapshot does not tell when it was taken: expected heartbeats of its nodes.',
    );
  }
  const exceptions = gpuNodes.filter((node) => !isLabelled(node)).map(({ metadata }) => metadata.name);
  const value = (gpuNodes.length - exceptions.length) / gpuNodes.length;
  return {
    kind: 'series',
    observedAtMs,
    unit: 'ratio',
    warnings: [],
    series: [
      {
        labels: exceptions.length === 0 ? {} : { exceptions: nameSome(exceptions) },
        samples: [{ timestampMs: observedAtMs, value }],
      },
    ],
  };
}

type Absent = Extract<Observation, { kind: 'absent' }>;

function absent(reason: Absent['reason'], message: string): Absent {
  return { kind: 'absent', reason, message };
}

function readNodes(snapshotJson: string): readonly Node[] | Absent {
  const snapshot = snapshotSchema.safeParse(parseJson(snapshotJson));
  if (!snapshot.success || !/List$/.test(snapshot.data.kind)) {
    return absent(
      'not-data',
      'The snapshot is no JSON of a list of objects: expected what "kubectl get nodes -o json" prints.',
    );
  }
  const { items, kind, metadata } = snapshot.data;
  if ((metadata?.continue ?? '') !== '' || (metadata?.remainingItemCount ?? 0) > 0) {
    return absent('partial', 'The snapshot is a part of a list: expected all of it. Ask without "limit".');
  }
  const nodes: Node[] = [];
  const names = new Set<string>();
  for (const [index, item] of items.entries()) {
    const node = readNode(item, index, kind === 'NodeList');
    if (node === undefined) continue;
    if ('reason' in node) return node;
    const { name } = node.metadata;
    if (names.has(name))
      return absent('not-data', `Node ${name} is twice in the snapshot: expected each once.`);
    names.add(name);
    nodes.push(node);
  }
  return nodes.length === 0 ? absent('missing', 'The snapshot has no node: expected some.') : nodes;
}

/** Undefined for an object that is no node. */
function readNode(item: unknown, index: number, isNodeList: boolean): Node | Absent | undefined {
  const named = itemSchema.safeParse(item);
  if (!named.success) return absent('not-data', `items[${index}] of the snapshot is no object with a name.`);
  if (named.data.kind !== 'Node' && !isNodeList) return undefined;
  const node = nodeSchema.safeParse(item);
  const name = named.data.metadata.name.slice(0, 60);
  return node.success
    ? node.data
    : absent('not-data', `Node ${name} in the snapshot is not as Kubernetes writes it.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether a node has a GPU, or says that it has one that can't be used. */
function hasGpu({ metadata, status }: Node): boolean {
  const isOffered = Object.entries(status?.capacity ?? {}).some(
    ([resource, amount]) => GPU_RESOURCE.test(resource) && String(amount) !== '0',
  );
  const isSaid = Object.entries(metadata.labels ?? {}).some(
    ([label, value]) => (label === 'gpu' || GPU_LABEL.test(label)) && !['false', '0'].includes(value),
  );
  return isOffered || isSaid;
}

function isLabelled({ metadata: { labels } }: Node): boolean {
  const pairs = Object.entries(labels ?? {});
  return (
    pairs.some(([label, value]) => label === 'gpu' && value !== '') &&
    pairs.some(([label, value]) => label.startsWith(WORKLOAD_LABEL) && value === 'true')
  );
}

function findMoment(nodes: readonly Node[], capturedAtMs: number | undefined): number | undefined {
  const times = nodes.flatMap(({ metadata, status }) => [
    metadata.creationTimestamp,
    ...(status?.conditions ?? []).flatMap((each) => [each.lastHeartbeatTime, each.lastTransitionTime]),
  ]);
  const newestMs = times
    .map((time) => Date.parse(time ?? ''))
    .reduce((newest, time) => (time > newest ? time : newest), -Infinity);
  const known = [newestMs, capturedAtMs ?? Infinity].filter(Number.isFinite);
  return known.length === 0 ? undefined : Math.min(...known);
}

function nameSome(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  const shown = names.slice(0, MAX_NAMED).map((name) => name.slice(0, 63));
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './random-worlds.ts';

/** What the scheduler made of a Pod that only one node may take. */
export type SchedulerVerdict = {
  readonly candidate: string;
  readonly isPlaced: boolean;
  /** Message of the condition PodScheduled; `''` when placed. */
  readonly message: string;
};

/** A client for one namespace of a cluster that is there for tests. */
export type ClusterApi = {
  send(method: string, path: string, body?: unknown): Promise<unknown>;
  close(): void;
};

type Kubeconfig = {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly { readonly user: { readonly token: string } }[];
};

/** @param kubeconfigPath One in JSON with a token, as `script/cluster` writes it. */
export function connect(kubeconfigPath: string): ClusterApi {
  const kubeconfig = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const cluster = kubeconfig.clusters[0]?.cluster;
  const token = kubeconfig.users[0]?.user.token;
  if (cluster === undefined || token === undefined)
    throw new Error(`${kubeconfigPath} has no cluster or no token.`);
  const ca = Buffer.from(cluster['certificate-authority-data'], 'base64');
  const agent = new Agent({ keepAlive: true, maxSockets: 24, ca });
  return {
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const call = request(new URL(path, cluster.server), { method, agent, headers }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if ((answer.statusCode ?? 500) < 300) resolve(JSON.parse(text));
            else
              reject(
                new Error(
                  `${method} ${path}: ${answer.statusCode} ${text.slice(0, 600)} for ${JSON.stringify(body)?.slice(0, 2000)}`,
                ),
              );
          });
        });
        call.on('error', reject);
        call.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}

type PodList = {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly nodeName?: string };
    readonly status: {
      readonly conditions?: readonly { type: string; status: string; reason?: string; message?: string }[];
    };
  }[];
};

/**
 * Has the scheduler of a cluster judge every Pod of some worlds against its node, and takes everything away again.
 * Worlds don't touch each other: no Pod may go to a node of another one.
 *
 * @param namespace Made and left behind; only this function may use it.
 */
export async function judgeWorlds(
  api: ClusterApi,
  namespace: string,
  worlds: readonly World[],
): Promise<readonly SchedulerVerdict[]> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const nodes = worlds.flatMap((world) => world.nodes);
  const candidates = worlds.flatMap((world) => world.candidates);
  try {
    await inParallel(nodes, (node) => api.send('POST', '/api/v1/nodes', node));
    await inParallel(
      worlds.flatMap(({ existing }) => existing),
      (pod) => api.send('POST', pods, pod),
    );
    // The scheduler hears of nodes and of bound Pods by other ways than of Pods to place.
    await sleep(1000);
    await inParallel(candidates, (pod) => api.send('POST', pods, pod));
    return await waitForVerdicts(api, pods, new Set(candidates.map(({ metadata }) => metadata.name)));
  } finally {
    await api.send('DELETE', `${pods}?gracePeriodSeconds=0`);
    await inParallel(nodes, (node) => api.send('DELETE', `/api/v1/nodes/${node.metadata.name}`));
  }
}

async function waitForVerdicts(
  api: ClusterApi,
  pods: string,
  candidates: ReadonlySet<string>,
): Promise<readonly SchedulerVerdict[]> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { items } = (await api.send('GET', pods)) as PodList;
    const verdicts = items
      .filter(({ metadata }) => candidates.has(metadata.name))
      .flatMap(({ metadata, spec, status }): readonly SchedulerVerdict[] => {
        if (spec.nodeName !== undefined) return [{ candidate: metadata.name, isPlaced: true, message: '' }];
        const condition = status.conditions?.find(({ type }) => type === 'PodScheduled');
        if (condition?.reason !== 'Unschedulable') return [];
        return [{ candidate: metadata.name, isPlaced: false, message: condition.message ?? '' }];
      });
    if (verdicts.length === candidates.size) return verdicts;
    if (Date.now() > deadline) {
      throw new Error(`the scheduler judged ${verdicts.length} of ${candidates.size} Pods within 60 s.`);
    }
    await sleep(200);
  }
}

async function inParallel<T>(values: readonly T[], act: (value: T) => Promise<unknown>): Promise<void> {
  const waiting = values.values();
  const work = async () => {
    for (const value of waiting) await act(value);
  };
  await Promise.all(Array.from({ length: 24 }, work));
}

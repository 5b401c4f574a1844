import type { Cluster, KubernetesObject } from '@sophia/kubernetes';

const watched = {
  Node: 'v1',
  Pod: 'v1',
  Event: 'v1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  ControllerRevision: 'apps/v1',
  Job: 'batch/v1',
} as const;

export type WatchedKind = keyof typeof watched;

/** Objects of a whole cluster, as watches bring them. */
export interface LiveObjects {
  of(kind: WatchedKind, namespace?: string): readonly KubernetesObject[];
  /** Resolves at the next change of anything, or after so many milliseconds. */
  next(timeoutMs: number): Promise<void>;
  /** What ended a watch; nothing should. */
  failure(): unknown;
}

/** Watches until the signal aborts; returns once everything has been listed. */
export async function watchObjects(cluster: Cluster, signal: AbortSignal): Promise<LiveObjects> {
  const objects = new Map<WatchedKind, Map<string, KubernetesObject>>();
  let failure: unknown;
  let wake: () => void = () => undefined;
  let change = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const tell = () => {
    wake();
    change = new Promise((resolve) => {
      wake = resolve;
    });
  };
  const follow = async (kind: WatchedKind, onListed: () => void) => {
    for await (const event of cluster.watch({ apiVersion: watched[kind], kind }, signal)) {
      const known = objects.get(kind) ?? new Map<string, KubernetesObject>();
      if (event.kind === 'snapshot') {
        objects.set(kind, new Map(event.objects.map((object) => [keyOf(object), object])));
        onListed();
      } else if (event.kind === 'deleted') known.delete(keyOf(event.object));
      else known.set(keyOf(event.object), event.object);
      tell();
    }
  };
  await Promise.all(
    (Object.keys(watched) as WatchedKind[]).map(
      (kind) =>
        new Promise<void>((resolve, reject) => {
          follow(kind, resolve).catch((error: unknown) => {
            failure = error;
            reject(error);
            tell();
          });
        }),
    ),
  );
  return {
    of: (kind, namespace) => {
      const all = [...(objects.get(kind)?.values() ?? [])];
      return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
    },
    async next(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([change, late]);
      clearTimeout(timer);
    },
    failure: () => failure,
  };
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

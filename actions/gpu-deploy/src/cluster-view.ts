import { isOutsideError, messageOf } from '@sophia/action';
import type { Cluster, KubernetesObject, Selection, WatchEvent } from '@sophia/kubernetes';

/** The watched part of the cluster as it is now, kept true by watches. */
export type ClusterView<Name extends string> = {
  readonly objectsOf: (name: Name) => readonly KubernetesObject[];
  /** Why something can't be seen, one sentence each; what is named so has no objects. */
  readonly blindSpots: ReadonlyMap<Name, string>;
  /** Resolves with the next change, or when the time has come, or the signal aborts. Many changes at once are one. */
  readonly nextChange: (waitMs: number) => Promise<void>;
  /** The error that ended a watch which had begun; the view isn't true any more. */
  readonly failure: () => unknown;
};

/** Changes of one rollout come in bursts; a verdict a twentieth of a second later saves most of the work. */
const BURST_MS = 50;

/**
 * Opens a view: lists and watches everything at once, and resolves when everything was seen or is known not to be.
 *
 * @param watched Selections by the name they are asked for, tried in turn: what may not be seen everywhere may be seen
 *   in part.
 * @param signal Ends the watches.
 */
export async function openClusterView<Name extends string>(
  cluster: Cluster,
  watched: Readonly<Record<Name, readonly Selection[]>>,
  signal: AbortSignal,
): Promise<ClusterView<Name>> {
  const stores = new Map<Name, Map<string, KubernetesObject>>();
  const blindSpots = new Map<Name, string>();
  const wakers = new Set<() => void>();
  let failure: unknown;
  let changes = 0;
  const wake = () => {
    changes += 1;
    for (const waker of wakers) waker();
  };

  const follow = (name: Name, selection: Selection) =>
    new Promise<unknown>((resolve) => {
      let isSeen = false;
      const pump = async () => {
        for await (const event of cluster.watch(selection, signal)) {
          const store = stores.get(name) ?? new Map<string, KubernetesObject>();
          stores.set(name, store);
          enter(store, event);
          isSeen = true;
          resolve(undefined);
          wake();
        }
        resolve(undefined);
      };
      pump().catch((error: unknown) => {
        if (isSeen) failure = error;
        resolve(error);
        wake();
      });
    });

  const openFirst = async (name: Name, selections: readonly Selection[]) => {
    if (selections.length === 0) return;
    let refusal: unknown;
    for (const selection of selections) {
      refusal = await follow(name, selection);
      if (refusal === undefined) return;
      if (!isOutsideError(refusal) || refusal.isTemporary) throw refusal;
    }
    blindSpots.set(name, messageOf(refusal));
  };

  const names = Object.keys(watched) as Name[];
  await Promise.all(names.map((name) => openFirst(name, watched[name])));

  let seenChanges = changes;
  return {
    objectsOf: (name) => [...(stores.get(name)?.values() ?? [])],
    blindSpots,
    failure: () => failure,
    nextChange: (waitMs) =>
      new Promise((resolve) => {
        const finish = () => {
          seenChanges = changes;
          clearTimeout(timer);
          wakers.delete(onChange);
          signal.removeEventListener('abort', finish);
          resolve();
        };
        const onChange = () => {
          clearTimeout(timer);
          timer = setTimeout(finish, BURST_MS);
          wakers.delete(onChange);
        };
        let timer = setTimeout(finish, Math.max(0, waitMs));
        signal.addEventListener('abort', finish, { once: true });
        wakers.add(onChange);
        if (signal.aborted) finish();
        else if (changes !== seenChanges) onChange();
      }),
  };
}

function enter(store: Map<string, KubernetesObject>, event: WatchEvent): void {
  if (event.kind === 'snapshot') {
    store.clear();
    for (const object of event.objects) store.set(identify(object), object);
  } else if (event.kind === 'changed') {
    store.set(identify(event.object), event.object);
  } else {
    store.delete(identify(event.object));
  }
}

function identify({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

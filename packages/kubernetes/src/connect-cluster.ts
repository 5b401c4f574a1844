import type { Cluster } from './cluster.ts';
import type { Timing } from './transport.ts';

export type ConnectOptions = {
  /**
   * A path, or the text itself (YAML, JSON or either in base64). Undefined or empty: `KUBECONFIG`, then
   * `~/.kube/config`, then the cluster in which this runs as a Pod, in client-go's order.
   */
  readonly kubeconfig: string | undefined;
  /** Undefined or empty for the kubeconfig's current one. */
  readonly context: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  /** Told every credential before it is used. */
  readonly mask: (secret: string) => void;
  /** Where a Pod has its token; given in tests only. */
  readonly serviceAccountFolder?: string;
  /** Given in tests only. */
  readonly timing?: Partial<Timing>;
};

/**
 * Reads how to reach a cluster. Nothing is asked of it yet, and no credential plugin is run: the first call does.
 *
 * @throws {KubeconfigError} where there is no kubeconfig, or its parts don't fit together.
 */
export async function connectCluster(options: ConnectOptions): Promise<Cluster> {
  // The client and its schemas are loaded when there is a cluster to be reached: a wrong input is told before.
  const { openCluster } = await import('./open-cluster.ts');
  return openCluster(options);
}

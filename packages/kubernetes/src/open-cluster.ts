import { createCluster } from './api-cluster.ts';
import { checkTls } from './check-tls.ts';
import type { Cluster } from './cluster.ts';
import type { ConnectOptions } from './connect-cluster.ts';
import { createCredentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { findOwnCluster } from './in-cluster.ts';
import { findKubeconfig } from './kubeconfig.ts';
import { KubeconfigError } from './kubeconfig-error.ts';
import { resolveEndpoint } from './resolve-endpoint.ts';
import { createTransport, DEFAULT_TIMING } from './transport.ts';

/** `connectCluster`, with all that it needs. */
export async function openCluster(options: ConnectOptions): Promise<Cluster> {
  const endpoint = await findEndpoint(options);
  const credentials = createCredentials(endpoint.credentials, { env: options.env, mask: options.mask });
  await checkTls(endpoint, options.env);
  const transport = await createTransport({
    endpoint,
    credentials,
    log: options.log,
    env: options.env,
    timing: { ...DEFAULT_TIMING, ...options.timing },
  });
  return createCluster(endpoint, transport, options.log);
}

async function findEndpoint(options: ConnectOptions): Promise<Endpoint> {
  const { config, tried } = await findKubeconfig(options.kubeconfig, options.env, options.mask);
  if (config !== undefined) return resolveEndpoint(config, options.context);
  const own = await findOwnCluster(options.env, options.serviceAccountFolder);
  if (own.endpoint !== undefined) return own.endpoint;
  throw new KubeconfigError(
    `There is no kubeconfig, tried ${[...tried, own.tried].join(', ')}. Give one by the input kubeconfig.`,
  );
}

import { join } from 'node:path';
import type { Endpoint } from './endpoint.ts';
import { KubeconfigError } from './kubeconfig-error.ts';
import { isMissingFile, readTextFile } from './text-file.ts';

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * How a Pod reaches the cluster it runs in: the address from its environment, the rest from its service account's
 * folder.
 *
 * @returns The endpoint, or why this is no Pod.
 * @throws {KubeconfigError} where the folder lacks what it should have.
 */
export async function findOwnCluster(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = SERVICE_ACCOUNT_FOLDER,
): Promise<{ readonly endpoint: Endpoint | undefined; readonly tried: string }> {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  if (host === undefined || host === '' || port === undefined || port === '')
    return { endpoint: undefined, tried: 'this Pod (KUBERNETES_SERVICE_HOST is unset)' };
  const read = async (name: string): Promise<string | undefined> => {
    try {
      return await readTextFile(join(folder, name), MAX_FILE_BYTES);
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      throw new KubeconfigError(`The service account's ${name} can't be read. Check the Pod.`, error);
    }
  };
  const [token, certificateAuthority, namespace] = await Promise.all(
    ['token', 'ca.crt', 'namespace'].map(read),
  );
  if (token === undefined) return { endpoint: undefined, tried: 'this Pod (no service account token)' };
  const address = host.includes(':') ? `[${host}]` : host;
  if (!URL.canParse(`https://${address}:${port}`))
    throw new KubeconfigError(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address. Check the Pod.',
    );
  return {
    endpoint: {
      server: new URL(`https://${address}:${port}`),
      namespace: namespace?.trim() || 'default',
      certificateAuthority,
      isInsecure: false,
      tlsServerName: undefined,
      proxyUrl: undefined,
      impersonation: {},
      credentials: {
        token: undefined,
        tokenFile: join(folder, 'token'),
        basic: undefined,
        clientCertificate: undefined,
        exec: undefined,
      },
    },
    tried: '',
  };
}

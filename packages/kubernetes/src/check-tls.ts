import type { Endpoint } from './endpoint.ts';
import { KubeconfigError } from './kubeconfig-error.ts';
import { toOneLine } from './plain-text.ts';

/**
 * Finds out before the first call whether the certificates and the proxy can be used at all.
 *
 * @throws {KubeconfigError}
 */
export async function checkTls(
  endpoint: Endpoint,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  checkProxy(proxyOf(endpoint, env), endpoint);
  const { certificateAuthority, credentials } = endpoint;
  const { clientCertificate } = credentials;
  if (certificateAuthority === undefined && clientCertificate === undefined) return;
  const [{ createSecureContext }, { X509Certificate }] = await Promise.all([
    import('node:tls'),
    import('node:crypto'),
  ]);
  const attempt = (what: string, make: () => unknown) => {
    try {
      make();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const why = 'code' in error ? String(error.code) : error.message;
      throw new KubeconfigError(`The kubeconfig's ${what} can't be used: ${why}. Write it anew.`, error);
    }
  };
  if (certificateAuthority !== undefined)
    // A context passes over what it can't read among the authorities.
    attempt('certificate authority', () => new X509Certificate(certificateAuthority));
  if (clientCertificate !== undefined)
    attempt('client certificate and key', () =>
      createSecureContext({ cert: clientCertificate.certificate, key: clientCertificate.key }),
    );
}

/** The kubeconfig's proxy, else that of the environment, as client-go has it. */
export function proxyOf(
  { proxyUrl }: Endpoint,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return proxyUrl ?? (env['HTTPS_PROXY'] || env['https_proxy'] || undefined);
}

function checkProxy(proxy: string | undefined, { server }: Endpoint): void {
  if (proxy === undefined) return;
  // Node tunnels for an agent since 24.5; before, it would silently go without the proxy.
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 24 || (major === 24 && minor < 5))
    throw new KubeconfigError(
      `The proxy to ${server.host} needs Node 24.5, and this is ${process.versions.node}. Update the runner.`,
    );
  const fix = 'Correct proxy-url or HTTPS_PROXY.';
  // A proxy's URL may have a password.
  if (!URL.canParse(proxy)) throw new KubeconfigError(`The proxy to ${server.host} is no URL. ${fix}`);
  const { protocol } = new URL(proxy);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new KubeconfigError(
      `The proxy to ${server.host} is one of ${toOneLine(protocol, 20)}//, expected http:// or https://. ${fix}`,
    );
}

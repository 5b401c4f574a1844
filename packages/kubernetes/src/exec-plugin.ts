import { delimiter, isAbsolute, resolve } from 'node:path';
import * as z from 'zod/mini';
import type { ClientCertificate, ExecPlugin } from './endpoint.ts';
import { KubernetesError } from './kubernetes-error.ts';
import { toOneLine, withoutSecrets } from './plain-text.ts';
import { ProgramLimitError, runProgram } from './run-program.ts';

/** What a plugin handed out. */
export type PluginCredential = {
  readonly token: string | undefined;
  readonly clientCertificate: ClientCertificate | undefined;
  /** Milliseconds since 1970; undefined where it doesn't say. */
  readonly expiresAtMs: number | undefined;
};

const ExecCredential = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.optional(z.string()),
    clientCertificateData: z.optional(z.string()),
    clientKeyData: z.optional(z.string()),
    expirationTimestamp: z.optional(z.nullable(z.string())),
  }),
});

/** The cloud providers' plugins ask their APIs, which may take some seconds. */
const PLUGIN_LIMIT_MS = 60_000;
const MAX_STDOUT_BYTES = 1024 * 1024;

/**
 * Runs a credential plugin once.
 *
 * @throws {KubernetesError} where it is missing, fails, hangs, or answers with something else than credentials. What
 * it printed to stdout is never shown.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
export async function runExecPlugin(
  plugin: ExecPlugin,
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly secrets: Iterable<string>; readonly signal: AbortSignal; readonly limitMs?: number },
): Promise<PluginCredential> {
  const name = toOneLine(plugin.command, 60);
  const fail = (what: string, fix: string, isTemporary = false) =>
    new KubernetesError({
      operation: `get credentials from ${name}`,
      message: toOneLine(`The credential plugin ${name} ${what}. ${fix}`, 300),
      isTemporary,
    });
  const result = await runProgram(commandOf(plugin), {
    args: plugin.args,
    env: environmentOf(plugin, env),
    limitMs: options.limitMs ?? PLUGIN_LIMIT_MS,
    maxStdoutBytes: MAX_STDOUT_BYTES,
    signal: options.signal,
  }).catch((error: unknown) => {
    if (error instanceof ProgramLimitError)
      throw fail(error.message, 'Check that it works without a person.', true);
    options.signal.throwIfAborted();
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code !== 'ENOENT')
      throw fail(`can't be started: ${String(error.code)}`, 'Check its permissions.');
    const hint = plugin.installHint === undefined ? 'Install it.' : toOneLine(plugin.installHint, 150);
    throw fail(isAbsolute(commandOf(plugin)) ? 'is not there' : 'is not on the PATH', hint);
  });
  if (result.exitCode !== 0) {
    const words = toOneLine(withoutSecrets(result.stderr.trim(), options.secrets), 120);
    throw fail(
      `ended with exit code ${result.exitCode}${words === '' ? '' : `: ${words}`}`,
      'Log it in, or give other credentials.',
    );
  }
  return readAnswer(plugin, result.stdout, fail);
}

function commandOf({ command, folder }: ExecPlugin): string {
  // client-go: a bare name is looked up on the PATH, any other is relative to the kubeconfig.
  return command.includes('/') && !isAbsolute(command) && folder !== undefined
    ? resolve(folder, command)
    : command;
}

function environmentOf(
  plugin: ExecPlugin,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const spec = {
    interactive: false,
    ...(plugin.clusterInfo === undefined ? {} : { cluster: plugin.clusterInfo }),
  };
  return {
    ...env,
    PATH: env['PATH'] ?? ['/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
    ...Object.fromEntries(plugin.env.map(({ name, value }) => [name, value])),
    KUBERNETES_EXEC_INFO: JSON.stringify({ kind: 'ExecCredential', apiVersion: plugin.apiVersion, spec }),
  };
}

function readAnswer(
  plugin: ExecPlugin,
  stdout: string,
  fail: (what: string, fix: string) => KubernetesError,
): PluginCredential {
  const answer = ExecCredential.safeParse(parseJson(stdout));
  const fix = 'Upgrade it, or give other credentials.';
  if (!answer.success) throw fail('answered with something other than an ExecCredential', fix);
  const { apiVersion, status } = answer.data;
  if (apiVersion !== plugin.apiVersion)
    throw fail(
      `answered in apiVersion "${toOneLine(apiVersion, 60)}", but the kubeconfig says ${plugin.apiVersion}`,
      'Write the one it speaks into the kubeconfig.',
    );
  const { token, clientCertificateData: certificate, clientKeyData: key, expirationTimestamp } = status;
  if ((certificate === undefined) !== (key === undefined))
    throw fail('answered with half of a certificate and its key', fix);
  if (!token && certificate === undefined) throw fail('answered without a token or certificate', fix);
  const expiresAtMs = expirationTimestamp ? Date.parse(expirationTimestamp) : Number.NaN;
  return {
    token: token || undefined,
    clientCertificate: certificate === undefined || key === undefined ? undefined : { certificate, key },
    expiresAtMs: Number.isNaN(expiresAtMs) ? undefined : expiresAtMs,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

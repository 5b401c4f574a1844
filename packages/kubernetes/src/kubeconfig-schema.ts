import * as z from 'zod/mini';

const Text = z.optional(z.nullable(z.string()));
const Flag = z.optional(z.nullable(z.boolean()));
const Texts = z.optional(z.nullable(z.array(z.string())));

const Extensions = z.optional(z.nullable(z.array(z.object({ name: Text, extension: z.unknown() }))));

export const ClusterEntry = z.object({
  server: Text,
  'certificate-authority': Text,
  'certificate-authority-data': Text,
  'insecure-skip-tls-verify': Flag,
  'tls-server-name': Text,
  'proxy-url': Text,
  'disable-compression': Flag,
  extensions: Extensions,
});

const ExecEntry = z.object({
  apiVersion: Text,
  command: Text,
  args: Texts,
  env: z.optional(z.nullable(z.array(z.object({ name: z.string(), value: Text })))),
  installHint: Text,
  provideClusterInfo: Flag,
  interactiveMode: Text,
});

export const UserEntry = z.object({
  token: Text,
  tokenFile: Text,
  username: Text,
  password: Text,
  'client-certificate': Text,
  'client-certificate-data': Text,
  'client-key': Text,
  'client-key-data': Text,
  as: Text,
  'as-uid': Text,
  'as-groups': Texts,
  'as-user-extra': z.optional(z.nullable(z.record(z.string(), z.array(z.string())))),
  exec: z.optional(z.nullable(ExecEntry)),
  'auth-provider': z.optional(z.nullable(z.object({ name: Text }))),
});

export const ContextEntry = z.object({ cluster: Text, user: Text, namespace: Text });

/** A kubeconfig (`client-go/tools/clientcmd/api/v1`), with what a client needs of it. */
export const Kubeconfig = z.object({
  kind: Text,
  'current-context': Text,
  clusters: z.optional(
    z.nullable(z.array(z.object({ name: z.string(), cluster: z.nullable(ClusterEntry) }))),
  ),
  users: z.optional(
    z.nullable(z.array(z.object({ name: z.string(), user: z.optional(z.nullable(UserEntry)) }))),
  ),
  contexts: z.optional(
    z.nullable(z.array(z.object({ name: z.string(), context: z.nullable(ContextEntry) }))),
  ),
});

export type Kubeconfig = z.infer<typeof Kubeconfig>;
export type ClusterEntry = z.infer<typeof ClusterEntry>;
export type UserEntry = z.infer<typeof UserEntry>;
export type ContextEntry = z.infer<typeof ContextEntry>;
export type ExecEntry = z.infer<typeof ExecEntry>;

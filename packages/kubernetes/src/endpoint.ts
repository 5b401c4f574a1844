/** A program that hands out credentials (client-go credential plugin). */
export type ExecPlugin = {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string | undefined;
  /** What `KUBERNETES_EXEC_INFO` says of the cluster, where the plugin wants it. */
  readonly clusterInfo: Readonly<Record<string, unknown>> | undefined;
  /** The kubeconfig's, which a command with a slash is relative to. */
  readonly folder: string | undefined;
};

/** A client certificate and its key, as PEM. */
export type ClientCertificate = { readonly certificate: string; readonly key: string };

/** What a user of a kubeconfig has. Of several, `Authorization` comes from the first of token, basic, plugin. */
export type CredentialSource = {
  readonly token: string | undefined;
  /** Read again as it changes; comes before `token`. */
  readonly tokenFile: string | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  readonly clientCertificate: ClientCertificate | undefined;
  readonly exec: ExecPlugin | undefined;
};

/** How one cluster is reached as one user. */
export type Endpoint = {
  /** May have a path, as behind Rancher. */
  readonly server: URL;
  readonly namespace: string;
  /** PEM; undefined where the machine's own authorities are to be trusted. */
  readonly certificateAuthority: string | undefined;
  readonly isInsecure: boolean;
  readonly tlsServerName: string | undefined;
  readonly proxyUrl: string | undefined;
  /** `Impersonate-…`. */
  readonly impersonation: Readonly<Record<string, string | string[]>>;
  readonly credentials: CredentialSource;
};

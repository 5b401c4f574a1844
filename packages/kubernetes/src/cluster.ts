/** An object of the API as JSON. Read its fields through a schema: nothing but these is certain. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMetadata;
  readonly [field: string]: unknown;
};

export type ObjectMetadata = {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
};

/** A kind that the API serves. */
export type ResourceType = {
  readonly apiVersion: string;
  readonly kind: string;
  /** Its name in a path, `deployments`. */
  readonly plural: string;
  readonly isNamespaced: boolean;
};

/** Which object. `namespace` is undefined for what has none. */
export type ObjectKey = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
};

/** Which objects. Without a namespace, those of all. Selectors are written as kubectl's. */
export type Selection = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
};

export type WatchEvent =
  /** All there are: at the start, and again where the watch had to begin anew (410, a lost connection). */
  | { readonly kind: 'snapshot'; readonly objects: readonly KubernetesObject[] }
  | { readonly kind: 'changed'; readonly object: KubernetesObject }
  | { readonly kind: 'deleted'; readonly object: KubernetesObject };

export type WriteOptions = { readonly isDryRun?: boolean; readonly signal?: AbortSignal };

export type ApplyOptions = WriteOptions & {
  readonly fieldManager: string;
  /** Takes fields over from other managers. */
  readonly isForced?: boolean;
};

export type RemoveOptions = WriteOptions & {
  /** Only the object with this uid: another of the same name counts as not there. */
  readonly uid?: string;
};

export type LogSelection = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Of the container's run before this one. */
  readonly isPrevious?: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
};

/** What a verb is asked of, for a question about rights. */
export type AccessQuestion = {
  readonly verb: string;
  readonly group: string;
  /** `pods` or `pods/log`. */
  readonly resource: string;
  readonly namespace: string | undefined;
};

/**
 * A Kubernetes API server, as one user reaches it. Every call throws a {@link KubernetesError} where the API refuses
 * or can't be reached after retries; 404 of one object is undefined and no error.
 */
export type Cluster = {
  /** `https://host:port`, without credentials, for messages. */
  readonly address: string;
  /** That of the kubeconfig's context; `default` where it has none. */
  readonly namespace: string;
  /** Undefined where the API doesn't serve the kind. Answers are remembered; `rediscover` forgets them. */
  readonly findType: (apiVersion: string, kind: string) => Promise<ResourceType | undefined>;
  readonly rediscover: () => void;
  readonly read: (key: ObjectKey, signal?: AbortSignal) => Promise<KubernetesObject | undefined>;
  /** All pages. */
  readonly list: (selection: Selection, signal?: AbortSignal) => Promise<readonly KubernetesObject[]>;
  /** Begins with a snapshot, goes on until the signal aborts (then it ends without an error). */
  readonly watch: (selection: Selection, signal: AbortSignal) => AsyncGenerator<WatchEvent, void, void>;
  /** Server-side apply. */
  readonly apply: (object: KubernetesObject, options: ApplyOptions) => Promise<KubernetesObject>;
  readonly create: (object: KubernetesObject, options?: WriteOptions) => Promise<KubernetesObject>;
  /** JSON merge patch (RFC 7386). */
  readonly patch: (key: ObjectKey, patch: unknown, options?: WriteOptions) => Promise<KubernetesObject>;
  /** False where it wasn't there. Dependents go in the background. */
  readonly remove: (key: ObjectKey, options?: RemoveOptions) => Promise<boolean>;
  readonly readLog: (selection: LogSelection, signal?: AbortSignal) => Promise<string>;
  /** Whether this user may (SelfSubjectAccessReview). */
  readonly isAllowed: (question: AccessQuestion, signal?: AbortSignal) => Promise<boolean>;
};

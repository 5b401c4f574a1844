/** A span of time: epoch milliseconds, fractions allowed, `startMs ≤ endMs`. */
export type Interval = { readonly startMs: number; readonly endMs: number };

/**
 * What a step of a build is for.
 *
 * - `instruction`: an instruction of the Dockerfile, FROM (its pull) included; without `index` it is the
 *   image that a `COPY --from` or a mount takes from.
 * - `context`: files sent by the client or fetched by git for the main or a named context.
 * - `metadata`: asking a registry what a base image is.
 * - `frontend`: reading the Dockerfile, `.dockerignore` or bake file; fetching the `# syntax=` image.
 * - `export`: writing, unpacking, pushing or sending the result.
 */
export type StepKind =
  | 'instruction'
  | 'context'
  | 'metadata'
  | 'frontend'
  | 'cache-import'
  | 'cache-export'
  | 'export'
  | 'authentication'
  | 'other';

/**
 * What moved bytes or took time inside a step.
 *
 * `pull` and `extract` belong to a base image; `cache-read` is the content of a cached step fetched from
 * an imported cache; `export-layers` is everything that writes the result where the engine runs.
 */
export type TransferKind =
  | 'context'
  | 'pull'
  | 'extract'
  | 'push'
  | 'export-layers'
  | 'cache-read'
  | 'cache-write'
  | 'other';

/** One named piece of work inside a step. `bytes` is 0 where BuildKit counts none (a push, an export). */
export type Transfer = Interval & {
  readonly kind: TransferKind;
  readonly name: string;
  readonly bytes: number;
};

/** What a vertex's name says; see `parseStepName`. */
export type StepName = {
  readonly kind: StepKind;
  /** The bake target, known only when a bake builds more than one. */
  readonly target?: string;
  /** As BuildKit writes it: `linux/amd64`, or `linux/amd64->arm64` for a step that cross-compiles. */
  readonly platform?: string;
  /** Absent in a Dockerfile of one stage; `stage-<i>` for a stage without a name. */
  readonly stage?: string;
  readonly index?: number;
  readonly total?: number;
  /** The instruction's keyword in upper case: `RUN`. `ONBUILD` for a trigger of the base image. */
  readonly keyword?: string;
  /** The instruction with its build arguments expanded, on one line: `RUN npm ci`. */
  readonly instruction?: string;
};

/** One step of a build, in the order the steps began. */
export type BuildStep = StepName & {
  /** Digest of the step's first vertex. */
  readonly id: string;
  /** As BuildKit names it. */
  readonly name: string;
  /** Disjoint and ascending. Empty: never reached. A cached step has one without length. */
  readonly intervals: readonly Interval[];
  /** Its result came from the cache; a later interval is then the fetching of its content. */
  readonly cached: boolean;
  readonly error?: string;
  /** Stopped because another step failed or the build was canceled. */
  readonly isCanceled: boolean;
  readonly transfers: readonly Transfer[];
  /** The last 40 lines the step's command wrote, without escape sequences. */
  readonly outputTail: readonly string[];
};

/** A warning of BuildKit's own checks. `file` is relative to the folder of the Dockerfile. */
export type BuildWarning = {
  readonly message: string;
  readonly detail: readonly string[];
  readonly url?: string;
  readonly file?: string;
  readonly line?: number;
  readonly endLine?: number;
};

/** A whole progress stream. `trailer` holds the lines that aren't JSON: buildx's own messages. */
export type Progress = {
  readonly steps: readonly BuildStep[];
  readonly warnings: readonly BuildWarning[];
  readonly trailer: readonly string[];
};

/** A step as events name it; `number` counts steps from 1 in the order they began. */
export type StepHeading = {
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly kind: StepKind;
  /** FROM begins and ends several times, as the need for its content comes up. */
  readonly isFrom: boolean;
};

/** One thing that happened, for whoever watches the build. Times are epoch ms. */
export type ProgressEvent =
  | { readonly kind: 'started'; readonly step: StepHeading; readonly atMs: number }
  | {
      readonly kind: 'finished';
      readonly step: StepHeading;
      readonly result: 'done' | 'cached' | 'failed' | 'canceled';
      readonly error?: string;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'output';
      readonly step: StepHeading;
      readonly line: string;
      /** Since the step began. */
      readonly offsetMs: number;
    }
  | {
      readonly kind: 'transfer';
      readonly step: StepHeading;
      readonly transfer: Transfer;
      /** Undefined where BuildKit doesn't know. */
      readonly totalBytes: number | undefined;
      readonly isComplete: boolean;
    }
  | { readonly kind: 'warning'; readonly warning: BuildWarning }
  | { readonly kind: 'trailer'; readonly line: string };

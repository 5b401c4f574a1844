/** What is wrong with one field, as the API server says it in `details.causes`. */
export type FieldCause = { readonly field: string; readonly reason: string; readonly message: string };

type KubernetesFailure = {
  readonly operation: string;
  readonly message: string;
  readonly status?: number;
  readonly reason?: string;
  readonly causes?: readonly FieldCause[];
  /** The API server's own sentence, whole. */
  readonly answer?: string;
  readonly isTemporary?: boolean;
  readonly cause?: unknown;
};

/**
 * The API server refused, or can't be reached. The message is one line without credentials, fit for an annotation.
 */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly system = 'the Kubernetes API';
  /** What was tried, `apply Deployment inference/vllm`. */
  readonly operation: string;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** `status.reason` of the answer: `Forbidden`, `Invalid`, `Conflict`. */
  readonly reason: string | undefined;
  readonly causes: readonly FieldCause[];
  /** The API server's own sentence, whole. */
  readonly answer: string;
  /** Whether the same call may succeed later without anyone doing anything. */
  readonly isTemporary: boolean;

  constructor(failure: KubernetesFailure) {
    super(failure.message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.operation = failure.operation;
    this.status = failure.status;
    this.reason = failure.reason;
    this.causes = failure.causes ?? [];
    this.answer = failure.answer ?? '';
    this.isTemporary = failure.isTemporary ?? false;
  }
}

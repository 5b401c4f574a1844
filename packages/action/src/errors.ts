/** Where in a file of the workspace something is wrong. Lines and columns count from 1. */
export type SourceLocation = {
  readonly file: string;
  readonly startLine?: number;
  readonly startColumn?: number;
  readonly endLine?: number;
};

/**
 * Something the user can put right: a wrong input, a file that isn't there, a Dockerfile that doesn't build.
 * Shown as one annotation, without a stack.
 *
 * The message's first line becomes the annotation, so keep it within 200 characters, cause first.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly location: SourceLocation | undefined;

  constructor(
    message: string,
    options: { readonly location?: SourceLocation; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.location = options.location;
  }
}

/**
 * What an edge package throws when the system behind it failed. Edges may not import one another, so this is
 * a shape and not a class: any Error that carries these fields is shown as an outside failure, without a stack.
 */
export type OutsideError = Error & {
  /** The outside system, "docker" or "registry". */
  readonly system: string;
  /** What was asked of it. */
  readonly operation: string;
  /** Whether trying again later may help. */
  readonly isTemporary: boolean;
};

/** Whether an error came from an outside system rather than from this code. */
export function isOutsideError(error: unknown): error is OutsideError {
  return (
    error instanceof Error &&
    'system' in error &&
    typeof error.system === 'string' &&
    'operation' in error &&
    typeof error.operation === 'string'
  );
}

/**
 * Whether an error is a mistake in this code and must not be passed over. For the few places where a lesser thing
 * may fail without failing the step: they pass over all else.
 */
export function isProgrammingError(error: unknown): boolean {
  return (
    !(error instanceof Error) ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError
  );
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { MAX_MESSAGE_CHARACTERS, toOneLine } from './plain-text.ts';

type GitHubFailure = {
  readonly operation: string;
  readonly message: string;
  readonly status?: number | undefined;
  readonly isTemporary?: boolean;
  readonly cause?: unknown;
};

/** GitHub stands in the way. The message is one line without secrets, fit for an annotation. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError';
  readonly system = 'GitHub';
  /** What was asked of it, `write the check run "validate-phase / phase-1"`. */
  readonly operation: string;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Whether the same call may succeed later without anyone doing anything. */
  readonly isTemporary: boolean;

  constructor({ operation, message, status, isTemporary = false, cause }: GitHubFailure) {
    super(toOneLine(message, MAX_MESSAGE_CHARACTERS), cause === undefined ? {} : { cause });
    this.operation = operation;
    this.status = status;
    this.isTemporary = isTemporary;
  }
}

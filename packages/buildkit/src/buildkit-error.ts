/** Docker itself couldn't do what was asked; the message names the cause and the next step. */
export class BuildkitError extends Error {
  readonly system = 'docker';
  /** What was tried: `build`, `inspect builder`, … */
  readonly operation: string;
  /** Trying the same again later may work. */
  readonly isTemporary: boolean;

  constructor(message: string, options: { operation: string; isTemporary?: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'BuildkitError';
    this.operation = options.operation;
    this.isTemporary = options.isTemporary ?? false;
  }
}

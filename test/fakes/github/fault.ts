/** An answer GitHub gives instead of doing what was asked, in the shape of its `basic-error`. */
export class GithubFault extends Error {
  readonly status: number;
  readonly errors: readonly Readonly<Record<string, unknown>>[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    extra: {
      readonly errors?: readonly Readonly<Record<string, unknown>>[];
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(message);
    this.name = 'GithubFault';
    this.status = status;
    this.errors = extra.errors;
    this.headers = extra.headers ?? {};
  }
}

export function notFound(): GithubFault {
  return new GithubFault(404, 'Not Found');
}

/** GitHub's 422 for a field whose value can't be taken. */
export function validationFailed(error: Readonly<Record<string, unknown>>): GithubFault {
  return new GithubFault(422, 'Validation Failed', { errors: [error] });
}

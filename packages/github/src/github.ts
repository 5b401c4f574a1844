/** A check run that has ended. There is no `neutral` and no `skipped`: a required check takes both for a success. */
export type CheckRun = {
  readonly name: string;
  readonly headSha: string;
  readonly conclusion: 'success' | 'failure' | 'action_required';
  readonly title: string;
  /** Markdown; cut to what the API takes. */
  readonly summary: string;
  readonly detailsUrl: string;
};

export type CommitStatus = {
  readonly sha: string;
  readonly context: string;
  readonly state: 'success' | 'failure' | 'error';
  /** Cut to the 140 characters that the API takes. */
  readonly description: string;
  readonly targetUrl: string;
};

/** What came of asking to show something on a commit: a read-only token is no error. */
export type Shown =
  | { readonly kind: 'shown'; readonly url: string }
  /** One sentence: what wasn't shown, and the right that is missing. */
  | { readonly kind: 'not-allowed'; readonly message: string };

export type GitHub = {
  readonly createCheckRun: (run: CheckRun, signal: AbortSignal) => Promise<Shown>;
  readonly createCommitStatus: (status: CommitStatus, signal: AbortSignal) => Promise<Shown>;
  /** How many check runs of this name there are on the commit, and by which app each was made. */
  readonly listCheckRuns: (
    headSha: string,
    name: string,
    signal: AbortSignal,
  ) => Promise<readonly { readonly id: number; readonly app: string }[]>;
  /** Text of a file at a ref; undefined where it isn't there. */
  readonly readFile: (path: string, ref: string, signal: AbortSignal) => Promise<string | undefined>;
};

import { attempt, type Runner } from '@sophia/action';
import type { CheckRun, CommitStatus, GitHub } from '@sophia/github';
import type { PhaseEvidence } from '@sophia/records';

/** GitHub takes 65,535 characters; the client cuts what is longer. */
type Display = {
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** Markdown. */
  readonly summary: string;
  readonly detailsUrl: string;
};

// A required check takes `neutral` and `skipped` for a success, so neither is ever said.
const CONCLUSIONS: Readonly<Record<PhaseEvidence['verdict']['kind'], CheckRun['conclusion']>> = {
  pass: 'success',
  fail: 'failure',
  inconclusive: 'action_required',
};
const STATES: Readonly<Record<PhaseEvidence['verdict']['kind'], CommitStatus['state']>> = {
  pass: 'success',
  fail: 'failure',
  inconclusive: 'error',
};

const LOSS = 'The verdict stands, but it was not shown on the commit';

/**
 * Shows the verdict on its commit: as a check run, else as a commit status, else not at all. The job is the check:
 * its result says the same, and a token that may only read (that of a pull request from a fork) loses nothing but
 * the display.
 *
 * @returns The web page of what was written.
 */
export async function showVerdict(
  { verdict, commit }: Pick<PhaseEvidence, 'verdict' | 'commit'>,
  display: Display,
  github: GitHub,
  runner: Pick<Runner<never>, 'annotate' | 'info'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { name, title, summary, detailsUrl } = display;
  const run: CheckRun = {
    name,
    headSha: commit,
    conclusion: CONCLUSIONS[verdict.kind],
    title,
    summary,
    detailsUrl,
  };
  const shown = await attempt(runner, LOSS, () => github.createCheckRun(run, signal));
  if (shown === undefined) return undefined;
  if (shown.kind === 'shown') return shown.url;
  const status: CommitStatus = {
    sha: commit,
    context: name,
    state: STATES[verdict.kind],
    description: title,
    targetUrl: detailsUrl,
  };
  const second = await attempt(runner, LOSS, () => github.createCommitStatus(status, signal));
  if (second === undefined) return undefined;
  if (second.kind === 'shown') {
    runner.info(`${shown.message} The verdict is a commit status instead.`);
    return second.url;
  }
  runner.annotate({
    level: 'notice',
    message: `${shown.message} The verdict is this job's own result, and in its summary.`,
  });
  return undefined;
}

/**
 * Warns where more check runs of the name stand on the commit than the attempts of one run can have made: whoever may
 * write checks may write one of any name.
 */
export async function warnOfOthers(
  name: string,
  commit: string,
  attempts: number,
  github: GitHub,
  runner: Pick<Runner<never>, 'annotate'>,
  signal: AbortSignal,
): Promise<void> {
  const runs = await attempt(runner, `Other check runs named "${name}" could not be looked for`, () =>
    github.listCheckRuns(commit, name, signal),
  );
  if (runs === undefined) return;
  const apps = [...new Set(runs.map(({ app }) => app))];
  if (runs.length <= Math.max(1, attempts) && apps.length <= 1) return;
  runner.annotate({
    level: 'warning',
    message: `Commit ${commit.slice(0, 12)} has ${runs.length} check runs named "${name}", by ${apps.join(', ')}: expected one. Require the job of this step, not the check run, and look for who else writes it.`,
  });
}

import { InputError, type RunContext } from '@sophia/action';

/**
 * The Git context an empty `context` stands for: this repository at the commit the run was started for
 * (for a pull request, its merge with the base), as `docker/build-push-action` has it.
 *
 * @param preferHead Value of DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF: the pull request's own head in place of the merge.
 * @returns Empty outside a run, where there is no repository to name.
 */
export function toGitContext(context: RunContext, preferHead: boolean): string {
  if (context.repository === '') return '';
  const base = `${context.serverUrl}/${context.repository}.git`;
  const isPullRequest = context.ref.startsWith('refs/pull/');
  if (isPullRequest && preferHead) {
    return `${base}#${context.event.pullRequest?.headSha ?? context.ref.replace(/\/merge$/, '/head')}`;
  }
  return `${base}#${context.sha || context.ref}`;
}

/** @throws {InputError} There is neither a context nor a repository to build from. */
export function requireContext(context: string): string {
  if (context !== '') return context;
  throw new InputError(
    'Input "context" is empty and this is no workflow run: expected a folder or URL. Set "context: .".',
  );
}

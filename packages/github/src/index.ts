export { createGitHub, type GitHubOptions } from './create-github.ts';
export type { CheckRun, CommitStatus, GitHub, Shown } from './github.ts';
export { GitHubError } from './github-error.ts';

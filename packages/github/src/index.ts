export type { CheckRun, CommitStatus, GitHub, Shown } from './github.ts';

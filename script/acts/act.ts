import type { PipelineRun } from './pipeline-run.ts';
import type { Progress } from './progress.ts';

/** What the acts of a demo share, and what those before have brought about. */
export interface Stage {
  /** Workspaces, build caches and times of earlier demos; kept between them. */
  readonly stateFolder: string;
  /** Where records, summaries and logs are put for the reader. */
  readonly resultsFolder: string;
  /** Shows Markdown to the reader. */
  readonly show: (markdown: string) => void;
  readonly progress: Progress;
  /** The runs so far, in order. */
  readonly runs: readonly PipelineRun[];
}

/** One part of the demo. It gives the stage to the next one. */
export type Act = (stage: Stage) => Promise<Stage>;

/** The demo can't go on; the message is one line that says why and what to do. */
export class DemoError extends Error {}

import type { JobStatus } from './expressions.ts';
import { createJob } from './job.ts';
import type { JobStep, PhaseResult, StepResult } from './job-state.ts';
import type { LeftProcess } from './left-processes.ts';
import type { JobFolders, JobOptions } from './runner-environment.ts';
import type { Annotation } from './workflow-commands.ts';

/** A finished job: its steps in order, then the post steps in the order they ran. */
export interface JobRun extends AsyncDisposable {
  readonly conclusion: JobStatus;
  readonly steps: readonly StepResult[];
  readonly posts: readonly { readonly id: string; readonly result: PhaseResult }[];
  /** One summary for each step that wrote one, in order, secrets masked. */
  readonly summaries: readonly { readonly id: string; readonly markdown: string }[];
  readonly annotations: readonly Annotation[];
  readonly log: string;
  readonly rawLog: string;
  readonly masks: readonly string[];
  readonly warnings: readonly string[];
  readonly processesLeft: readonly LeftProcess[];
  readonly folders: JobFolders;
}

/**
 * Runs the steps of one job in turn, as a runner would: later steps see the outputs (`steps.<id>.outputs`),
 * environment, path and RUNNER_TEMP of the earlier ones, and the post steps run in reverse order.
 */
export async function runJob(steps: readonly JobStep[], options: JobOptions = {}): Promise<JobRun> {
  const job = await createJob(options);
  try {
    const results: StepResult[] = [];
    for (const step of steps) results.push(await job.runStep(step));
    const posts = await job.finish();
    const phases = [
      ...results.flatMap((step) => step.phases.map((result) => ({ id: step.id, result }))),
      ...posts,
    ];
    return {
      conclusion: job.status(),
      steps: results,
      posts,
      summaries: phases
        .filter(({ result }) => result.summary !== '')
        .map(({ id, result }) => ({ id, markdown: result.summary })),
      annotations: phases.flatMap(({ result }) => result.annotations),
      log: job.log(),
      rawLog: job.rawLog(),
      masks: job.masks(),
      warnings: job.warnings(),
      processesLeft: await job.leftProcesses(),
      folders: job.folders,
      [Symbol.asyncDispose]: () => job[Symbol.asyncDispose](),
    };
  } catch (error) {
    await job[Symbol.asyncDispose]();
    throw error;
  }
}

import * as z from 'zod/mini';
import { type Annotation, parseWorkflowCommand } from '../runner/workflow-commands.ts';

// The members of act's JSON lines this reads; `stepID` has one entry more for each level of nesting.
const lineSchema = z.object({
  level: z.optional(z.string()),
  msg: z.optional(z.string()),
  job: z.optional(z.string()),
  jobID: z.optional(z.string()),
  jobResult: z.optional(z.string()),
  matrix: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
  step: z.optional(z.string()),
  stepID: z.optional(z.array(z.string())),
  stage: z.optional(z.string()),
  stepResult: z.optional(z.string()),
  raw_output: z.optional(z.boolean()),
  command: z.optional(z.string()),
  name: z.optional(z.string()),
  arg: z.optional(z.string()),
  content: z.optional(z.string()),
  kvPairs: z.optional(z.nullable(z.record(z.string(), z.string()))),
});

type Line = z.infer<typeof lineSchema>;

export type WorkflowConclusion = 'success' | 'failure' | 'cancelled' | 'skipped';

/** One step with all its stages; act says nothing of a step that was skipped. */
export interface WorkflowStep {
  readonly id: string;
  /** Its `name:`, else what it uses or runs. */
  readonly name: string;
  /** The worst of its stages, before `continue-on-error`. */
  readonly conclusion: WorkflowConclusion;
  readonly stages: Readonly<Record<string, WorkflowConclusion>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly annotations: readonly Annotation[];
  /** Without empty lines: act makes one of a line whose end reaches it apart from its text. */
  readonly log: string;
}

export interface WorkflowJob {
  /** Unique in a run: with the workflow's name, and a number where the job has a matrix. */
  readonly name: string;
  readonly id: string;
  readonly matrix: Readonly<Record<string, unknown>>;
  readonly conclusion: WorkflowConclusion;
  readonly steps: readonly WorkflowStep[];
}

interface StepDraft {
  id: string;
  name: string;
  stages: Record<string, WorkflowConclusion>;
  outputs: Record<string, string>;
  summary: string;
  annotations: Annotation[];
  log: string;
}

interface JobDraft {
  name: string;
  id: string;
  matrix: Record<string, unknown>;
  conclusion: WorkflowConclusion;
  steps: Map<string, StepDraft>;
}

function toConclusion(text: string): WorkflowConclusion {
  return text === 'success' || text === 'skipped' || text === 'cancelled' ? text : 'failure';
}

function toAnnotation(level: Annotation['level'], line: Line): Annotation {
  const properties = line.kvPairs ?? {};
  const whole = (name: string) => (properties[name] === undefined ? undefined : Number(properties[name]));
  const found = {
    title: properties['title'],
    file: properties['file'],
    line: whole('line'),
    endLine: whole('endLine'),
    column: whole('col'),
    endColumn: whole('endColumn'),
  };
  const present = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
  return { level, message: line.arg ?? '', ...present };
}

function applyCommand(step: StepDraft, line: Line): void {
  switch (line.command) {
    case 'set-output':
      step.outputs[line.name ?? ''] = line.arg ?? '';
      return;
    case 'summary':
      step.summary += line.content ?? '';
      return;
    case 'error':
    case 'warning':
    case 'notice':
      step.annotations.push(toAnnotation(line.command, line));
      return;
    default:
  }
}

/**
 * A command whose end of line reached act apart from its text, which act then took for output: the runner, which reads
 * whole lines, takes it.
 */
function toCutCommand(line: Line): Line | undefined {
  const { msg, raw_output: isOutput } = line;
  if (isOutput !== true || msg === undefined || msg.endsWith('\n')) return undefined;
  const command = parseWorkflowCommand(msg, undefined);
  if (command === undefined || !['error', 'warning', 'notice'].includes(command.name)) return undefined;
  return { command: command.name, arg: command.data, kvPairs: Object.fromEntries(command.properties) };
}

function applyLine(job: JobDraft, line: Line): void {
  if (line.jobResult !== undefined) job.conclusion = toConclusion(line.jobResult);
  // What act says of its own doings names steps that have not begun, and would upset their order.
  const isOfStep = line.stepResult !== undefined || line.raw_output === true || line.command !== undefined;
  if (line.stepID === undefined || !isOfStep) return;
  const id = line.stepID.join('/');
  const step = job.steps.get(id) ?? {
    id,
    name: line.step ?? id,
    stages: {},
    outputs: {},
    summary: '',
    annotations: [],
    log: '',
  };
  job.steps.set(id, step);
  if (line.stepResult !== undefined) step.stages[line.stage ?? 'Main'] = toConclusion(line.stepResult);
  const cut = toCutCommand(line);
  if (line.raw_output === true && cut === undefined && line.msg !== '\n') step.log += line.msg ?? '';
  applyCommand(step, cut ?? line);
}

const badness: readonly WorkflowConclusion[] = ['failure', 'cancelled', 'success', 'skipped'];

function finishStep(draft: StepDraft): WorkflowStep {
  const seen = Object.values(draft.stages);
  return { ...draft, conclusion: badness.find((one) => seen.includes(one)) ?? 'skipped' };
}

/** What act's output says of a run. */
export interface ActLog {
  readonly jobs: readonly WorkflowJob[];
  /** Errors of act itself, such as a workflow that is not valid. */
  readonly errors: readonly string[];
}

function parseLine(text: string): Line | undefined {
  const parsed = text.startsWith('{') ? lineSchema.safeParse(JSON.parse(text)) : undefined;
  return parsed?.success === true ? parsed.data : undefined;
}

/** What a line outside of any job complains of; that a job failed is no error of act. */
function ownError(text: string, line: Line | undefined): string | undefined {
  if (line !== undefined) return line.level === 'error' || line.level === 'fatal' ? line.msg : undefined;
  return text.trim() === '' || /^Error: Job '.*' failed$/u.test(text) ? undefined : text;
}

/** Reads the output of `act --json`; a line that is no JSON is a message of act itself. */
export function parseActLog(output: string): ActLog {
  const jobs = new Map<string, JobDraft>();
  const errors: string[] = [];
  for (const text of output.split('\n')) {
    const line = parseLine(text);
    if (line?.job === undefined) {
      errors.push(...[ownError(text, line)].filter((one) => one !== undefined));
      continue;
    }
    const job = jobs.get(line.job) ?? {
      name: line.job,
      id: line.jobID ?? line.job,
      matrix: line.matrix ?? {},
      conclusion: 'skipped',
      steps: new Map(),
    };
    jobs.set(line.job, job);
    applyLine(job, line);
  }
  return {
    jobs: [...jobs.values()].map((job) => ({ ...job, steps: [...job.steps.values()].map(finishStep) })),
    errors,
  };
}

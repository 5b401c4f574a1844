import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ActionMetadata, readActionMetadata } from './action-metadata.ts';
import { evaluateCondition, type JobStatus } from './expressions.ts';
import {
  type ActionStep,
  type Conclusion,
  expand,
  expandAll,
  expressionContext,
  type JobState,
  type JobStep,
  type PendingPost,
  type PhaseResult,
  type RunStep,
  type StepResult,
  skippedPhase,
  warn,
} from './job-state.ts';
import { endLeftProcesses, findLeftProcesses, type LeftProcess } from './left-processes.ts';
import {
  checkCallerEnvironment,
  createGithubContext,
  createRunnerContext,
  type JobFolders,
  type JobOptions,
  serviceVariables,
} from './runner-environment.ts';
import { createSecretMasker } from './secret-masker.ts';
import { runPhase } from './step-phase.ts';
import type { Annotation } from './workflow-commands.ts';

/** A running job. Steps share RUNNER_TEMP, the environment, the path, the masks and the workspace. */
export interface Job extends AsyncDisposable {
  readonly folders: JobFolders;
  readonly github: Readonly<Record<string, unknown>>;
  readonly runStep: (step: JobStep) => Promise<StepResult>;
  /** Runs the post steps in reverse order and returns their results by step. */
  readonly finish: () => Promise<readonly { readonly id: string; readonly result: PhaseResult }[]>;
  readonly status: () => JobStatus;
  /** As shown on the run page: each line masked with the secrets known when it was printed. */
  readonly log: () => string;
  readonly rawLog: () => string;
  readonly masks: () => readonly string[];
  readonly warnings: () => readonly string[];
  readonly leftProcesses: () => Promise<readonly LeftProcess[]>;
}

/** INPUT_* as the runner names them: upper case, blanks to underscores, hyphens kept. */
function inputVariables(
  state: JobState,
  metadata: ActionMetadata,
  given: Readonly<Record<string, string>>,
  annotations: Annotation[] | undefined,
): Record<string, string> {
  const values = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), { name, value }]));
  const declared = new Map(metadata.inputs.map((input) => [input.name.toLowerCase(), input]));
  const unexpected = [...values].filter(([key]) => !declared.has(key)).map(([, { name }]) => name);
  for (const [key, input] of declared) {
    if (!values.has(key)) {
      values.set(key, { name: input.name, value: expand(state, input.defaultTemplate) });
    } else if (input.deprecationMessage !== undefined && annotations !== undefined) {
      const message = `Input '${input.name}' has been deprecated with message: ${input.deprecationMessage}`;
      warn(state, annotations, message);
    }
  }
  if (unexpected.length > 0 && annotations !== undefined) {
    const valid = metadata.inputs.map((input) => input.name);
    const message = `Unexpected input(s) '${unexpected.join("', '")}', valid inputs are ['${valid.join("', '")}']`;
    warn(state, annotations, message);
  }
  return Object.fromEntries(
    [...values.values()].map(({ name, value }) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  );
}

function applyStatus(state: JobState, conclusion: Conclusion): void {
  if (conclusion === 'cancelled') state.status = 'cancelled';
  else if (conclusion === 'failure' && state.status === 'success') state.status = 'failure';
}

function holds(state: JobState, condition: string): boolean {
  return evaluateCondition(condition, expressionContext(state), state.status, state.folders.workspace);
}

async function runActionPhase(
  state: JobState,
  pending: PendingPost,
  phase: PhaseResult['phase'],
): Promise<PhaseResult> {
  const { step, metadata, id } = pending;
  const script = metadata[phase];
  if (script === undefined) return skippedPhase(phase);
  const annotations: Annotation[] = [];
  const given = expandAll(state, step.inputs);
  const inputs = inputVariables(state, metadata, given, phase === 'main' ? annotations : undefined);
  const node = step.node ?? process.execPath;
  if (step.node === undefined && Number(process.versions.node.split('.')[0]) !== metadata.nodeMajor) {
    state.warnings.push(`The action wants node${metadata.nodeMajor} and ran on ${process.version}.`);
  }
  const stateVariables = Object.fromEntries(
    [...pending.state].map(([name, value]) => [`STATE_${name}`, value]),
  );
  const result = await runPhase(state, {
    phase,
    id,
    step,
    command: node,
    args: [script],
    variables: { ...inputs, ...stateVariables, ...serviceVariables(state.options.services) },
    github: {
      ...state.github,
      action: id,
      action_repository: step.actionRepository ?? 'sophia/actions',
      action_ref: step.actionRepository === '' ? '' : (step.actionRef ?? 'v1'),
    },
    annotations,
  });
  for (const [name, value] of Object.entries(result.state)) pending.state.set(name, value);
  return result;
}

async function runActionStep(state: JobState, step: ActionStep, id: string): Promise<PhaseResult[]> {
  const metadata = await readActionMetadata(step.actionFolder);
  const pending: PendingPost = { id, step, metadata, state: new Map() };
  const phases: PhaseResult[] = [];
  const isLocal = step.actionRepository === '';
  if (metadata.pre !== undefined && isLocal) {
    state.warnings.push(`\`pre\` execution is not supported for local action from '${step.actionFolder}'`);
  }
  if (metadata.pre !== undefined && !isLocal && holds(state, metadata.preIf)) {
    const pre = await runActionPhase(state, pending, 'pre');
    applyStatus(state, pre.conclusion);
    phases.push(pre);
  }
  const isRun = holds(state, step.if ?? 'success()');
  const isStarted = isRun || phases.length > 0;
  if (metadata.post !== undefined && isStarted) state.posts.push(pending);
  phases.push(isRun ? await runActionPhase(state, pending, 'main') : skippedPhase('main'));
  return phases;
}

async function runScriptStep(state: JobState, step: RunStep, id: string): Promise<PhaseResult[]> {
  if (!holds(state, step.if ?? 'success()')) return [skippedPhase('main')];
  const file = path.join(state.folders.temp, `${randomUUID()}.sh`);
  await writeFile(file, expand(state, step.run, expandAll(state, step.env)));
  const result = await runPhase(state, {
    phase: 'main',
    id,
    step,
    command: 'bash',
    args: ['--noprofile', '--norc', '-e', '-o', 'pipefail', file],
    variables: {},
    github: { ...state.github, action: id, action_repository: '', action_ref: '' },
    annotations: [],
  });
  await rm(file, { force: true });
  return [result];
}

function defaultStepId(step: JobStep, number: number): string {
  if (!('actionFolder' in step)) return number === 0 ? '__run' : `__run_${number + 1}`;
  const name = path.basename(path.resolve(step.actionFolder));
  return `__sophia_actions_${name}`;
}

async function runStep(state: JobState, step: JobStep): Promise<StepResult> {
  const id = step.id ?? defaultStepId(step, Object.keys(state.steps).length);
  const phases = await ('actionFolder' in step
    ? runActionStep(state, step, id)
    : runScriptStep(state, step, id));
  const main = phases.at(-1) ?? skippedPhase('main');
  const outcome = main.conclusion;
  const conclusion = outcome === 'failure' && step.continueOnError === true ? 'success' : outcome;
  applyStatus(state, conclusion);
  for (const [name, value] of Object.entries(main.outputs)) {
    if (state.masker.mask(value) !== value) {
      state.warnings.push(`Skip output '${name}' since it may contain secret.`);
    }
  }
  state.steps[id] = { outputs: { ...main.outputs }, outcome, conclusion };
  return { id, outcome, conclusion, phases, outputs: main.outputs };
}

async function runPosts(state: JobState): Promise<{ id: string; result: PhaseResult }[]> {
  const results: { id: string; result: PhaseResult }[] = [];
  for (let pending = state.posts.pop(); pending !== undefined; pending = state.posts.pop()) {
    if (!holds(state, pending.metadata.postIf)) {
      results.push({ id: pending.id, result: skippedPhase('post') });
      continue;
    }
    const result = await runActionPhase(state, pending, 'post');
    applyStatus(state, result.conclusion);
    results.push({ id: pending.id, result });
  }
  return results;
}

async function createFolders(options: JobOptions): Promise<JobFolders> {
  const root = await mkdtemp(path.join(tmpdir(), 'runner-'));
  const name = (options.repository ?? 'octo-org/service').split('/')[1] ?? 'service';
  const folders: JobFolders = {
    root,
    home: path.join(root, 'home'),
    workspace: options.workspace ?? path.join(root, 'work', name, name),
    temp: path.join(root, 'work', '_temp'),
    toolCache: path.join(root, 'tools'),
    eventFile: path.join(root, 'work', '_github_workflow', 'event.json'),
  };
  const { eventFile, ...plain } = folders;
  await Promise.all(
    [...Object.values(plain), path.dirname(eventFile)].map((one) => mkdir(one, { recursive: true })),
  );
  return folders;
}

/**
 * Starts a job as GitHub's runner would: its own folders, a clean environment (PATH, HOME and what `env`
 * adds), the event file, and the masks of its token and secrets. Disposing ends what it left running and
 * removes its folders, except a workspace it was given.
 */
export async function createJob(options: JobOptions = {}): Promise<Job> {
  checkCallerEnvironment(options.env ?? {});
  const folders = await createFolders(options);
  const github = createGithubContext(options, folders);
  const masker = createSecretMasker();
  for (const secret of [String(github['token']), ...Object.values(options.secrets ?? {})]) masker.add(secret);
  if (options.services?.runtimeToken !== undefined) masker.add(options.services.runtimeToken);
  await writeFile(folders.eventFile, JSON.stringify(github['event']));
  const trackingId = `github_${randomUUID()}`;
  const state: JobState = {
    options,
    folders,
    github,
    runner: createRunnerContext(options, folders),
    trackingId,
    masker,
    env: new Map(Object.entries(options.env ?? {})),
    log: [],
    rawLog: [],
    warnings: [],
    steps: {},
    posts: [],
    paths: [],
    status: 'success',
  };
  return {
    folders,
    github,
    runStep: (step) => runStep(state, step),
    finish: () => runPosts(state),
    status: () => state.status,
    log: () => state.log.join('\n'),
    rawLog: () => state.rawLog.join('\n'),
    masks: () => masker.values(),
    warnings: () => state.warnings,
    leftProcesses: () => findLeftProcesses(trackingId),
    async [Symbol.asyncDispose]() {
      await endLeftProcesses(trackingId);
      await rm(folders.root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

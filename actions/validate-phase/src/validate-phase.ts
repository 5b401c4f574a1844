import {
  type ActionRun,
  attempt,
  findUnknownInputs,
  InputError,
  type RunContext,
  type Runner,
  runUrl,
  writeRecordFile,
} from '@sophia/action';
import type { GitHub } from '@sophia/github';
import type { Phase, PhaseOverrides } from '@sophia/phases';
import type { PhaseEvidence } from '@sophia/records';
import { renderPhaseSummary, renderPhaseVerdict } from '@sophia/report';
import { checkAddresses, readTokens } from './data-sources.ts';
import { inputTable, type OutputName } from './inputs.generated.ts';
import { type Dependency, dependencyFile, judgeCriteria } from './judge.ts';
import { createObserver, type ObservationEdges } from './observe.ts';
import type { ValidateInputs } from './parse-inputs.ts';
import { type Criteria, chooseCriteria, readPhaseFile } from './phase-criteria.ts';
import { showVerdict, warnOfOthers } from './show-verdict.ts';
import { toPhaseEvidence } from './to-phase-evidence.ts';

/** The outside of one judgement. */
export type PhaseEdges = ActionRun<OutputName> &
  Pick<ObservationEdges, 'connect' | 'now'> & {
    readonly context: RunContext;
    /** Undefined without a token or a repository. */
    readonly github: GitHub | undefined;
  };

const ERROR_CHARACTERS = 200;
/** What is wrong with the file of an earlier phase is no error of this step; the first problem goes into the verdict. */
const UNHEARD = { annotate: () => {}, info: () => {} };

/**
 * Judges the phase, says so everywhere it can, and throws where it isn't shown to hold. The verdict comes first: no
 * record, summary or check run that can't be written takes it away or changes it.
 *
 * @throws {InputError} A wrong phase file, or, where it is enforced, any verdict but a pass.
 */
export async function validatePhase(inputs: ValidateInputs, edges: PhaseEdges): Promise<void> {
  const { context, environment } = edges;
  const runner = await edges.loadRunner();
  if (inputs.githubToken !== '') runner.mask(inputs.githubToken);
  for (const problem of findUnknownInputs(inputTable, environment)) {
    runner.annotate({ level: 'warning', message: problem });
  }
  const places = { workspace: context.workspace, temporaryFolder: context.temporaryFolder };
  const proposed = await readPhaseFile(inputs.phaseFile, places, runner);
  const criteria = await chooseCriteria(inputs.phaseFile, proposed, context, edges.github, edges.signal);
  const dependencies = await readDependencies(criteria, edges);
  const sources = listSources(criteria, dependencies);
  checkAddresses(inputs.addresses, sources);
  const overrides = toOverrides(inputs, edges.now());
  const judged = await judgeCriteria(criteria, dependencies, {
    observe: createObserver({ ...edges, places, log: runner.info }),
    addresses: inputs.addresses,
    tokens: readTokens(new Set(sources.map(({ name }) => name)), environment, runner),
    overrides,
    now: edges.now,
  });
  const evidence = toPhaseEvidence(criteria, judged, { context, overrides, isEnforced: inputs.isEnforced });
  await report(evidence, criteria, inputs, edges, runner);
  if (evidence.verdict.kind !== 'pass' && inputs.isEnforced) {
    throw new InputError(cut(renderPhaseVerdict(evidence)));
  }
}

function toOverrides({ since, missing }: ValidateInputs, nowMs: number): PhaseOverrides {
  if (since === undefined) return { missing };
  return { windowStartMs: since.kind === 'moment' ? since.epochMs : nowMs - since.durationMs, missing };
}

async function readDependencies(
  { file, phase, proposal }: Criteria,
  { context, github, signal }: PhaseEdges,
): Promise<ReadonlyMap<string, Dependency>> {
  const names = new Set([...phase.dependsOn, ...(proposal?.phase.dependsOn ?? [])].map((each) => each.phase));
  const places = { workspace: context.workspace, temporaryFolder: context.temporaryFolder };
  const dependencies = new Map<string, Dependency>();
  for (const name of names) {
    const path = dependencyFile(file, name);
    const read = await attemptRead(() => readPhaseFile(path, places, UNHEARD));
    if (typeof read === 'string') {
      dependencies.set(name, { kind: 'problem', message: read });
      continue;
    }
    const criteria = await chooseCriteria(path, read, context, github, signal);
    const isKnown = criteria.phase.name === name && criteria.guard?.kind !== 'unchecked';
    const message = criteria.note ?? `${path} is of phase "${criteria.phase.name}": expected "${name}".`;
    dependencies.set(name, isKnown ? { kind: 'criteria', criteria } : { kind: 'problem', message });
  }
  return dependencies;
}

/** What was read, or why it could not be: an earlier phase that can't be read is no longer shown to hold. */
async function attemptRead<T>(read: () => Promise<T>): Promise<T | string> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message;
  }
}

function listSources(
  { phase, proposal }: Criteria,
  dependencies: ReadonlyMap<string, Dependency>,
): Phase['dataSources'] {
  return [
    ...phase.dataSources,
    ...(proposal?.phase.dataSources ?? []),
    ...[...dependencies.values()].flatMap((each) =>
      each.kind === 'criteria' ? each.criteria.phase.dataSources : [],
    ),
  ];
}

async function report(
  evidence: PhaseEvidence,
  criteria: Criteria,
  inputs: ValidateInputs,
  edges: PhaseEdges,
  runner: Runner<OutputName>,
): Promise<void> {
  const namesOf = (kind: PhaseEvidence['verdict']['kind']) =>
    evidence.metrics
      .filter(({ verdict }) => verdict.kind === kind)
      .map(({ name }) => name)
      .join('\n');
  runner.setOutputs({
    result: evidence.verdict.kind,
    'failed-metrics': namesOf('fail'),
    'inconclusive-metrics': namesOf('inconclusive'),
  });
  logVerdicts(evidence, criteria, runner);
  const { temporaryFolder } = edges.context;
  const path = await attempt(runner, 'The verdict stands, but its evidence was not written', () =>
    writeRecordFile('phase-evidence', evidence, temporaryFolder),
  );
  if (path !== undefined) runner.setOutputs({ evidence: path });
  const summary = renderPhaseSummary(evidence);
  await attempt(runner, 'The verdict stands, but its step summary was not written', () =>
    runner.appendSummary(summary),
  );
  if (inputs.isEnforced) {
    const url = await showOnCommit(evidence, summary, inputs, edges, runner);
    if (url !== undefined) runner.setOutputs({ 'check-url': url });
  } else {
    const message = `Dry run, not enforced: ${renderPhaseVerdict({ ...evidence, isEnforced: true })}`;
    runner.annotate({
      level: evidence.verdict.kind === 'pass' ? 'notice' : 'warning',
      message: cut(message),
    });
  }
}

function logVerdicts(evidence: PhaseEvidence, { note }: Criteria, runner: Runner<OutputName>): void {
  for (const { name, verdict } of evidence.metrics) {
    const why = verdict.kind === 'pass' ? '' : `: ${verdict.message}`;
    const reason = verdict.kind === 'inconclusive' ? ` (${verdict.reason})` : '';
    runner.info(`${verdict.kind.padEnd(12)} ${name}${reason}${why}`);
  }
  if (note !== undefined) runner.annotate({ level: 'warning', message: note });
  runner.info(renderPhaseVerdict(evidence));
}

async function showOnCommit(
  evidence: PhaseEvidence,
  summary: string,
  inputs: ValidateInputs,
  { context, github, signal }: PhaseEdges,
  runner: Runner<OutputName>,
): Promise<string | undefined> {
  if (github === undefined || evidence.commit === '') {
    runner.info('No check run is written: there is no token, repository or commit to write it with.');
    return undefined;
  }
  const name = inputs.checkName ?? `validate-phase / ${evidence.phase.name}`;
  const title = renderPhaseVerdict(evidence);
  const detailsUrl = runUrl(context);
  const url = await showVerdict(evidence, { name, title, summary, detailsUrl }, github, runner, signal);
  if (url !== undefined) {
    await warnOfOthers(name, evidence.commit, Number(context.runAttempt), github, runner, signal);
  }
  return url;
}

function cut(text: string): string {
  return text.length <= ERROR_CHARACTERS ? text : `${text.slice(0, ERROR_CHARACTERS - 1)}…`;
}

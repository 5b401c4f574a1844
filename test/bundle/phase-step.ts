import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { BUILD_PHASES, type BuildRecord, type PhaseEvidence, readPhaseEvidence } from '@sophia/records';
import type { GithubFake } from '../fakes/github/github-fake.ts';
import { type ActionRun, type RunActionOptions, runAction } from '../harness/runner/run-action.ts';
import type { Workspace } from './build-step.ts';

/** The folder of the action whose bundle these tests run. */
export const PHASE_ACTION_FOLDER = path.join(import.meta.dirname, '../../actions/validate-phase');
const DAY_MS = 86_400_000;

/** A moment so many days ago, as phase files and ledgers write it. */
export function daysAgo(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z');
}

export interface PhaseParts {
  readonly name?: string;
  /** Lines of YAML, each an entry of its list. */
  readonly sources: readonly string[];
  readonly metrics: readonly string[];
  readonly dependsOn?: string;
  readonly startedDaysAgo?: number;
  readonly duration?: string;
}

/** A phase file whose window of 14 days has closed, unless it says otherwise. */
export function phaseText({
  name = 'phase-1',
  sources,
  metrics,
  dependsOn = '[]',
  startedDaysAgo = 15,
  duration = '14d',
}: PhaseParts): string {
  return `apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: ${name} }
spec:
  dependsOn: ${dependsOn}
  window: { start: "${daysAgo(startedDaysAgo)}", duration: ${duration} }
  evidence: { maxAge: 6h, maxClockSkew: 30s }
  dataSources:
${sources.map((source) => `    - ${source}`).join('\n')}
  metrics:
${metrics.map((metric) => `    - ${metric}`).join('\n')}
  decision: { require: all, onInconclusive: block }
`;
}

export const LEDGER_SOURCE = '{ name: ledger, kind: cost-ledger, path: cost/ledger.json }';

/** Inference costs at most that share of what it did; the plan's is 0.27 of $930. */
export function costMetric(share = 0.27, name = 'inference-cost'): string {
  return `{ name: ${name}, keyObjective: true, dataSource: ledger, scope: { lines: [inference] }, statistic: { estimator: ratio-to-baseline }, target: { op: "<=", value: ${share}, unit: ratio }, baseline: { kind: ledger-snapshot, ref: cost/before.json } }`;
}

/** A cost ledger with what inference costs a month. */
export function ledgerText(usdPerMonth: string, asOf = daysAgo(0.01)): string {
  return JSON.stringify({ asOf, lines: [{ id: 'inference', usdPerMonth }] });
}

/** A checkout whose phase 1 is about the cost of inference alone. */
export function costFiles(usdPerMonth: string, share = 0.27): Readonly<Record<string, string>> {
  return {
    'phases/phase-1.yml': phaseText({ sources: [LEDGER_SOURCE], metrics: [costMetric(share)] }),
    'cost/ledger.json': ledgerText(usdPerMonth),
    'cost/before.json': ledgerText('930', daysAgo(40)),
  };
}

/** The record of a build of one image, as small as the schema lets it be. */
export function buildRecord(compressedBytes: number, startedAt: string): BuildRecord {
  return {
    $schema: 'https://github.com/sophia/actions/schemas/build-record.v1.json',
    version: '1.0',
    kind: 'build',
    status: 'succeeded',
    commit: '',
    ref: '',
    run: { repository: '', workflow: '', job: '', id: '', number: '', attempt: '', eventName: '', url: '' },
    machine: {
      cpuModel: 'AMD EPYC 7763',
      cpuCores: 4,
      memoryBytes: 1,
      operatingSystem: '',
      architecture: 'X64',
      runnerName: '',
      runnerEnvironment: '',
    },
    builder: { name: '', driver: 'docker', buildkitVersions: [], platforms: [] },
    inputs: {
      context: '.',
      file: 'Dockerfile',
      target: '',
      platforms: [],
      tags: [],
      buildArgNames: [],
      labelNames: [],
      secretIds: [],
      cacheFrom: [],
      cacheTo: [],
      outputs: [],
      isLoaded: false,
      isPushed: true,
      noCache: false,
      pull: false,
    },
    startedAt,
    durationMs: 7000,
    time: { ...zeroTimes(), client: 7000 },
    remainderMs: 0,
    cache: { stepsReached: 4, stepsCached: 4, hitRatio: 1 },
    steps: [],
    image: {
      digest: `sha256:${'1'.repeat(64)}`,
      references: ['ghcr.io/octo-org/app:1'],
      platforms: [{ platform: 'linux/amd64', compressedBytes, layers: [] }],
    },
    warnings: [],
  };
}

function zeroTimes(): BuildRecord['time'] {
  return Object.fromEntries([...BUILD_PHASES, 'client'].map((phase) => [phase, 0])) as BuildRecord['time'];
}

export interface PhaseStepOptions extends Omit<RunActionOptions, 'actionFolder' | 'workspace'> {
  readonly workspace: Workspace;
  /** Without it the step has no token, and asks nobody. */
  readonly github?: GithubFake;
}

/** Runs the bundle in a checkout, on phase 1 where no other is given. */
export async function runPhaseStep({
  workspace,
  github,
  inputs,
  ...rest
}: PhaseStepOptions): Promise<ActionRun> {
  const own = github === undefined ? { 'github-token': '' } : {};
  return runAction({
    ...(github === undefined ? {} : { apiUrl: github.url, token: github.token }),
    ...rest,
    actionFolder: PHASE_ACTION_FOLDER,
    workspace: workspace.path,
    inputs: { phase: '1', ...own, ...inputs },
  });
}

/** The evidence a run left, read as any reader would. */
export async function readEvidence(run: ActionRun): Promise<PhaseEvidence> {
  const file = run.outputs['evidence'] ?? 'no evidence was written';
  const read = readPhaseEvidence(await readFile(file, 'utf8'), file);
  if (read.kind === 'problem') throw new Error(read.message);
  return read.record;
}

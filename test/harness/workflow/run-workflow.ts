import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ActionsServices } from '../runner/runner-environment.ts';
import { serviceVariables } from '../runner/runner-environment.ts';
import {
  type ActLog,
  parseActLog,
  type WorkflowConclusion,
  type WorkflowJob,
  type WorkflowStep,
} from './act-log.ts';

const runFile = promisify(execFile);

export interface RunWorkflowOptions {
  /** A workflow file, or its text. */
  readonly workflow: { readonly file: string } | { readonly text: string };
  /** Default `push`. */
  readonly event?: string;
  readonly eventPayload?: unknown;
  /** Of `workflow_dispatch`. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** `owner/name@ref` ▶ folder, for `uses:`; nothing is fetched from a network. */
  readonly localRepositories?: Readonly<Record<string, string>>;
  /** GITHUB_API_URL and `github.token`. */
  readonly githubApi?: { readonly url: string; readonly token: string };
  readonly services?: ActionsServices;
  /** What `actions/checkout` gives: a folder that is copied, without its `.git`, and files over it. */
  readonly folder?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** `owner/name`. */
  readonly repository?: string;
  /** Called with the folder of the repository once its commit is made, as when GitHub's fake is to know that. */
  readonly onCommitted?: (folder: string) => Promise<unknown>;
  readonly timeoutMs?: number;
}

export interface WorkflowRun extends ActLog {
  readonly conclusion: WorkflowConclusion;
  /** The only job of that id; throws where a matrix made several or it did not run. */
  readonly job: (id: string) => WorkflowJob;
  /** The only step of that id in all jobs. */
  readonly step: (id: string) => WorkflowStep;
  /** All that the steps printed, in order. */
  readonly log: string;
  readonly exitCode: number | null;
  readonly durationMs: number;
}

let actBinary: Promise<string> | undefined;

/** The path of act, which `script/tools act` fetches or builds where it is missing. */
function findAct(): Promise<string> {
  const script = path.join(import.meta.dirname, '../../../script/tools');
  actBinary ??= runFile(script, ['act']).then(({ stdout }) => stdout.trim());
  return actBinary;
}

/** Makes the repository that act takes the workflow and the checkout from. */
async function createRepository(folder: string, options: RunWorkflowOptions): Promise<string> {
  const { workflow } = options;
  const workflowFile = path.join(folder, '.github/workflows/workflow-under-test.yml');
  if (options.folder !== undefined) {
    const isWanted = (source: string) => path.basename(source) !== '.git';
    await cp(options.folder, folder, { recursive: true, filter: isWanted });
  }
  for (const [name, content] of Object.entries(options.files ?? {})) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  await mkdir(path.dirname(workflowFile), { recursive: true });
  await writeFile(workflowFile, 'text' in workflow ? workflow.text : await readFile(workflow.file));
  const git = (...args: string[]) =>
    runFile(
      'git',
      ['-C', folder, '-c', 'user.name=octocat', '-c', 'user.email=octocat@github.com', ...args],
      {
        env: { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
      },
    );
  await git('init', '--quiet', '--initial-branch=main');
  await git('remote', 'add', 'origin', `https://github.com/${options.repository ?? 'octo-org/service'}.git`);
  await git('add', '--all');
  await git('commit', '--quiet', '--message=The workflow under test');
  await options.onCommitted?.(folder);
  return workflowFile;
}

function pairs(flag: string, record: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(record).flatMap(([name, value]) => [flag, `${name}=${value}`]);
}

async function createArguments(
  root: string,
  workflowFile: string,
  options: RunWorkflowOptions,
): Promise<string[]> {
  const labels = ['ubuntu-latest', 'ubuntu-24.04', 'self-hosted'];
  const api = options.githubApi === undefined ? {} : { GITHUB_API_URL: options.githubApi.url };
  const args = [
    options.event ?? (options.inputs === undefined ? 'push' : 'workflow_dispatch'),
    ...labels.flatMap((label) => ['--platform', `${label}=-self-hosted`]),
    '--workflows',
    workflowFile,
    '--json',
    '--no-cache-server',
    '--action-cache-path',
    path.join(root, 'actions'),
    ...pairs('--local-repository', options.localRepositories),
    ...pairs('--env', { ...api, ...serviceVariables(options.services), ...options.env }),
    ...pairs('--input', options.inputs),
    ...pairs('--var', options.vars),
    // A name alone: act takes the value from its environment, so that no secret is on a command line.
    ...Object.keys(secretsOf(options)).flatMap((name) => ['--secret', name]),
  ];
  if (options.eventPayload === undefined) return args;
  const file = path.join(root, 'event.json');
  await writeFile(file, JSON.stringify(options.eventPayload));
  return [...args, '--eventpath', file];
}

// A secret of one character would be masked everywhere, and act gives an empty token no value at all.
function secretsOf(options: RunWorkflowOptions): Record<string, string> {
  return {
    GITHUB_TOKEN: options.githubApi?.token ?? 'ghs_nobodystoken0123456789abcdefghijklmno',
    ...options.secrets,
  };
}

async function runAct(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<{ output: string; exitCode: number | null }> {
  const act = await findAct();
  const { promise, resolve, reject } = Promise.withResolvers<{ output: string; exitCode: number | null }>();
  const child = spawn(act, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.on('error', reject);
  child.on('close', (exitCode) =>
    resolve({ output: Buffer.concat([...output, ...errors]).toString('utf8'), exitCode }),
  );
  return promise;
}

function only<Item>(items: readonly Item[], what: string): Item {
  const [first] = items;
  if (first === undefined || items.length > 1) throw new Error(`${items.length} ${what}, expected one.`);
  return first;
}

/**
 * Runs a whole workflow through act on this machine, without containers. Node is the one that runs the tests,
 * as act starts whatever `node` comes first on PATH.
 *
 * Unlike GitHub, act ignores `concurrency`, takes any value for a `choice` input and leaves some variables
 * unset (GITHUB_WORKFLOW_REF, GITHUB_REPOSITORY_ID, RUNNER_NAME …).
 */
export async function runWorkflow(options: RunWorkflowOptions): Promise<WorkflowRun> {
  const startedAt = performance.now();
  const root = await mkdtemp(path.join(tmpdir(), 'workflow-'));
  try {
    const repository = path.join(root, 'repository');
    const home = path.join(root, 'home');
    await Promise.all([mkdir(repository), mkdir(home)]);
    const workflowFile = await createRepository(repository, options);
    const args = await createArguments(root, workflowFile, options);
    const env = {
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
      HOME: home,
      ...secretsOf(options),
    };
    const { output, exitCode } = await runAct(args, repository, env, options.timeoutMs ?? 300_000);
    const { jobs, errors } = parseActLog(output);
    const steps = jobs.flatMap((job) => job.steps);
    return {
      jobs,
      errors,
      conclusion: exitCode === 0 ? 'success' : 'failure',
      job: (id) =>
        only(
          jobs.filter((job) => job.id === id),
          `jobs "${id}"`,
        ),
      step: (id) =>
        only(
          steps.filter((step) => step.id === id || step.id.endsWith(`/${id}`)),
          `steps "${id}"`,
        ),
      log: steps.map((step) => step.log).join(''),
      exitCode,
      durationMs: performance.now() - startedAt,
    };
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT_FOLDER = fileURLToPath(new URL('../../script/', import.meta.url));
const PLAN_FLEET = fileURLToPath(new URL('cluster/fleet.yaml', import.meta.url));

/**
 * How long a test or hook that starts the first cluster may take, in milliseconds: the control plane may still be
 * being compiled, which takes ten minutes on two cores once.
 */
export const FIRST_CLUSTER_TIMEOUT_MS = 45 * 60_000;

/** A node whose kubelet is simulated; test/harness/cluster/README.md has the defaults. */
export interface SimulatedNode {
  readonly name: string;
  readonly architecture?: 'amd64' | 'arm64';
  /** Quantities by resource, such as `{ cpu: 4, 'nvidia.com/gpu': 1 }`; all of it is allocatable. */
  readonly capacity?: Readonly<Record<string, string | number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly taints?: readonly {
    readonly key: string;
    readonly value?: string;
    readonly effect: 'NoExecute' | 'NoSchedule' | 'PreferNoSchedule';
  }[];
  readonly unschedulable?: boolean;
}

/** How a cluster is started. */
export interface ClusterOptions {
  /** The nodes; without it those of the migration plan (test/harness/cluster/fleet.yaml). */
  readonly nodes?: readonly SimulatedNode[];
  /** Flags for kube-apiserver after those that it has, such as `--feature-gates=…`. */
  readonly apiserverFlags?: readonly string[];
}

/** What came of kubectl. */
export interface KubectlResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How kubectl is run. */
export interface KubectlOptions {
  /** Given to standard input, as for `apply --filename=-`: text, or anything else as JSON. */
  readonly input?: unknown;
  /** Where true, a status other than 0 is returned and not thrown. */
  readonly mayFail?: boolean;
}

/** A cluster as kubectl reaches it. */
export interface SharedCluster extends AsyncDisposable {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /**
   * Runs kubectl: `await cluster.kubectl(['get', 'pods', '--output=json'])`.
   *
   * @throws where it ends with a status other than 0, with the end of what it said, unless it may fail
   */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
}

/** A control plane of a test's own, empty but for its nodes. Its kubeconfig has a token. */
export interface Cluster extends SharedCluster {
  /** Path of a kubeconfig that has a client certificate instead. */
  readonly certificateKubeconfig: string;
  /** `https://127.0.0.1:PORT`. */
  readonly server: string;
}

/** Runs a script of this repository with its progress on this terminal and returns the line that it prints. */
export async function runScript(name: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(join(SCRIPT_FOLDER, name), args, (error, stdout) => {
      if (error === null) resolve(stdout.trim());
      else
        reject(
          new Error(`script/${name} ${args.join(' ')} failed: its line is above. The test needs it.`, {
            cause: error,
          }),
        );
    });
    child.stderr?.pipe(process.stderr);
  });
}

/**
 * Starts a control plane (some 4 s once it is compiled). `await using` ends it; it ends with this process too,
 * however that ends.
 *
 * @throws where it can't be compiled or doesn't start, with what it said
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const program = await runScript('tools', ['cluster']);
  const kubectl = await runScript('tools', ['kubectl']);
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  const fleet = options.nodes === undefined ? PLAN_FLEET : join(folder, 'fleet.json');
  if (options.nodes !== undefined) await writeFile(fleet, JSON.stringify({ nodes: options.nodes }));
  const flags = (options.apiserverFlags ?? []).flatMap((flag) => ['--apiserver-flag', flag]);
  const given = ['--folder', folder, '--fleet', fleet, '--until-stdin-closes', '--remove-folder', ...flags];
  const child = spawn(program, ['up', ...given], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-4000);
  });
  const ready = await new Promise<string | undefined>((resolve) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('close', () => resolve(undefined));
  });
  if (ready === undefined)
    throw new Error(`The cluster did not start: ${complaint} Its logs are in ${folder}.`);
  const { kubeconfig, certificateKubeconfig, server } = JSON.parse(ready) as Record<
    'certificateKubeconfig' | 'kubeconfig' | 'server',
    string
  >;
  return {
    kubeconfig,
    certificateKubeconfig,
    server,
    kubectl: (args, how = {}) => runKubectl(kubectl, kubeconfig, args, how),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
      if (child.exitCode !== 0)
        throw new Error(`The cluster ended before the test did: ${complaint} Its logs are in ${folder}.`);
    },
  };
}

/** How many tests of this process hold the shared cluster. */
let holders = 0;

/**
 * The cluster that `script/cluster` keeps for all that ask for it, with the nodes of the migration plan, started
 * where it is not running; with SOPHIA_CLUSTER_KUBECONFIG an existing one. What others have made in it may be there,
 * so a test takes a namespace of its own. `await using` lets go of it.
 */
export async function sharedCluster(): Promise<SharedCluster> {
  const user = String(process.pid);
  holders += 1;
  await runScript('cluster', ['up', '--for', user]);
  const variables = new Map(
    (await runScript('cluster', ['env', '--null']))
      .split('\0')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const [program = '', kubeconfig = ''] = [variables.get('SOPHIA_KUBECTL'), variables.get('KUBECONFIG')];
  return {
    kubeconfig,
    kubectl: (args, how = {}) => runKubectl(program, kubeconfig, args, how),
    async [Symbol.asyncDispose]() {
      holders -= 1;
      if (holders === 0) await runScript('cluster', ['down', '--for', user]);
    },
  };
}

async function runKubectl(
  program: string,
  kubeconfig: string,
  args: readonly string[],
  { input, mayFail = false }: KubectlOptions,
): Promise<KubectlResult> {
  // Its own home keeps kubectl from the caller's configuration and its cache of what other servers offer.
  const home = dirname(kubeconfig);
  const child = spawn(program, args, {
    env: { PATH: '/usr/bin:/bin', HOME: home, KUBECONFIG: kubeconfig },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
  // A kubectl that ends without reading its input is judged by its status, not by the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(typeof input === 'string' || input === undefined ? (input ?? '') : JSON.stringify(input));
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
  const result = {
    status,
    stdout: Buffer.concat(chunks.stdout).toString('utf8'),
    stderr: Buffer.concat(chunks.stderr).toString('utf8'),
  };
  if (status !== 0 && !mayFail)
    throw new Error(`kubectl ${args.join(' ')} ended with ${status}:\n${result.stderr.slice(-4000)}`);
  return result;
}

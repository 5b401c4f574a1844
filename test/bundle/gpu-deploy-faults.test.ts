import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, FIRST_CLUSTER_TIMEOUT_MS } from '../harness/cluster.ts';
import {
  type ApiServerFault,
  type ApiServerRequest,
  startFaultyApiServer,
} from '../harness/faulty-api-server.ts';
import type { ActionRun } from '../harness/runner/run-action.ts';
import {
  type DeploymentOptions,
  deployment,
  type Ground,
  imageOf,
  openGround,
  readDeployRecord,
  readyImages,
  runDeployStep,
  startPools,
} from './deploy-step.ts';

type Decide = (request: ApiServerRequest) => ApiServerFault | undefined;

interface Trouble extends DeploymentOptions {
  /** The name of the test's pool. */
  readonly pool: string;
  readonly what: string;
  readonly decide: () => Decide;
  /** What the log is to say of it. */
  readonly told?: RegExp;
}

/** Faults for the first calls that fit, one after another. */
function inTurn(faults: readonly ApiServerFault[], isMeant: (request: ApiServerRequest) => boolean): Decide {
  const left = [...faults];
  return (request) => (isMeant(request) ? left.shift() : undefined);
}

const isOrdinary = ({ isWatch }: ApiServerRequest) => !isWatch;
/** Not those of the plan, which try it only. */
const isWrite = ({ method, query }: ApiServerRequest) => method !== 'GET' && !query.has('dryRun');
const isWatchOf = (plural: string) => (request: ApiServerRequest) =>
  request.isWatch && request.path.endsWith(`/${plural}`);

const EXPIRED = {
  type: 'ERROR',
  object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 410, reason: 'Expired' },
};

const troubles: readonly Trouble[] = [
  {
    pool: 'busy',
    what: 'too many requests, with a time to come back',
    decide: () =>
      inTurn(
        Array.from({ length: 4 }, () => ({ status: 429, headers: { 'retry-after': '1' } })),
        isOrdinary,
      ),
    told: /answered 429 to .+ Trying again in \d{4} ms\./,
  },
  {
    pool: 'broken',
    what: '500 twice to what is read',
    decide: () => inTurn([{ status: 500 }, { status: 500 }], isOrdinary),
    told: /answered 500 to .+ Trying again in \d+ ms\./,
  },
  {
    pool: 'writes',
    what: '500 and a dropped connection to what is written',
    decide: () => inTurn([{ status: 500 }, 'drop', { status: 503 }], isWrite),
    told: /answered 500 to .+ Trying again in \d+ ms\./,
  },
  {
    pool: 'lost',
    what: 'answers to writes that are lost when they took effect',
    decide: () =>
      inTurn(
        Array.from({ length: 3 }, () => ({ endAfterLines: 0, isCut: true })),
        isWrite,
      ),
  },
  {
    pool: 'expired',
    what: 'watches of Pods and Deployments whose version expires',
    play: { state: 'ready@3s' },
    decide: () => {
      const end = { endAfterMs: 1_500, lastLine: EXPIRED };
      const pods = inTurn([end, end], isWatchOf('pods'));
      const deployments = inTurn([end, end], isWatchOf('deployments'));
      return (request) => pods(request) ?? deployments(request);
    },
    told: /its version has expired; going on/,
  },
  {
    pool: 'cut',
    what: 'all watches cut off in the middle of a line, again and again',
    play: { state: 'ready@3s' },
    decide: () => {
      const cut = { endAfterMs: 700, lastLine: '{"type":"MODIFIED","object":{"kind":"Po', isCut: true };
      return ({ isWatch }) => (isWatch ? cut : undefined);
    },
    told: /; going on/,
  },
  {
    pool: 'slow',
    what: 'answers that take a second',
    decide: () => () => ({ delayMs: 1_000 }),
  },
];

let cluster: Cluster;
let token: string;
beforeAll(async () => {
  cluster = await startPools([
    ...troubles.map(({ pool }) => pool),
    'refused',
    'midway',
    'gone',
    'back-lost',
    'back-500',
    'away',
  ]);
  token = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')).users[0].user.token;
}, FIRST_CLUSTER_TIMEOUT_MS);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** Updates a Deployment through a server in trouble. */
async function update(ground: Ground, decide: Decide, options: DeploymentOptions = {}) {
  const faulty = await startFaultyApiServer({ kubeconfig: cluster.kubeconfig, decide });
  const run = await runDeployStep(ground, [deployment(ground, { image: imageOf('b'), ...options })], {
    inputs: { kubeconfig: await readFile(faulty.kubeconfig, 'utf8') },
  });
  await faulty[Symbol.asyncDispose]();
  return { run, requests: faulty.requests };
}

async function expectNoToken(run: ActionRun): Promise<void> {
  const record = await readFile(run.outputs['record'] ?? '', 'utf8');
  const unmasked = run.rawLog
    .split('\n')
    .filter((line) => !line.startsWith('::add-mask::'))
    .join('\n');
  for (const text of [unmasked, run.summary, record, JSON.stringify(run.outputs)]) {
    expect(text).not.toContain(token);
  }
}

describe.concurrent('a server in trouble that passes leaves the verdict as it is', () => {
  it.concurrent.for(troubles)('$what', async ({ pool, decide, told, what: _, ...options }, { expect }) => {
    const ground = await openGround(cluster, pool);
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    const { run: updated } = await update(ground, decide(), options);
    await using run = updated;
    expect(run).toMatchObject({ conclusion: 'success', exitCode: 0, annotations: [], processesLeft: [] });
    expect(run.outputs).toMatchObject({ status: 'deployed', reason: '', message: '' });
    expect(JSON.parse(run.outputs['placement'] ?? '')).toEqual([
      { workload: `Deployment ${ground.namespace}/vllm`, nodes: { [`node-${pool}`]: 1 } },
    ]);
    expect((await readDeployRecord(run)).objects).toEqual([
      { subject: `Deployment ${ground.namespace}/vllm`, change: 'changed' },
    ]);
    if (told !== undefined) expect(run.log).toMatch(told);
    expect(await readyImages(ground)).toEqual([imageOf('b')]);
    await expectNoToken(run);
  });
});

describe.concurrent('a way back through a server in trouble', () => {
  it.concurrent.for<[pool: string, what: string, fault: ApiServerFault]>([
    ['back-lost', 'answers to writes that are lost when they took effect', { endAfterLines: 0, isCut: true }],
    ['back-500', '500 to every write at first', { status: 500 }],
  ])('$1', async ([pool, , fault], { expect }) => {
    const ground = await openGround(cluster, pool);
    await using first = await runDeployStep(ground, [deployment(ground)]);
    expect(first.outputs).toMatchObject({ status: 'deployed' });
    // Every second one: each write meets it once.
    let writes = 0;
    const { run: broken } = await update(
      ground,
      (request) => {
        if (!isWrite(request)) return undefined;
        writes += 1;
        return writes % 2 === 1 ? fault : undefined;
      },
      { play: { state: 'config-missing' } },
    );
    await using run = broken;
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.outputs).toMatchObject({ status: 'rolled-back', reason: 'config-missing' });
    expect(run.annotations).toHaveLength(1);
    expect(writes).toBeGreaterThan(2);
    expect(await readyImages(ground)).toEqual([imageOf('a')]);
    await expectNoToken(run);
  });
});

describe.concurrent('a server in trouble that stays is one clear error', () => {
  it.concurrent('a token that has expired: nothing is applied', async ({ expect }) => {
    const ground = await openGround(cluster, 'refused');
    const body = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      message: 'Unauthorized',
      reason: 'Unauthorized',
      code: 401,
    };
    const { run: refused, requests } = await update(ground, () => ({ status: 401, body }));
    await using run = refused;
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      /^127\.0\.0\.1:\d+ answered 401 to [^.]+: Unauthorized\. Give credentials that this cluster accepts; a token may have expired\.$/,
    );
    expect(run.outputs).toMatchObject({ status: 'failed', reason: '', placement: '[]' });
    expect(requests.filter(isWrite)).toEqual([]);
    expect(await readyImages(ground)).toEqual([]);
    await expectNoToken(run);
  });

  it.concurrent('a token that expires while the rollout goes on', async ({ expect }) => {
    const ground = await openGround(cluster, 'midway');
    let isExpired = false;
    const { run: ended } = await update(
      ground,
      (request) => {
        if (isExpired) return { status: 401 };
        if (isWrite(request))
          setTimeout(() => {
            isExpired = true;
          }, 700);
        return request.isWatch ? { endAfterMs: 1_500 } : undefined;
      },
      { play: { state: 'ready@5s' } },
    );
    await using run = ended;
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      /answered 401 to watch .+ Give credentials that this cluster accepts; a token may have expired\.$/,
    );
    expect(run.outputs).toMatchObject({ status: 'failed', reason: '' });
    await expectNoToken(run);
  });

  it.concurrent('an API that is gone for good', async ({ expect }) => {
    const ground = await openGround(cluster, 'gone');
    let isGone = false;
    const faulty = await startFaultyApiServer({
      kubeconfig: cluster.kubeconfig,
      decide: (request) => {
        if (isGone) return 'drop';
        if (isWrite(request))
          setTimeout(() => {
            isGone = true;
          }, 500);
        return request.isWatch ? { endAfterMs: 1_200 } : undefined;
      },
    });
    await using run = await runDeployStep(ground, [deployment(ground, { play: { state: 'ready@3s' } })], {
      inputs: { kubeconfig: await readFile(faulty.kubeconfig, 'utf8'), timeout: '4s' },
    });
    await faulty[Symbol.asyncDispose]();
    expect(run).toMatchObject({ conclusion: 'failure', exitCode: 1, processesLeft: [] });
    expect(run.annotations).toHaveLength(1);
    expect(run.annotations[0]?.message).toMatch(
      /^127\.0\.0\.1:\d+ could not be reached to read Deployment [^ ]+: connection reset\. Check that the API server is up\.$/,
    );
    expect(run.outputs).toMatchObject({ status: 'failed', reason: '' });
    // What serves well, unseen, is left.
    expect((await readDeployRecord(run)).objects).toEqual([
      { subject: `Deployment ${ground.namespace}/vllm`, change: 'created' },
    ]);
    expect(await readyImages(ground)).toEqual([imageOf('a')]);
    await expectNoToken(run);
  });
});

describe.concurrent('a server that is away when time is up', () => {
  it.concurrent('has the last word when it is back', async ({ expect }) => {
    const ground = await openGround(cluster, 'away');
    let wroteMs = Number.POSITIVE_INFINITY;
    const faulty = await startFaultyApiServer({
      kubeconfig: cluster.kubeconfig,
      decide: (request) => {
        const sinceMs = Date.now() - wroteMs;
        if (sinceMs > 500 && sinceMs < 8_000) return 'drop';
        if (isWrite(request)) wroteMs = Math.min(wroteMs, Date.now());
        return request.isWatch && sinceMs < 500 ? { endAfterMs: 1_200 } : undefined;
      },
    });
    await using run = await runDeployStep(ground, [deployment(ground, { play: { state: 'ready@2s' } })], {
      inputs: { kubeconfig: await readFile(faulty.kubeconfig, 'utf8'), timeout: '5s' },
    });
    await faulty[Symbol.asyncDispose]();
    expect(run.log).toMatch(/could not be reached to read Deployment/);
    expect(run.outputs).toMatchObject({ status: 'deployed', reason: '', message: '' });
    expect(run).toMatchObject({ conclusion: 'success', annotations: [], processesLeft: [] });
    await expectNoToken(run);
  });
});

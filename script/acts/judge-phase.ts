import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Series, startPrometheus } from '../../test/harness/prometheus.ts';
import { type ActionRun, runAction } from '../../test/harness/runner/run-action.ts';
import { type Act, DemoError, type Stage } from './act.ts';

const validatePhase = path.join(import.meta.dirname, '../../actions/validate-phase');
const phaseOne = path.join(import.meta.dirname, '../../phases');

const DAYS = 7;
const STEP_SECONDS = 300;
const GPUS = ['GH200', 'A6000', 'A100', 'RTX6000', 'A10'];

/**
 * A week of GPU utilisation of the five machines around a mean, with a daily rhythm and a slow wander, as load has.
 * The same each time, so that the demo is.
 */
function utilisation(pool: string, mean: number, nowSeconds: number): readonly Series[] {
  const last = nowSeconds - (nowSeconds % STEP_SECONDS);
  const count = (DAYS * 86_400) / STEP_SECONDS;
  return GPUS.map((gpu, index) => ({
    name: 'gpu:utilization:ratio',
    labels: { UUID: `GPU-${gpu}`, pool },
    samples: Array.from({ length: count + 1 }, (_, at) => {
      const timeSeconds = last - (count - at) * STEP_SECONDS;
      const rhythm = 0.04 * Math.sin((timeSeconds / 86_400) * 2 * Math.PI + index);
      const wander = 0.03 * Math.sin(at / 7 + index * 2.1) + 0.02 * Math.sin(at / 1.7 + index);
      return { timeSeconds, value: Math.min(1, Math.max(0, mean + rhythm + wander)) };
    }),
  }));
}

/** Two of phase 1's metrics, on what the demo has: its own build records and Prometheus. */
const phaseText = (pool: string, startSeconds: number) => `
apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: phase-1, displayName: "Quick wins, on the demo's own evidence" }
spec:
  dependsOn: []
  window: { start: "${new Date(startSeconds * 1000).toISOString()}", duration: 7d }
  evidence: { maxAge: 6h, maxClockSkew: 30s }
  dataSources:
    - { name: prom, kind: prometheus, address: "http://localhost:9090", timeout: 20s, retries: 2 }
    - { name: builds, kind: build-history, ref: refs/heads/sophia-history }
  tasks:
    - { id: "1.2", title: Multi-stage image builds, verify: [image-size] }
    - { id: "1.3", title: GPU Operator and GPU labels, verify: [gpu-utilization] }
  metrics:
    - name: image-size
      dataSource: builds
      select: { field: compressedBytes }
      statistic: { estimator: max-per-image }
      target: { op: "<=", value: 1200000000, unit: bytes }
    - name: gpu-utilization
      keyObjective: true
      provider: { prometheus: { dataSource: prom, query: 'avg by (UUID) (gpu:utilization:ratio{pool="${pool}"})', rangeQuery: { duration: 6d, step: 5m } } }
      series: { aggregate: mean, by: UUID, expect: 5 }
      statistic: { estimator: time-weighted-mean, method: block-bootstrap, confidence: 0.95, side: lower }
      target: { op: ">=", value: 0.80, unit: ratio }
      minCoverage: 0.95
  decision: { require: all, onInconclusive: block }
`;

type Judgement = { readonly title: string; readonly phase: string; readonly result: string };

/**
 * Phase 1 of the plan is judged three times: on a fleet that is used well, on one that is used as it was before, and
 * by its own file, most of whose sources don't exist yet.
 */
export const judgePhase: Act = async (stage) => {
  const nowSeconds = Math.floor(Date.now() / 1000);
  await using prometheus = await stage.progress.during('Prometheus with a week of GPU utilisation', () =>
    startPrometheus({
      history: [...utilisation('after', 0.87, nowSeconds), ...utilisation('before', 0.45, nowSeconds)],
    }),
  );
  const workspace = await mkdtemp(path.join(tmpdir(), 'demo-phase-'));
  try {
    await mkdir(path.join(workspace, 'phases'), { recursive: true });
    const startSeconds = nowSeconds - DAYS * 86_400 - 3600;
    await writeFile(path.join(workspace, 'after.yml'), phaseText('after', startSeconds));
    await writeFile(path.join(workspace, 'before.yml'), phaseText('before', startSeconds));
    await writeFile(path.join(workspace, 'phase-1.yml'), await readFile(path.join(phaseOne, 'phase-1.yml')));
    await mkdir(path.join(workspace, 'builds'));
    for (const { record } of stage.runs) {
      const file = path.join(workspace, 'builds', `${record.commit.slice(0, 7)}.json`);
      await writeFile(file, JSON.stringify(record));
    }
    const judgements: readonly Judgement[] = [
      { title: 'on a fleet at 87 % utilisation', phase: 'after.yml', result: 'pass' },
      { title: 'on a fleet at 45 %, as before the migration', phase: 'before.yml', result: 'fail' },
      { title: 'by its own file, today', phase: 'phase-1.yml', result: 'inconclusive' },
    ];
    for (const judgement of judgements) {
      const run = await stage.progress.during(`phase 1 ${judgement.title}`, () =>
        judge(workspace, prometheus.url, judgement),
      );
      stage.show(`## Phase 1 ${judgement.title}\n\n${await keep(run, judgement, stage)}`);
    }
    return stage;
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
};

type Kept = {
  readonly summary: string;
  readonly result: string;
  readonly evidence: string;
  readonly log: string;
};

async function judge(workspace: string, address: string, { phase }: Judgement): Promise<Kept> {
  await using run: ActionRun = await runAction({
    actionFolder: validatePhase,
    workspace,
    inputs: { phase, 'data-sources': `prom=${address}\nbuilds=builds`, 'github-token': '' },
  });
  const file = run.outputs['evidence'];
  return {
    summary: run.summary,
    result: run.outputs['result'] ?? 'nothing',
    evidence: file === undefined ? '' : await readFile(file, 'utf8'),
    log: run.log,
  };
}

async function keep(run: Kept, { phase, result }: Judgement, { resultsFolder }: Stage): Promise<string> {
  const place = path.join(resultsFolder, `phase-${path.basename(phase, '.yml')}`);
  await Promise.all([
    writeFile(`${place}.log`, `${run.log}\n`),
    writeFile(`${place}.json`, run.evidence),
    writeFile(`${place}.md`, run.summary),
  ]);
  if (run.result === result) return run.summary;
  throw new DemoError(
    `Judging phase 1 by ${phase} came to "${run.result}", expected "${result}". Its log is ${place}.log.`,
  );
}

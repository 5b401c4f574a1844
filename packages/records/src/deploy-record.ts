import * as z from 'zod/mini';
import { buildRecordSchema } from './build-record.ts';

export const DEPLOY_RECORD_SCHEMA_URL = 'https://github.com/sophia/actions/schemas/deploy-record.v1.json';
export const DEPLOY_RECORD_VERSION = '1.0';

const count = z.int().check(z.nonnegative());
const gpus = z.number().check(z.nonnegative());

const finding = z.object({
  code: z.string().check(z.describe('Stable code of the cause.')),
  class: z.enum(['refused', 'failed', 'suspected', 'waiting', 'timeout']),
  subject: z.string(),
  message: z.string(),
  details: z.array(z.string()),
});

const nodeVerdict = z.object({
  node: z.string(),
  verdict: z.enum(['fits', 'may', 'misfit']),
  reasons: z.array(z.string()),
});

const workload = z.object({
  subject: z.string().check(z.describe('Kind, namespace and name: `Deployment inference/vllm`.')),
  replicas: count,
  images: z.array(z.string()).check(z.describe('References of all containers, as deployed.')),
  gpusPerPod: gpus,
  strategy: z.optional(
    z.string().check(z.describe('As it was rolled out: `rolling, maxSurge 0, maxUnavailable 1`.')),
  ),
  strategyReason: z.string(),
  nodes: z.array(nodeVerdict).check(z.describe('Each node and whether a Pod of the workload suits it.')),
  placement: z
    .record(z.string(), count)
    .check(z.describe('Pods by node: where they run, or in a plan would.')),
  availableMs: z.optional(
    z.number().check(z.nonnegative(), z.describe('From the answer to the write until it was complete.')),
  ),
});

/** What one deployment did or would do: plan, changes, causes, evidence. It holds no credential and no Secret's value. */
export const deployRecordSchema = z.object({
  $schema: z.literal(DEPLOY_RECORD_SCHEMA_URL),
  version: z.string().check(z.regex(/^1\.\d+$/), z.describe('Readers of 1.n accept every 1.m with m ≤ n.')),
  kind: z.literal('deploy'),
  status: z.enum(['deployed', 'unchanged', 'planned', 'rolled-back', 'refused', 'failed', 'canceled']),
  reason: z.string().check(z.describe('Stable code of the cause; empty when none.')),
  message: z.string(),
  commit: z.string().check(z.describe('Commit the run was started for; empty outside a run.')),
  ref: z.string(),
  run: buildRecordSchema.shape.run,
  inputs: z.object({
    manifests: z.array(z.string()),
    images: z.array(z.string()),
    gpu: z.string(),
    gpuCount: z.optional(count),
    strategy: z.enum(['auto', 'rolling', 'recreate']),
    timeoutMs: z.number(),
    dryRun: z.enum(['none', 'server', 'offline']),
    rollback: z.enum(['auto', 'off']),
  }),
  namespace: z.string().check(z.describe('Of objects that name none.')),
  startedAt: z.string().check(z.describe('ISO 8601, UTC, by the clock of the runner.')),
  durationMs: z.number().check(z.nonnegative()),
  planMs: z.number().check(z.nonnegative(), z.describe('Until it was known whether it can work.')),
  objects: z.array(
    z.object({
      subject: z.string(),
      change: z
        .enum(['created', 'changed', 'unchanged', 'planned', 'restored', 'removed', 'kept'])
        .check(z.describe('`kept`: made by this run and left after a rollback, since it may hold data.')),
    }),
  ),
  workloads: z.array(workload),
  nodes: z.array(
    z.object({
      name: z.string(),
      gpu: z.string().check(z.describe('Label `gpu`, or the product; empty where there is neither.')),
      architecture: z.string(),
      allocatableGpus: gpus,
      usedGpus: gpus,
      isCordoned: z.boolean(),
    }),
  ),
  findings: z.array(finding),
  timeline: z.array(
    z.object({
      atMs: z.number().check(z.nonnegative(), z.describe('From the start.')),
      text: z.string(),
    }),
  ),
  evidence: z.object({
    events: z.array(
      z.object({ subject: z.string(), reason: z.string(), message: z.string(), count, lastSeen: z.string() }),
    ),
    logs: z.array(
      z.object({
        pod: z.string(),
        container: z.string(),
        isPrevious: z.boolean(),
        lines: z.array(z.string()),
      }),
    ),
  }),
});

/** What one deployment did or would do: plan, changes, causes, evidence. */
export type DeployRecord = z.infer<typeof deployRecordSchema>;

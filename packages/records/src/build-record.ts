import * as z from 'zod/mini';
import { BUILD_PHASES } from './time-attribution.ts';

export const BUILD_RECORD_SCHEMA_URL = 'https://github.com/sophia/actions/schemas/build-record.v1.json';
export const BUILD_RECORD_VERSION = '1.0';

function described<T extends z.ZodMiniType>(schema: T, description: string): T {
  z.globalRegistry.add(schema, { description });
  return schema;
}

const milliseconds = z.number().check(z.nonnegative());
const bytes = z.int().check(z.nonnegative());
const line = z.int().check(z.positive());

const phaseDurations = z.object({
  ...(Object.fromEntries(BUILD_PHASES.map((phase) => [phase, milliseconds])) as Record<
    (typeof BUILD_PHASES)[number],
    typeof milliseconds
  >),
  client: described(
    z.number().check(z.nonnegative()),
    'The buildx process before the first step and after the last, the start of a builder that did not run included.',
  ),
});

const layer = z.object({
  digest: z.optional(z.string()),
  compressedBytes: z.optional(bytes),
  uncompressedBytes: z.optional(bytes),
  instruction: z.optional(
    described(z.string(), 'The instruction that made the layer, as the image history has it.'),
  ),
  line: z.optional(
    described(z.int().check(z.positive()), 'First line of that instruction in the Dockerfile.'),
  ),
});

const image = z.object({
  digest: z.string(),
  imageId: z.optional(z.string()),
  references: z.array(z.string()),
  replacedDigest: z.optional(
    described(z.string(), 'What the first reference named in the registry before this build pushed to it.'),
  ),
  platforms: z.array(
    z.object({
      platform: z.string(),
      digest: z.optional(z.string()),
      compressedBytes: z.optional(
        described(z.int().check(z.nonnegative()), 'Configuration and layers, as a pull transfers them.'),
      ),
      uncompressedBytes: z.optional(
        described(z.int().check(z.nonnegative()), 'Unpacked size of the layers.'),
      ),
      layers: z.array(layer),
    }),
  ),
});

const step = z.object({
  name: z.string(),
  stage: z.optional(z.string()),
  platform: z.optional(z.string()),
  instruction: z.optional(z.string()),
  line: z.optional(line),
  endLine: z.optional(line),
  startMs: described(z.number().check(z.nonnegative()), 'From the start of the first step.'),
  durationMs: milliseconds,
  isCached: z.boolean(),
  transferredBytes: z.optional(bytes),
  error: z.optional(z.string()),
});

/**
 * What one build did: what was asked, on which machine, where the time went, and what came out. It holds no
 * build-argument value, no label value and no secret.
 */
export const buildRecordSchema = z.object({
  $schema: z.literal(BUILD_RECORD_SCHEMA_URL),
  version: described(z.string().check(z.regex(/^1\.\d+$/)), 'Readers of 1.n accept every 1.m with m ≤ n.'),
  kind: z.literal('build'),
  status: z.enum(['succeeded', 'failed', 'canceled']),
  commit: described(z.string(), 'Commit the run was started for; empty outside a run.'),
  ref: z.string(),
  run: z.object({
    repository: z.string(),
    workflow: z.string(),
    job: z.string(),
    id: z.string(),
    number: z.string(),
    attempt: z.string(),
    eventName: z.string(),
    pullRequest: z.optional(z.int()),
    url: z.string(),
  }),
  machine: z.object({
    cpuModel: z.string(),
    cpuCores: z.int(),
    memoryBytes: bytes,
    operatingSystem: z.string(),
    architecture: z.string(),
    runnerName: z.string(),
    runnerEnvironment: z.string(),
  }),
  builder: z.object({
    name: z.string(),
    driver: z.string(),
    engineVersion: z.optional(described(z.string(), 'Of the Docker engine, where it could be asked.')),
    buildkitVersions: z.array(z.string()),
    platforms: z.array(z.string()),
  }),
  inputs: z.object({
    context: z.string(),
    file: z.string(),
    target: z.string(),
    platforms: z.array(z.string()),
    tags: z.array(z.string()),
    buildArgNames: described(z.array(z.string()), 'Names only: a value may be a secret.'),
    labelNames: z.array(z.string()),
    secretIds: z.array(z.string()),
    cacheFrom: described(z.array(z.string()), 'Types and references, without their other attributes.'),
    cacheTo: z.array(z.string()),
    outputs: z.array(z.string()),
    isLoaded: z.boolean(),
    isPushed: z.boolean(),
    noCache: z.boolean(),
    pull: z.boolean(),
  }),
  startedAt: described(z.string(), 'ISO 8601, UTC, by the clock of the runner.'),
  durationMs: described(z.number().check(z.nonnegative()), 'Wall time of the buildx process.'),
  time: described(
    phaseDurations,
    'The wall time in milliseconds, each moment in exactly one phase; where phases overlap the first in this order.',
  ),
  remainderMs: described(z.number().check(z.nonnegative()), 'Wall time in no phase.'),
  cache: z.object({
    stepsReached: described(
      z.int().check(z.nonnegative()),
      'Dockerfile steps but FROM, which is resolved and never run.',
    ),
    stepsCached: z.int().check(z.nonnegative()),
    hitRatio: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  }),
  steps: z.array(step),
  image: z.optional(image),
  warnings: z.array(
    z.object({
      message: z.string(),
      file: z.optional(z.string()),
      line: z.optional(line),
      url: z.optional(z.string()),
    }),
  ),
  failure: z.optional(
    z.object({
      reason: z.string(),
      message: z.string(),
      file: z.optional(z.string()),
      line: z.optional(line),
      endLine: z.optional(line),
    }),
  ),
});

export type BuildRecord = z.infer<typeof buildRecordSchema>;

import * as z from 'zod/mini';
import { buildRecordSchema } from './build-record.ts';

export const PHASE_EVIDENCE_SCHEMA_URL = 'https://github.com/sophia/actions/schemas/phase-evidence.v1.json';
export const PHASE_EVIDENCE_VERSION = '1.0';

const epochMs = z.number().check(z.describe('Milliseconds since 1970-01-01T00:00:00Z.'));
const dollars = z
  .string()
  .check(
    z.regex(/^\d{1,12}(?:\.\d{1,12})?$/),
    z.describe('US dollars as decimal text, so that no cent is rounded.'),
  );
const measured = z
  .union([z.number(), z.enum(['NaN', '+Inf', '-Inf'])])
  .check(z.describe('A number, or the word for what is none, as Prometheus writes it.'));

const absent = z.object({
  kind: z.literal('absent'),
  reason: z.enum([
    'missing',
    'provider-error',
    'rate-limited',
    'timeout',
    'redirect',
    'not-data',
    'partial',
    'unit-mismatch',
    'baseline-missing',
  ]),
  message: z.string().check(z.describe('One sentence: what was asked of whom, and what came instead.')),
});

const series = z.object({
  kind: z.literal('series'),
  observedAtMs: epochMs,
  clockOffsetMs: z.optional(
    z.number().check(z.describe('The source’s clock less that of the run, where the source tells it.')),
  ),
  unit: z.optional(
    z.string().check(z.describe('Where the source tells it; else the unit of the target holds.')),
  ),
  warnings: z
    .array(z.string())
    .check(z.describe('What the source says of its own answer; any makes it a partial one.')),
  series: z.array(
    z.object({
      labels: z.record(z.string(), z.string()),
      samples: z.array(
        z.object({
          timestampMs: epochMs.check(
            z.describe('Of the datum; where the source gives that of the question, see newestMs.'),
          ),
          value: measured,
        }),
      ),
      newestMs: z.optional(
        epochMs.check(
          z.describe(
            'Of the newest datum that the samples rest on, where they carry the time of the question.',
          ),
        ),
      ),
      fromMs: z.optional(epochMs.check(z.describe('How far back the data reach that the samples rest on.'))),
      coverage: z.optional(
        z
          .number()
          .check(
            z.describe('Share of the moments between the two that there are data of, where it is known.'),
          ),
      ),
    }),
  ),
});

const answer = z.discriminatedUnion('kind', [absent, series]);

const run = z.object({
  timestampMs: epochMs,
  value: z.optional(
    z.union([measured, z.string()]).check(z.describe('Absent where the record has no such field.')),
  ),
  image: z.string(),
  strata: z.record(z.string(), z.string()),
});

const ledgerLine = z.object({
  id: z.string(),
  usdPerMonth: dollars,
  partOf: z.optional(z.string().check(z.describe('The line that this money is already in.'))),
});

/** What a data source answered, or why it did not. */
export const observationSchema = z.discriminatedUnion('kind', [
  absent,
  series,
  z.object({
    kind: z.literal('ratio'),
    part: answer,
    total: answer,
    proof: z.optional(answer.check(z.describe('That no series for the part means no such event.'))),
  }),
  z.object({
    kind: z.literal('runs'),
    observedAtMs: epochMs,
    unit: z.optional(z.string()),
    runs: z.array(run),
    baseline: z.optional(z.object({ ref: z.string(), sha256: z.optional(z.string()), runs: z.array(run) })),
  }),
  z.object({
    kind: z.literal('ledger'),
    observedAtMs: epochMs.check(z.describe('When the money was counted.')),
    lines: z.array(ledgerLine),
    baseline: z.optional(
      z.object({ ref: z.string(), sha256: z.optional(z.string()), lines: z.array(ledgerLine) }),
    ),
    usage: z.optional(
      z.array(
        z.object({
          model: z.string(),
          servedTokens: z.int().check(z.nonnegative()),
          billedTokens: z
            .int()
            .check(z.nonnegative(), z.describe('0 where the price of the model is unknown.')),
        }),
      ),
    ),
  }),
]);

/** What a data source answered, or why it did not. */
export type Observation = z.infer<typeof observationSchema>;

const verdict = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('pass') }),
  z.object({ kind: z.literal('fail'), message: z.string() }),
  z.object({ kind: z.literal('inconclusive'), reason: z.string(), message: z.string() }),
]);

/** Everything a phase was judged on, so that the verdict can be found again without any of the sources. */
export const phaseEvidenceSchema = z.object({
  $schema: z.literal(PHASE_EVIDENCE_SCHEMA_URL),
  version: z.string().check(z.regex(/^1\.\d+$/), z.describe('Readers of 1.n accept every 1.m with m ≤ n.')),
  kind: z.literal('phase-evidence'),
  commit: z.string(),
  run: buildRecordSchema.shape.run,
  judgedAtMs: epochMs,
  phase: z.object({
    name: z.string(),
    file: z.string(),
    text: z.string().check(z.describe('The phase file as it was judged by, whole.')),
    windowStartMs: z.optional(
      epochMs.check(z.describe('Start of the window where the run asked for another than the file’s.')),
    ),
    missing: z.optional(
      z
        .enum(['fail', 'inconclusive'])
        .check(z.describe('What a missing answer is, where the run asked for another than the file says.')),
    ),
    guard: z.optional(
      z
        .object({
          kind: z
            .enum(['unchanged', 'base', 'new', 'unchecked'])
            .check(
              z.describe(
                'The file is the base’s too; it was changed and the base’s holds; the base has none that can be judged by; the base could not be asked, so nothing passes.',
              ),
            ),
          baseCommit: z.string(),
        })
        .check(z.describe('Absent where the run is of no change to a base.')),
    ),
  }),
  isEnforced: z
    .boolean()
    .check(z.describe('False for a dry run: the verdict is the true one, and the step succeeds.')),
  sources: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      asked: z
        .string()
        .check(z.describe('Address or path, without what may be a secret; empty where there is none.')),
    }),
  ),
  observations: z.record(z.string(), observationSchema).check(z.describe('By the name of the metric.')),
  dependencies: z
    .record(z.string(), z.record(z.string(), verdict))
    .check(z.describe('Verdicts that other phases still hold: phase ▶ metric ▶ verdict.')),
  omitted: z.optional(
    z
      .array(z.string())
      .check(z.describe('Metrics whose observations were too large to keep: the verdict can’t be replayed.')),
  ),
  proposal: z.optional(
    z
      .object({
        text: z.string(),
        verdict,
        metrics: z.array(z.object({ name: z.string(), verdict })),
      })
      .check(
        z.describe('The phase file as the change has it, and its verdict, which is not the one that holds.'),
      ),
  ),
  verdict,
  metrics: z.array(
    z.object({
      name: z.string(),
      isKeyObjective: z.boolean(),
      source: z.string().check(z.describe('Name of the data source.')),
      asked: z.string().check(z.describe('What it was asked.')),
      target: z.object({
        operator: z.enum(['<', '<=', '>', '>=', '==', '!=']),
        value: z.union([z.number(), z.string()]),
        unit: z.optional(z.string()),
      }),
      verdict,
      value: z.optional(z.number()),
      unit: z.optional(z.string()),
      lower: z.optional(
        z.number().check(z.describe('Limit that holds with the confidence; absent where exact.')),
      ),
      upper: z.optional(z.number()),
      confidence: z.optional(z.number().check(z.describe('Of each limit by itself.'))),
      sampleCount: z.optional(z.number()),
      effectiveSampleCount: z.optional(
        z.number().check(z.describe('Independent samples that would say as much.')),
      ),
      coverage: z.optional(
        z.number().check(z.describe('Share of the expected samples, of the worst series.')),
      ),
      fromMs: z.optional(epochMs),
      toMs: z.optional(epochMs),
      neededSampleCount: z.optional(
        z.number().check(z.describe('Samples in all that would decide it, if the estimate stays.')),
      ),
      notes: z.array(z.string()),
    }),
  ),
});

export type PhaseEvidence = z.infer<typeof phaseEvidenceSchema>;

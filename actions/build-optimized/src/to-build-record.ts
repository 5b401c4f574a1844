import { arch, cpus, totalmem, type } from 'node:os';
import { describeRun, parseFields, type RunContext } from '@sophia/action';
import type { Builder, BuildOutcome, BuildStep } from '@sophia/buildkit';
import { type Dockerfile, locateStep } from '@sophia/dockerfile';
import {
  attributeTime,
  BUILD_RECORD_SCHEMA_URL,
  BUILD_RECORD_VERSION,
  type BuildRecord,
} from '@sophia/records';
import { attribute } from './check-inputs.ts';
import type { DockerfileSource } from './dockerfile-source.ts';
import type { BuildInputs } from './inputs.ts';
import { locateLayers } from './layer-lines.ts';
import { toPhaseIntervals } from './phase-intervals.ts';
import { type BuiltImage, isPushed } from './read-built-image.ts';
import { findSecretIds } from './secret-arguments.ts';

/** All that a record is made of. */
export type BuildFindings = {
  readonly inputs: BuildInputs;
  readonly buildContext: string;
  readonly context: RunContext;
  readonly builder: Builder;
  readonly engineVersion: string | undefined;
  readonly source: DockerfileSource;
  readonly outcome: BuildOutcome;
  readonly image: BuiltImage | undefined;
};

/** Makes the record of one build. What the Dockerfile's own text doesn't give is shown without build-argument values. */
export function toBuildRecord(findings: BuildFindings): BuildRecord {
  const { inputs, context, builder, outcome, source } = findings;
  const redact = createRedaction(inputs['build-args']);
  const durationMs = outcome.endedAtMs - outcome.startedAtMs;
  const { phases, clientMs, remainderMs } = attributeTime(
    toPhaseIntervals(outcome.progress.steps),
    durationMs,
  );
  const image = findings.image && locateImage(findings.image, inputs.target, source.dockerfile, redact);
  return {
    $schema: BUILD_RECORD_SCHEMA_URL,
    version: BUILD_RECORD_VERSION,
    kind: 'build',
    status: statusOf(outcome),
    commit: context.sha,
    ref: context.ref,
    run: describeRun(context),
    machine: describeMachine(context),
    builder: {
      name: builder.name,
      driver: builder.driver,
      ...(findings.engineVersion === undefined ? {} : { engineVersion: findings.engineVersion }),
      buildkitVersions: unique(builder.nodes.map(({ buildkitVersion }) => buildkitVersion ?? '')),
      platforms: unique(builder.nodes.flatMap(({ platforms }) => platforms)),
    },
    inputs: describeInputs(inputs, findings.buildContext),
    startedAt: new Date(outcome.startedAtMs).toISOString(),
    durationMs,
    time: { ...phases, client: clientMs },
    remainderMs,
    cache: countCached(outcome.progress.steps),
    steps: describeSteps(outcome.progress.steps, source.dockerfile, redact),
    ...(image === undefined ? {} : { image }),
    warnings: describeWarnings(outcome, source, redact),
    ...describeFailure(outcome, source, redact),
  };
}

function statusOf({ failure }: BuildOutcome): BuildRecord['status'] {
  if (failure === undefined) return 'succeeded';
  return failure.kind === 'canceled' ? 'canceled' : 'failed';
}

function describeMachine(context: RunContext): BuildRecord['machine'] {
  const processors = cpus();
  return {
    cpuModel: processors[0]?.model.trim() ?? 'unknown',
    cpuCores: processors.length,
    memoryBytes: totalmem(),
    operatingSystem: type(),
    architecture: arch(),
    runnerName: context.runnerName,
    runnerEnvironment: context.runnerEnvironment,
  };
}

function describeInputs(inputs: BuildInputs, buildContext: string): BuildRecord['inputs'] {
  return {
    // A URL may carry a login.
    context: buildContext.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1'),
    file: inputs.file,
    target: inputs.target,
    platforms: [...inputs.platforms],
    tags: [...inputs.tags],
    buildArgNames: inputs['build-args'].map(nameOf),
    labelNames: inputs.labels.map(nameOf),
    secretIds: [...findSecretIds(inputs)],
    cacheFrom: inputs['cache-from'].map(describeCache),
    cacheTo: inputs['cache-to'].map(describeCache),
    outputs: inputs.outputs.map((output) => attribute(parseFields('outputs', output), 'type') ?? 'local'),
    isLoaded: inputs.load,
    isPushed: isPushed(inputs),
    noCache: inputs['no-cache'],
    pull: inputs.pull,
  };
}

function nameOf(pair: string): string {
  return pair.split('=')[0] ?? '';
}

/** Type, reference and scope only: the other attributes may be keys of a bucket. */
function describeCache(item: string): string {
  const fields = parseFields('cache-from', item);
  const kept = ['type', 'ref', 'scope', 'mode'].flatMap((name) => {
    const value = attribute(fields, name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return kept.length === 0 ? (fields[0] ?? '') : kept.join(',');
}

/** Dockerfile steps but FROM and images only copied from. A step that failed or was canceled was reached too. */
function countCached(steps: readonly BuildStep[]): BuildRecord['cache'] {
  const reached = steps.filter(isReached);
  const stepsCached = reached.filter(({ cached }) => cached).length;
  return {
    stepsReached: reached.length,
    stepsCached,
    ...(reached.length === 0 ? {} : { hitRatio: stepsCached / reached.length }),
  };
}

function isReached(step: BuildStep): boolean {
  return step.index !== undefined && step.keyword !== 'FROM' && step.intervals.length > 0;
}

function describeSteps(
  steps: readonly BuildStep[],
  dockerfile: Dockerfile | undefined,
  redact: (text: string) => string,
): BuildRecord['steps'] {
  const begun = steps.filter(({ intervals }) => intervals.length > 0);
  const originMs = Math.min(...begun.flatMap(({ intervals }) => intervals.map(({ startMs }) => startMs)));
  return begun.map((step) => {
    const place = dockerfile === undefined ? undefined : locateStep(dockerfile, step);
    const transferredBytes = step.transfers.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      name: redact(step.name),
      ...(step.stage === undefined ? {} : { stage: step.stage }),
      ...(step.platform === undefined ? {} : { platform: step.platform }),
      ...(step.instruction === undefined ? {} : { instruction: redact(step.instruction) }),
      ...(place === undefined ? {} : { line: place.startLine, endLine: place.endLine }),
      startMs: Math.max(0, (step.intervals[0]?.startMs ?? originMs) - originMs),
      durationMs: step.intervals.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0),
      isCached: step.cached,
      ...(transferredBytes > 0 ? { transferredBytes } : {}),
      ...(step.error === undefined ? {} : { error: redact(step.error) }),
    };
  });
}

function locateImage(
  image: BuiltImage,
  target: string,
  dockerfile: Dockerfile | undefined,
  redact: (text: string) => string,
): BuiltImage {
  return {
    ...image,
    platforms: image.platforms.map((platform) => {
      const layers =
        dockerfile === undefined ? platform.layers : locateLayers(dockerfile, target, platform.layers);
      return {
        ...platform,
        layers: layers.map((layer) =>
          layer.instruction === undefined ? layer : { ...layer, instruction: redact(layer.instruction) },
        ),
      };
    }),
  };
}

function describeWarnings(
  { progress }: BuildOutcome,
  source: DockerfileSource,
  redact: (text: string) => string,
): BuildRecord['warnings'] {
  return progress.warnings.map(({ message, line, url }) => ({
    message: redact(message),
    file: source.shownPath,
    ...(line === undefined ? {} : { line }),
    ...(url === undefined ? {} : { url }),
  }));
}

function describeFailure(
  { failure }: BuildOutcome,
  source: DockerfileSource,
  redact: (text: string) => string,
): { readonly failure?: NonNullable<BuildRecord['failure']> } {
  if (failure === undefined || failure.kind === 'canceled') return {};
  return {
    failure: {
      reason: failure.reason,
      message: redact(failure.message),
      ...(failure.line === undefined ? {} : { file: source.shownPath, line: failure.line }),
      ...(failure.endLine === undefined ? {} : { endLine: failure.endLine }),
    },
  };
}

/**
 * BuildKit expands build arguments in the names of steps and writes them into the history. Values of one or two
 * characters are left: hiding every "1" would hide nothing and spoil the text.
 */
function createRedaction(buildArgs: readonly string[]): (text: string) => string {
  const values = buildArgs
    .map((item) => item.slice(item.indexOf('=') + 1))
    .filter((value, index) => value.length > 2 && buildArgs[index]?.includes('='))
    .sort((a, b) => b.length - a.length);
  return (text) => values.reduce((redacted, value) => redacted.replaceAll(value, '***'), text);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values.filter((value) => value !== ''))];
}

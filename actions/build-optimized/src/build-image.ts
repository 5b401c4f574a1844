import { join } from 'node:path';
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
import type { Builder, Buildkit, BuildOutcome } from '@sophia/buildkit';
import type { BuildRecord } from '@sophia/records';
import type { Registry } from '@sophia/registry';
import { renderBuildSummary, renderVerdictText } from '@sophia/report';
import { needsGitToken, resolveBuildContext, toBuildxArguments } from './build-arguments.ts';
import { canAttest } from './builder-capabilities.ts';
import { findCacheLosses } from './cache-losses.ts';
import { type DockerfileSource, findDockerfile } from './dockerfile-source.ts';
import { requireContext, toGitContext } from './git-context.ts';
import { inputTable, type OutputName } from './inputs.generated.ts';
import type { BuildInputs } from './inputs.ts';
import { createSurvey, readBuiltImage, type Surroundings } from './read-built-image.ts';
import { findSecretValues, toSecretArguments } from './secret-arguments.ts';
import { toBuildRecord } from './to-build-record.ts';

/** The outside of one build. */
export type BuildEdges = ActionRun<OutputName> & {
  readonly context: RunContext;
  readonly buildkit: Buildkit;
  readonly registry: Registry;
  /** A private folder that goes with the run. */
  readonly temporaryFolder: string;
};

type BuildPlan = {
  readonly buildContext: string;
  readonly source: DockerfileSource;
  readonly args: readonly string[];
};

/**
 * Builds the image, reports it, and throws what stopped it. What exists is reported first: outputs are set as soon
 * as buildx ends, and neither a size that can't be read nor a record or summary that can't be written fails a build
 * that succeeded.
 */
export async function buildImage(inputs: BuildInputs, edges: BuildEdges): Promise<void> {
  const { environment, signal, context, buildkit } = edges;
  const gitContext = toGitContext(context, isTrue(environment['DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF']));
  const buildContext = requireContext(resolveBuildContext(inputs.context, gitContext));
  const source = findDockerfile(buildContext, inputs.file, context.workspace);

  const builder = await buildkit.inspectBuilder(inputs.builder || undefined, signal, edges.loadRunner);
  const runner = await edges.loadRunner();
  for (const value of findSecretValues(inputs)) runner.mask(value);
  for (const problem of findUnknownInputs(inputTable, environment)) warn(runner, problem);

  const contexts = { gitContext, buildContext };
  const plan = { buildContext, source, args: planArguments(inputs, edges, runner, builder, contexts) };
  const survey = createSurvey(inputs, edges);
  const outcome = await runBuild(plan, edges, runner, builder, survey.start);
  setBuildOutputs(runner, outcome);
  const surroundings = survey.end();
  if (inputs.call === '' || inputs.call === 'build') {
    await reportBuild({ inputs, builder, outcome, surroundings }, plan, edges, runner);
  } else if (outcome.stdout !== '') {
    runner.info(outcome.stdout.trimEnd());
  }
  throwFailure(outcome, source);
}

function planArguments(
  inputs: BuildInputs,
  { context, environment, temporaryFolder }: BuildEdges,
  runner: Runner<OutputName>,
  builder: Builder,
  { gitContext, buildContext }: { readonly gitContext: string; readonly buildContext: string },
): readonly string[] {
  const serverHost = new URL(context.serverUrl).host;
  const needsToken = needsGitToken(inputs, buildContext, gitContext);
  const gitTokenId = needsToken ? `GIT_AUTH_TOKEN.${serverHost}` : undefined;
  const { secrets, warnings } = toSecretArguments(inputs, temporaryFolder, gitTokenId);
  for (const warning of warnings) warn(runner, warning);
  return toBuildxArguments(inputs, {
    defaultContext: gitContext,
    imageIdFile: join(temporaryFolder, 'image-id'),
    attemptUrl: `${runUrl(context)}/attempts/${context.runAttempt}`,
    isRepositoryPrivate: context.event.isRepositoryPrivate,
    canAttest: canAttest(builder),
    noDefaultAttestations: environment['BUILDX_NO_DEFAULT_ATTESTATIONS'] ?? '',
    secrets,
  });
}

async function runBuild(
  { args }: BuildPlan,
  { environment, signal, buildkit }: BuildEdges,
  runner: Runner<OutputName>,
  builder: Builder,
  onStarted: () => void,
): Promise<BuildOutcome> {
  const env = Object.fromEntries(
    Object.entries({ ...environment, BUILDX_METADATA_WARNINGS: 'true' }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
  return runner.group(`Build with ${builder.name} (${builder.driver})`, () =>
    buildkit.build({ args, env, cwd: process.cwd(), signal, onLine: runner.info, onStarted }),
  );
}

function setBuildOutputs(
  runner: Runner<OutputName>,
  { metadata, imageId, startedAtMs, endedAtMs }: BuildOutcome,
): void {
  runner.setOutputs({
    ...(imageId === undefined ? {} : { imageid: imageId }),
    ...(metadata?.digest === undefined ? {} : { digest: metadata.digest }),
    ...(metadata === undefined ? {} : { metadata: metadata.text }),
    'duration-ms': String(endedAtMs - startedAtMs),
  });
  if (metadata?.digest !== undefined) runner.info(`Digest ${metadata.digest}`);
}

type Built = {
  readonly inputs: BuildInputs;
  readonly builder: Builder;
  readonly outcome: BuildOutcome;
  readonly surroundings: Surroundings;
};

async function reportBuild(
  { inputs, builder, outcome, surroundings }: Built,
  { buildContext, source }: BuildPlan,
  edges: BuildEdges,
  runner: Runner<OutputName>,
): Promise<void> {
  const { context, environment } = edges;
  const { image: read, warnings } =
    outcome.failure === undefined
      ? await readBuiltImage(inputs, builder, outcome, edges)
      : { image: undefined, warnings: [] };
  const { replacedDigest, engineVersion } = surroundings;
  const image = read && { ...read, ...(replacedDigest === undefined ? {} : { replacedDigest }) };
  const losses = outcome.failure === undefined ? findCacheLosses(outcome.progress.steps) : [];
  for (const warning of [...losses, ...warnings]) warn(runner, warning);
  const record = toBuildRecord({
    inputs,
    buildContext,
    context,
    builder,
    engineVersion,
    source,
    outcome,
    image,
  });
  annotateWarnings(runner, record, environment);
  runner.info(renderVerdictText(record));
  const path = await attempt(runner, lossOf('record'), () =>
    writeRecordFile('build', record, context.temporaryFolder),
  );
  const size = record.image?.platforms[0]?.compressedBytes;
  const { hitRatio } = record.cache;
  runner.setOutputs({
    ...(path === undefined ? {} : { record: path }),
    ...(size === undefined ? {} : { 'image-size': String(size) }),
    ...(hitRatio === undefined ? {} : { 'cache-hit-ratio': String(hitRatio) }),
  });
  if (!isFalse(environment['DOCKER_BUILD_SUMMARY'])) {
    await attempt(runner, lossOf('step summary'), () =>
      runner.appendSummary(renderBuildSummary(record, source.shownPath)),
    );
  }
}

function annotateWarnings(
  runner: Runner<OutputName>,
  { warnings }: BuildRecord,
  environment: BuildEdges['environment'],
): void {
  if (isFalse(environment['DOCKER_BUILD_CHECKS_ANNOTATIONS'])) return;
  for (const { message, file, line, url } of warnings) {
    runner.annotate({
      level: 'warning',
      message: url === undefined ? message : `${message}\n${url}`,
      ...(file === undefined || line === undefined ? {} : { location: { file, startLine: line } }),
    });
  }
}

function lossOf(what: string): string {
  return `The build stands, but its ${what} was not written`;
}

function warn(runner: Runner<OutputName>, message: string): void {
  runner.annotate({ level: 'warning', message });
}

function throwFailure({ failure }: BuildOutcome, source: DockerfileSource): void {
  if (failure === undefined) return;
  if (failure.kind === 'canceled') throw new InputError('The build was canceled.');
  const { message, line, endLine, outputTail } = failure;
  const tail = outputTail.length === 0 ? '' : `\nLast output of the step:\n${outputTail.join('\n')}`;
  throw new InputError(
    `${message}${tail}`,
    line === undefined
      ? {}
      : {
          location: {
            file: source.shownPath,
            startLine: line,
            ...(endLine === undefined ? {} : { endLine }),
          },
        },
  );
}

function isTrue(value: string | undefined): boolean {
  return /^(1|t|true)$/i.test(value ?? '');
}

function isFalse(value: string | undefined): boolean {
  return /^(0|f|false)$/i.test(value ?? '');
}

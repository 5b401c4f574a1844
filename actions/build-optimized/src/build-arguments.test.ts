import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readContext, runUrl } from '@sophia/action';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsGitToken, resolveBuildContext, toBuildxArguments } from './build-arguments.ts';
import { canAttest } from './builder-capabilities.ts';
import { toGitContext } from './git-context.ts';
import { inputTable } from './inputs.generated.ts';
import { parseInputs } from './parse-inputs.ts';
import { toSecretArguments } from './secret-arguments.ts';

type RecordedCase = {
  readonly name: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly isRepositoryPrivate?: boolean;
  readonly ref?: string;
  readonly pullRequestHead?: string;
  readonly builder: { readonly driver: string; readonly buildkitVersion: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
};

const fixture = join(import.meta.dirname, 'fixtures/build-push-action-v7.3.0-arguments.json');
const { cases }: { cases: readonly RecordedCase[] } = JSON.parse(readFileSync(fixture, 'utf8'));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arguments-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function argumentsOf(recorded: RecordedCase): readonly string[] {
  const eventFile = join(folder, 'event.json');
  const pullRequest =
    recorded.pullRequestHead === undefined
      ? {}
      : { pull_request: { number: 7, head: { sha: recorded.pullRequestHead } } };
  writeFileSync(
    eventFile,
    JSON.stringify({ repository: { private: recorded.isRepositoryPrivate ?? false }, ...pullRequest }),
  );
  const environment = {
    GITHUB_REPOSITORY: 'octo/app',
    GITHUB_SHA: 'a'.repeat(40),
    GITHUB_REF: recorded.ref ?? 'refs/heads/main',
    GITHUB_RUN_ID: '42',
    GITHUB_RUN_ATTEMPT: '2',
    GITHUB_EVENT_PATH: eventFile,
    ...recorded.environment,
    ...Object.fromEntries(
      Object.entries(recorded.inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
  };
  const context = readContext(environment);
  const inputs = parseInputs(environment);
  const preferHead = 'DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF' in environment;
  const defaultContext = toGitContext(context, preferHead);
  const needsToken = needsGitToken(
    inputs,
    resolveBuildContext(inputs.context, defaultContext),
    defaultContext,
  );
  const { driver, buildkitVersion } = recorded.builder;
  return toBuildxArguments(inputs, {
    defaultContext,
    imageIdFile: '<iidfile>',
    attemptUrl: `${runUrl(context)}/attempts/${context.runAttempt}`,
    isRepositoryPrivate: context.event.isRepositoryPrivate,
    canAttest: canAttest({
      name: 'builder',
      driver,
      nodes: [{ name: 'builder0', buildkitVersion, platforms: [] }],
    }),
    noDefaultAttestations: recorded.environment?.['BUILDX_NO_DEFAULT_ATTESTATIONS'] ?? '',
    secrets: toSecretArguments(inputs, folder, needsToken ? 'GIT_AUTH_TOKEN.github.com' : undefined).secrets,
  }).map(showSecretFile);
}

/** A secret's file has a name of its own in every run: shown by what it holds, as in the recording. */
function showSecretFile(argument: string): string {
  const [, id, path] = /^id=(.*),src=(.*)$/s.exec(argument) ?? [];
  return path?.startsWith(folder)
    ? `id=${id},src=<file holding ${JSON.stringify(readFileSync(path, 'utf8'))}>`
    : argument;
}

describe('toBuildxArguments', () => {
  it.each(cases.filter(({ name }) => name !== 'cache-to'))(
    'gives what docker/build-push-action v7 gives for: $name',
    (recorded) => {
      expect(argumentsOf(recorded)).toEqual(recorded.arguments);
    },
  );

  it('adds ignore-error=true to each cache-to that does not set it and can fail by itself, and changes nothing else', () => {
    const recorded = cases.find(({ name }) => name === 'cache-to');
    if (recorded === undefined) throw new Error('The recording has no case "cache-to".');
    const tolerant = new Map([
      ['type=gha,mode=max', 'type=gha,mode=max,ignore-error=true'],
      [
        'type=registry,ref=user/app:cache,mode=max',
        'type=registry,ref=user/app:cache,mode=max,ignore-error=true',
      ],
      ['user/app:cache', 'type=registry,ref=user/app:cache,ignore-error=true'],
    ]);
    expect(argumentsOf(recorded)).toEqual(
      recorded.arguments.map((argument) => tolerant.get(argument) ?? argument),
    );
  });

  it('is held against the recording for every input', () => {
    const covered = new Set(cases.flatMap(({ inputs }) => Object.keys(inputs)));
    expect(Object.keys(inputTable).filter((name) => !covered.has(name))).toEqual([]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BuildStep, Progress, ProgressEvent } from './build-step.ts';
import { createProgressParser } from './progress-parser.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);
const recorded = readdirSync(FIXTURES).filter((name) => name.endsWith('.rawjson'));
const read = (name: string): Buffer => readFileSync(new URL(`${name}.rawjson`, FIXTURES));

function parse(stream: Uint8Array): Progress & { readonly events: readonly ProgressEvent[] } {
  const parser = createProgressParser();
  const events = parser.push(stream);
  return { ...parser.finish(), events };
}

/** A step as one line: its position and instruction, or its kind; then how it ended. */
function outline(step: BuildStep): string {
  const where = [
    step.target,
    step.platform,
    step.stage,
    step.index === undefined ? step.kind : `${step.index}/${step.total}`,
  ];
  const how =
    step.error !== undefined
      ? step.isCanceled
        ? 'canceled'
        : 'failed'
      : step.cached
        ? 'cached'
        : step.intervals.length > 0
          ? 'done'
          : 'never';
  return [
    ...where.filter((part) => part !== undefined),
    step.keyword ?? step.name.replace(/@sha256.*/, ''),
    how,
  ].join(' ');
}

describe('createProgressParser, on streams of a real engine', () => {
  // Written by hand from the Dockerfiles beside the streams. All but the first found their base image in
  // the engine. BuildKit counts the total of FROM before it knows the triggers of the base (onbuild).
  it.each([
    [
      'success',
      [
        'frontend [internal] load build definition from Dockerfile done',
        'metadata [internal] load metadata for docker.io/library/busybox:1.36 done',
        'metadata [internal] load metadata for docker.io/library/fat:1 done',
        'frontend [internal] load .dockerignore done',
        'base 1/2 FROM done',
        'stage-2 1/3 FROM done',
        'context [internal] load build context done',
        'base 2/2 WORKDIR done',
        'build 1/3 COPY done',
        'build 2/3 RUN done',
        'build 3/3 RUN done',
        'stage-2 2/3 COPY done',
        'stage-2 3/3 COPY done',
        'export exporting to image done',
        'other resolving provenance for metadata file done',
      ],
    ],
    [
      'cached',
      [
        'base 1/2 FROM done',
        'stage-2 1/3 FROM done',
        'base 2/2 WORKDIR cached',
        'build 1/3 COPY cached',
        'build 2/3 RUN cached',
        'build 3/3 RUN cached',
        'stage-2 2/3 COPY cached',
        'stage-2 3/3 COPY cached',
      ],
    ],
    [
      'failing-run',
      [
        '1/6 FROM cached',
        '2/6 WORKDIR done',
        '3/6 COPY done',
        '4/6 RUN done',
        '5/6 RUN failed',
        '6/6 RUN never',
      ],
    ],
    [
      'heredocs',
      [
        'one 1/4 FROM cached',
        'one 2/4 RUN done',
        'one 3/4 COPY done',
        'one 4/4 RUN done',
        'stage-1 1/1 RUN done',
      ],
    ],
    ['onbuild', ['1/3 FROM cached', '2/5 ONBUILD done', '3/5 ONBUILD done', '4/5 RUN done', '5/5 COPY done']],
    [
      'multi-platform',
      [
        'linux/amd64 build 1/2 FROM cached',
        'linux/amd64 build 2/2 RUN done',
        'linux/amd64->arm64 build 2/2 RUN done',
        'linux/amd64 stage-1 1/1 COPY done',
        'linux/arm64 stage-1 1/1 COPY done',
      ],
    ],
    [
      'copy-link',
      [
        'assets 1/2 FROM cached',
        'assets 2/2 RUN done',
        'stage-1 2/4 COPY done',
        'stage-1 3/4 COPY done',
        'stage-1 4/4 RUN done',
      ],
    ],
    ['add-url', ['1/3 FROM canceled', '2/3 RUN never', '3/3 ADD failed']],
    ['canceled', ['1/2 FROM cached', '2/2 RUN canceled']],
  ])('%s', (name, expected) => {
    const outlines = parse(read(name)).steps.map(outline);
    const isWhole = expected.some((step) => step.includes('internal'));
    const instructions = /\d+\/\d+ [A-Z]+ \w+$/;
    // Steps that run side by side begin in any order.
    const sorted = (list: readonly string[]): string[] =>
      list.filter((step) => isWhole || instructions.test(step)).toSorted();
    expect(sorted(outlines)).toEqual(expected.toSorted());
  });

  it('knows the targets of a bake', () => {
    const steps = parse(read('bake')).steps.filter(({ kind }) => kind === 'instruction');
    const own = steps.filter(({ stage }) => stage !== 'base').map(outline);
    expect(own.toSorted()).toEqual(['api api 1/1 RUN done', 'worker worker 1/1 RUN done']);
    // Shared by both: BuildKit tells it under either's name.
    expect(
      steps
        .filter(({ stage }) => stage === 'base')
        .map(({ index, keyword }) => `${index} ${keyword}`)
        .toSorted(),
    ).toEqual(['1 FROM', '2 RUN']);
  });

  it('takes the name of a bake target for no stage, in a Dockerfile of one stage', () => {
    const steps = parse(read('bake-platforms')).steps.filter(
      ({ kind, target }) => kind === 'instruction' && target === 'web',
    );
    expect(steps.map(({ stage }) => stage)).toEqual(steps.map(() => undefined));
    expect(steps.length).toBeGreaterThan(0);
  });

  it('keeps what the failing command said, and where the trailer puts it', () => {
    const { steps, trailer } = parse(read('failing-run'));
    const failed = steps.find(({ error }) => error !== undefined);
    expect(failed?.outputTail.toSorted()).toEqual([
      'starting tests',
      'test 1 ok',
      'test 2 ok',
      'test 3 ok',
      'test 4 FAILED: expected 1, got 2',
    ]);
    expect(trailer[0]).toBe('Dockerfile:7');
    expect(trailer.at(-1)).toMatch(/^ERROR: failed to build: failed to solve: process .* exit code: 3$/);
  });

  it('reads the output of a command as a terminal shows it', () => {
    const step = parse(read('output')).steps.find(({ keyword }) => keyword === 'RUN');
    expect(step?.outputTail).toEqual([
      '::error::not a command',
      '##[error]nor this',
      'red',
      '100%',
      'café � evil',
      'no end',
    ]);
  });

  it('measures the pull of a base image, byte for byte', () => {
    const { steps } = parse(read('success'));
    const transfers = steps.filter(({ keyword }) => keyword === 'FROM').flatMap(({ transfers }) => transfers);
    // The sizes that the registry has for the two layers.
    expect(
      transfers
        .filter(({ kind, bytes }) => kind === 'pull' && bytes > 0)
        .map(({ bytes }) => bytes)
        .toSorted((a, b) => a - b),
    ).toEqual([1_080_120, 25_086_070]);
    expect(transfers.filter(({ kind }) => kind === 'extract')).toHaveLength(2);
  });

  it('measures a push to the end, though the classic store says 0 bytes when it is done', () => {
    const pushes = parse(read('classic-push'))
      .steps.flatMap(({ transfers }) => transfers)
      .filter(({ kind }) => kind === 'push');
    expect(pushes.map(({ name }) => name.replace(/ [0-9a-f]+$/, ''))).toEqual([
      'pushing layer',
      'pushing layer',
      'pushing layer',
    ]);
    expect(Math.max(...pushes.map(({ bytes }) => bytes))).toBeGreaterThan(25_000_000);
  });

  it('counts a cached step as cached, though its content is fetched later', () => {
    const { steps } = parse(read('import-registry-cache'));
    const last = steps.find(({ stage, index }) => stage === 'stage-2' && index === 3);
    expect(last?.cached).toBe(true);
    expect(last?.intervals).toHaveLength(2);
    expect(last?.transfers.map(({ kind, bytes }) => [kind, bytes]).toSorted()).toEqual([
      ['cache-read', 105],
      ['cache-read', 25_086_070],
      ['cache-read', 3_002_106],
    ]);
  });

  it('reads warnings with their place', () => {
    expect(
      parse(read('warnings')).warnings.map(({ message, file, line, endLine }) => ({
        message,
        file,
        line,
        endLine,
      })),
    ).toEqual(
      [
        {
          message: "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
          file: 'Dockerfile',
          line: 1,
          endLine: 1,
        },
        {
          message:
            'SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "SECRET_TOKEN") (line 2)',
          file: 'Dockerfile',
          line: 2,
          endLine: 2,
        },
        {
          message:
            'JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 6)',
          file: 'Dockerfile',
          line: 6,
          endLine: 6,
        },
      ].map((warning) => expect.objectContaining(warning)),
    );
  });

  it.each(recorded)('%s: intervals ascend, transfers lie in time, numbers count up', (name) => {
    const { steps, events } = parse(readFileSync(new URL(name, FIXTURES)));
    for (const { intervals, transfers } of steps) {
      const times = intervals.flatMap(({ startMs, endMs }) => [startMs, endMs]);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      for (const { startMs, endMs } of transfers) expect(endMs).toBeGreaterThanOrEqual(startMs);
    }
    const numbers = events.flatMap((event) => (event.kind === 'started' ? [event.step.number] : []));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});

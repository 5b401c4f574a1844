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

const line = (status: unknown): Buffer => Buffer.from(`${JSON.stringify(status)}\n`);
const at = (seconds: number): string => `2026-01-01T00:00:${seconds.toFixed(3).padStart(6, '0')}Z`;
const base = Date.UTC(2026, 0, 1);

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

describe('createProgressParser, on any bytes', () => {
  it('gives the same wherever the stream is cut', { timeout: 60_000 }, () => {
    // The lines of one command: they hold characters of several bytes, escapes and a carriage return.
    const lines = read('output').toString('utf8').split('\n');
    const stream = Buffer.from(
      `${lines.filter((text) => text.includes('RUN') || text.includes('logs')).join('\n')}\nERROR: café`,
    );
    const whole = parse(stream);
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const parser = createProgressParser();
      const events = [...parser.push(stream.subarray(0, cut)), ...parser.push(stream.subarray(cut))];
      expect({ ...parser.finish(), events }).toEqual(whole);
    }
  });

  it('gives the same byte by byte, from a buffer that is used again', () => {
    const stream = read('failing-run');
    const parser = createProgressParser();
    const one = Buffer.alloc(1);
    const events = [...stream].flatMap((byte) => {
      one[0] = byte;
      return parser.push(one);
    });
    expect({ ...parser.finish(), events }).toEqual(parse(stream));
  });

  it.each(recorded)('%s: ends well after any prefix, and after any line', (name) => {
    const stream = readFileSync(new URL(name, FIXTURES));
    for (let length = 0; length < stream.length; length += 97)
      expect(parse(stream.subarray(0, length)).steps).toBeInstanceOf(Array);
    for (const part of stream.toString('utf8').split('\n').reverse())
      expect(parse(Buffer.from(part)).steps).toBeInstanceOf(Array);
  });

  it('keeps what is no progress as the trailer', () => {
    const { steps, trailer } = parse(
      Buffer.from('WARNING: x\n{"message":"other JSON"}\n{"vertexes":\n[]\nnull\n{"vertexes":null}\nlast'),
    );
    expect(steps).toEqual([]);
    expect(trailer).toEqual(['WARNING: x', '{"message":"other JSON"}', '{"vertexes":', '[]', 'null', 'last']);
  });

  it('leaves out parts that lack what they need, and keeps their neighbours', () => {
    const { steps } = parse(
      line({
        vertexes: [
          null,
          7,
          {},
          { digest: 5 },
          {
            digest: 'a',
            name: 'exporting to image',
            started: at(1),
            completed: at(2),
            cached: 'yes',
            error: 5,
          },
          { digest: 'b', name: 5, started: 'yesterday' },
        ],
        statuses: [
          {},
          { id: 'exporting layers', vertex: 'a', current: 'x', started: at(1), timestamp: at(2) },
          { id: 'x', vertex: 'unknown', current: 1, started: at(1) },
        ],
        logs: [{}, { vertex: 'a', data: 5 }, { vertex: 'unknown', data: 'aGk=' }],
        warnings: [null, { short: 5, detail: 'x', range: [{}] }],
      }),
    );
    expect(steps).toEqual([
      {
        kind: 'export',
        id: 'a',
        name: 'exporting to image',
        intervals: [{ startMs: base + 1000, endMs: base + 2000 }],
        cached: false,
        isCanceled: false,
        transfers: [
          {
            kind: 'export-layers',
            name: 'exporting layers',
            startMs: base + 1000,
            endMs: base + 2000,
            bytes: 0,
          },
        ],
        outputTail: [],
      },
      {
        kind: 'other',
        id: 'b',
        name: '',
        intervals: [],
        cached: false,
        isCanceled: false,
        transfers: [],
        outputTail: [],
      },
    ]);
  });

  it('joins the starts of a step that overlap, and ends what never ended with the stream', () => {
    const vertex = (started: string, completed?: string): unknown => ({
      digest: 'a',
      name: '[1/1] FROM x',
      started,
      completed,
    });
    const { steps } = parse(
      Buffer.concat([
        line({ vertexes: [vertex(at(1), at(3))] }),
        line({ vertexes: [vertex(at(2), at(4))] }),
        line({ vertexes: [vertex(at(6))] }),
        line({ vertexes: [{ digest: 'b', name: 'x', started: at(7.5) }] }),
      ]),
    );
    expect(steps[0]?.intervals).toEqual([
      { startMs: base + 1000, endMs: base + 4000 },
      { startMs: base + 6000, endMs: base + 7500 },
    ]);
  });

  it('keeps the last 40 lines of a command, whatever it writes', { timeout: 60_000 }, () => {
    const vertex = line({ vertexes: [{ digest: 'a', name: '[1/1] RUN x', started: at(1) }] });
    const parser = createProgressParser();
    parser.push(vertex);
    for (let n = 0; n < 2000; n += 1)
      parser.push(
        line({
          logs: [
            {
              vertex: 'a',
              stream: 1,
              data: Buffer.from(`line ${n} ${'x'.repeat(5000)}\n`).toString('base64'),
              timestamp: at(2),
            },
          ],
        }),
      );
    const [step] = parser.finish().steps;
    expect(step?.outputTail.map((text) => text.slice(0, 9))).toEqual(
      Array.from({ length: 40 }, (_, index) => `line ${1960 + index}`),
    );
    expect(Math.max(...(step?.outputTail ?? []).map((text) => text.length))).toBe(2000);
  });

  it('keeps the last lines of stderr, though a burst of stdout came after them', () => {
    const parser = createProgressParser();
    const log = (stream: number, text: string): Buffer =>
      line({ logs: [{ vertex: 'a', stream, data: Buffer.from(text).toString('base64'), timestamp: at(2) }] });
    parser.push(line({ vertexes: [{ digest: 'a', name: '[1/1] RUN x', started: at(1) }] }));
    parser.push(log(2, 'warning\nboom\n'));
    parser.push(log(1, Array.from({ length: 60 }, (_, index) => `test ${index}\n`).join('')));
    const tail = parser.finish().steps[0]?.outputTail ?? [];
    expect(tail).toEqual([
      'warning',
      'boom',
      ...Array.from({ length: 38 }, (_, index) => `test ${index + 22}`),
    ]);
  });

  it('reads a line of 20 MB and drops one of 65 MB', { timeout: 60_000 }, () => {
    const long = (megabytes: number): Buffer =>
      line({
        vertexes: [{ digest: 'a', name: `[1/1] RUN ${'x'.repeat(megabytes * 1024 * 1024)}`, started: at(1) }],
      });
    expect(parse(long(20)).steps).toHaveLength(1);
    const { steps, trailer } = parse(
      Buffer.concat([long(65), line({ vertexes: [{ digest: 'b', name: 'after', started: at(1) }] })]),
    );
    expect(steps.map(({ name }) => name)).toEqual(['after']);
    expect(trailer).toEqual(['A progress line of more than 67108864 bytes was dropped.']);
  });

  it('keeps a fraction of a millisecond, and any zone', () => {
    const { steps } = parse(
      line({
        vertexes: [
          {
            digest: 'a',
            name: 'x',
            started: '2026-01-01T01:00:00.000250000+01:00',
            completed: '2026-01-01T00:00:00.5Z',
          },
        ],
      }),
    );
    expect(steps[0]?.intervals).toEqual([{ startMs: base + 0.25, endMs: base + 500 }]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createBuildLog } from './build-log.ts';
import type { StepHeading } from './build-step.ts';
import { createProgressParser } from './progress-parser.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);

function replay(stream: Uint8Array, now: () => number = () => 0): string[] {
  const lines: string[] = [];
  const log = createBuildLog((line) => lines.push(line), now);
  createProgressParser().push(stream).forEach(log.event);
  log.end();
  return lines;
}
const replayRecorded = (name: string): string[] => replay(readFileSync(new URL(`${name}.rawjson`, FIXTURES)));

describe('createBuildLog', () => {
  it('tells a failing build so that the cause stands last', () => {
    expect(
      replayRecorded('failing-run').map((line) =>
        line.replace(/ \d+\.\d(s?)/, ' 0.0$1').replace(/sha256:\w+/, 'sha256:0'),
      ),
    ).toEqual([
      '#1 [internal] load build definition from Dockerfile',
      '#2 [internal] load metadata for docker.io/library/busybox:latest',
      '#3 [internal] load .dockerignore',
      '#4 [1/6] FROM docker.io/library/busybox:latest@sha256:0',
      '#5 [internal] load build context',
      '#4 CACHED',
      '#6 [2/6] WORKDIR /app',
      '#6 DONE 0.0s',
      '#7 [3/6] COPY app.txt .',
      '#7 DONE 0.0s',
      '#8 [4/6] RUN echo step one',
      '#8 0.0 step one',
      '#8 DONE 0.0s',
      '#9 [5/6] RUN echo "starting tests" && for i in 1 2 3; do echo "test $i ok"; done && echo "test 4 FAILED: expected 1, got 2" >&2 && exit 3',
      '#9 0.0 starting tests',
      expect.stringMatching(/^#9 0\.0 test \d/),
      expect.stringMatching(/^#9 0\.0 test \d/),
      expect.stringMatching(/^#9 0\.0 test \d/),
      expect.stringMatching(/^#9 0\.0 test \d/),
      expect.stringMatching(/^#9 ERROR process .* exit code: 3$/),
      '| Dockerfile:7',
      '| --------------------',
      '|    6 |     # the failing command spans lines 7 to 10',
      '|    7 | >>> RUN echo "starting tests" && \\',
      '|    8 | >>>     for i in 1 2 3; do echo "test $i ok"; done && \\',
      '|    9 | >>>     echo "test 4 FAILED: expected 1, got 2" >&2 && \\',
      '|   10 | >>>     exit 3',
      '|   11 |     RUN echo never',
      '| --------------------',
      expect.stringMatching(/^\| ERROR: failed to build: failed to solve: process .* exit code: 3$/),
    ]);
  });

  it('sums up what was pulled and pushed', () => {
    const lines = replayRecorded('classic-push');
    expect(
      lines.filter((line) => /pulled|pushed/.test(line)).map((line) => line.replace(/in .*/, 'in')),
    ).toEqual(['#5 pulled 1.1 MB in', '#6 pulled 25.1 MB in', '#16 pushed 29.0 MB in']);
  });

  it('says CACHED once for a cached step', () => {
    expect(replayRecorded('import-registry-cache').filter((line) => line.endsWith('CACHED'))).toHaveLength(6);
  });

  it('shows what a hostile command writes as text', () => {
    expect(replayRecorded('output').filter((line) => line.startsWith('#5 0.'))).toEqual(
      [
        '#5 0.0 ::error::not a command',
        '#5 0.0 # #[error]nor this',
        '#5 0.0 red',
        '#5 0.0 100%',
        '#5 0.0 café � evil',
        '#5 0.1 no end',
      ].map((line) =>
        expect.stringMatching(new RegExp(`^#5 0\\.\\d ${line.slice(7).replaceAll('[', '\\[')}$`)),
      ),
    );
  });

  it('tells of a long transfer every three seconds', () => {
    let nowMs = 0;
    const lines: string[] = [];
    const log = createBuildLog(
      (line) => lines.push(line),
      () => nowMs,
    );
    const step: StepHeading = { number: 4, id: 'a', name: '[1/1] FROM x', kind: 'instruction', isFrom: true };
    log.event({ kind: 'started', step, atMs: 0 });
    for (; nowMs <= 10_000; nowMs += 500) {
      const transfer = {
        kind: 'pull',
        name: 'sha256:1',
        bytes: nowMs * 10_000,
        startMs: 0,
        endMs: nowMs,
      } as const;
      log.event({ kind: 'transfer', step, transfer, totalBytes: 2e8, isComplete: false });
    }
    expect(lines).toEqual([
      '#4 [1/1] FROM x',
      '#4 pulling 30.0 MB of 200.0 MB',
      '#4 pulling 60.0 MB of 200.0 MB',
      '#4 pulling 90.0 MB of 200.0 MB',
    ]);
  });

  // TryParse and TryParseV2 of actions/runner's ActionCommand.cs.
  const isCommand = (line: string): boolean => line.trimStart().startsWith('::') || line.includes('##[');

  it('writes no control character and no workflow command, whatever the build is called and says', () => {
    const evil = '::error::x\n::set-output name=a::b\r##[error]y\u001B[2J\u2028::add-mask::z';
    const json = [
      {
        vertexes: [
          { digest: 'a', name: `[${evil} 1/1] RUN ${evil}`, started: '2026-01-01T00:00:00Z' },
          { digest: 'b', name: evil, started: '2026-01-01T00:00:00Z' },
        ],
      },
      {
        logs: [
          {
            vertex: 'a',
            stream: 1,
            data: Buffer.from(`${evil}\n${evil}`).toString('base64'),
            timestamp: '2026-01-01T00:00:01Z',
          },
        ],
      },
      {
        statuses: [
          {
            id: evil,
            vertex: 'b',
            current: 5,
            started: '2026-01-01T00:00:00Z',
            timestamp: '2026-01-01T00:00:09Z',
          },
        ],
      },
      { warnings: [{ short: Buffer.from(evil).toString('base64') }] },
      {
        vertexes: [
          {
            digest: 'a',
            name: 'x',
            started: '2026-01-01T00:00:00Z',
            completed: '2026-01-01T00:00:02Z',
            error: evil,
          },
        ],
      },
    ]
      .map((status) => JSON.stringify(status))
      .join('\n');
    let nowMs = 0;
    const lines = replay(Buffer.from(`${json}\n${evil}\n`), () => {
      nowMs += 5000;
      return nowMs;
    });
    expect(lines.length).toBeGreaterThan(8);
    expect(
      lines.filter((line) => isCommand(line) || /[\p{Cc}\p{Zl}]/u.test(line.replaceAll('\t', ''))),
    ).toEqual([]);
  });

  it.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.rawjson')))(
    '%s: begins each line with a mark and tells each step once',
    (name) => {
      const lines = replay(readFileSync(new URL(name, FIXTURES)));
      expect(lines.filter((line) => !/^(#\d+ |\||warning: )/.test(line))).toEqual([]);
      const headings = lines
        .filter((line) => /^#\d+ (\[|exporting to|importing|resolving|pushing)/.test(line))
        .map((line) => line.split(' ')[0]);
      expect(new Set(headings).size).toBe(headings.length);
    },
  );
});

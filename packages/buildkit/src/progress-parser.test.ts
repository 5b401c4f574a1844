import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Progress, ProgressEvent } from './build-step.ts';
import { createProgressParser } from './progress-parser.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);
const recorded = readdirSync(FIXTURES).filter((name) => name.endsWith('.rawjson'));
const read = (name: string): Buffer => readFileSync(new URL(`${name}.rawjson`, FIXTURES));

function parse(stream: Uint8Array): Progress & { readonly events: readonly ProgressEvent[] } {
  const parser = createProgressParser();
  const events = parser.push(stream);
  return { ...parser.finish(), events };
}

const line = (status: unknown): Buffer => Buffer.from(`${JSON.stringify(status)}\n`);
const at = (seconds: number): string => `2026-01-01T00:00:${seconds.toFixed(3).padStart(6, '0')}Z`;
const base = Date.UTC(2026, 0, 1);

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

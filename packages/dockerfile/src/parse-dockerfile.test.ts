// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables look like this
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Dockerfile, parseDockerfile } from './parse-dockerfile.ts';

type Golden = {
  readonly name: string;
  readonly text: string;
  readonly error?: string;
  readonly instructions?: readonly unknown[];
};

const goldens: readonly Golden[] = JSON.parse(
  readFileSync(new URL('./fixtures/buildkit-parser.json', import.meta.url), 'utf8'),
);

/** In the words of the goldens. */
function outline({ globalArguments, stages }: Dockerfile): readonly unknown[] {
  return [...globalArguments, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])].map(
    ({ keyword, startLine, endLine, flags, heredocs }) => ({ keyword, startLine, endLine, flags, heredocs }),
  );
}

describe('parseDockerfile', () => {
  // BuildKit 0.25's own parser made these (fixtures/oracle). It leaves unknown instructions to a later step.
  const known = goldens.filter(({ name }) => name !== 'unknown instruction');

  it.each(known.filter(({ error }) => error === undefined))(
    'reads as BuildKit does: $name',
    ({ text, instructions }) => {
      expect(outline(parseDockerfile(text))).toEqual(instructions);
    },
  );

  it.each(known.filter(({ error }) => error !== undefined))(
    'has a problem where BuildKit refuses: $name',
    ({ text }) => {
      expect(parseDockerfile(text).problems.length).toBeGreaterThan(0);
    },
  );

  it('finds stages with name, base, platform and lines', () => {
    const { stages, globalArguments, problems } = parseDockerfile(
      'ARG V=22\nFROM --platform=$BUILDPLATFORM node:${V} as Build\nRUN a\n\nFROM scratch\nCOPY --from=build /a \\\n  /b\n',
    );
    expect(problems).toEqual([]);
    expect(globalArguments.map(({ args }) => args)).toEqual([['V=22']]);
    expect(
      stages.map(({ from, instructions, ...stage }) => ({
        ...stage,
        keywords: instructions.map(({ keyword }) => keyword),
      })),
    ).toEqual([
      {
        name: 'Build',
        index: 0,
        base: 'node:${V}',
        platform: '$BUILDPLATFORM',
        startLine: 2,
        endLine: 3,
        keywords: ['RUN'],
      },
      { index: 1, base: 'scratch', startLine: 5, endLine: 7, keywords: ['COPY'] },
    ]);
  });

  it('gives the text as written and on one line', () => {
    const { stages } = parseDockerfile('FROM a\nRUN x \\\n  # why\n\n  && y\nRUN <<EOF\nz\nEOF\n');
    expect(stages[0]?.instructions.map(({ text, line }) => ({ text, line }))).toEqual([
      { text: 'RUN x \\\n  # why\n\n  && y', line: 'RUN x   && y' },
      { text: 'RUN <<EOF\nz\nEOF', line: 'RUN <<EOF' },
    ]);
  });

  it.each([
    ['RUN npm ci', 'npm ci'],
    ['RUN ["npm", "ci"]', ['npm', 'ci']],
    ['RUN --mount=type=cache,target=/c ["a b", "c"]', ['a b', 'c']],
    ['COPY --from=x ["a b", "/c"]', ['a b', '/c']],
    ['COPY a b c/', ['a', 'b', 'c/']],
    ['ENV A=1 B="x y"', { A: '1', B: '"x y"' }],
    ['SHELL ["bash", "-c"]', ['bash', '-c']],
    ['RUN dir C:\\\\', 'dir C:\\\\'],
    ['WORKDIR /a', '/a'],
    ['ARG A=1 B', ['A=1', 'B']],
  ])('reads the arguments of %s', (line, args) => {
    const dockerfile = parseDockerfile(`FROM a\n${line}\n`);
    expect(dockerfile.stages[0]?.instructions.map((instruction) => instruction.args)).toEqual([args]);
    expect(dockerfile.problems).toEqual([]);
  });

  it('reads what an ONBUILD does later', () => {
    const { stages } = parseDockerfile('FROM a\nONBUILD COPY --from=x ["a b", "/c"]\n');
    expect(stages[0]?.instructions[0]).toMatchObject({
      keyword: 'ONBUILD',
      flags: [],
      trigger: { keyword: 'COPY', flags: ['--from=x'], args: ['a b', '/c'] },
    });
  });

  it.each([
    ['', [{ line: 1, message: 'The file has no stage: expected a FROM.' }]],
    ['FROM a\n\nRUNN x\nCMD y\n', [{ line: 3, message: 'Unknown instruction "RUNN".' }]],
    ['RUN x\nFROM a\n', [{ line: 1, message: 'RUN stands before the first FROM: expected FROM or ARG.' }]],
    [
      'FROM a AS\n',
      [
        {
          line: 1,
          message: 'FROM has wrong arguments: expected "FROM <image>" or "FROM <image> AS <name>".',
        },
      ],
    ],
    [
      'FROM a b\n',
      [
        {
          line: 1,
          message: 'FROM has wrong arguments: expected "FROM <image>" or "FROM <image> AS <name>".',
        },
      ],
    ],
    ['FROM a\nRUN\n', [{ line: 2, message: 'RUN has no arguments: expected at least one.' }]],
    [
      'FROM a\nRUN <<EOF\nx\n',
      [{ line: 2, message: 'Here-document "EOF" has no end: expected a line "EOF".' }],
    ],
    ['# escape=x\nFROM a\n', [{ line: 1, message: 'Directive "escape" is "x": expected "\\" or "`".' }]],
    ['# escape=`\n# escape=`\nFROM a\n', [{ line: 2, message: 'Only one "escape" directive can be used.' }]],
    ['FROM a\nONBUILD FROM b\n', [{ line: 2, message: 'ONBUILD can\'t have "FROM" as its trigger.' }]],
    [
      `FROM a\nRUN ${'x'.repeat(70_000)}\n`,
      [{ line: 2, message: 'The line is 70004 bytes: BuildKit takes at most 65535.' }],
    ],
  ])('names what is wrong, by line: %j', (text, problems) => {
    expect(parseDockerfile(text).problems).toEqual(problems);
  });

  it('keeps no instruction outside of the known ones', () => {
    const { stages } = parseDockerfile('FROM a\n&& x\ncurl y\nRUN z\n');
    expect(stages[0]?.instructions.map(({ keyword }) => keyword)).toEqual(['RUN']);
  });

  it('reads any text, cut anywhere', () => {
    const all = goldens.map(({ text }) => text).join('\n');
    for (let length = 0; length < all.length; length += 7) {
      expect(parseDockerfile(all.slice(0, length)).stages).toBeInstanceOf(Array);
      expect(parseDockerfile(all.slice(length, length + 60)).stages).toBeInstanceOf(Array);
    }
    expect(parseDockerfile('\0\uD800\uFFFF\u0001 \uE000\\').stages).toEqual([]);
  });

  it.each([
    ['a long continuation', `FROM a\nRUN x${' \\\n  && y'.repeat(110_000)}`],
    ['many instructions', `FROM a\n${'RUN echo hello world\n'.repeat(48_000)}`],
    ['many stages', 'FROM a AS b\n'.repeat(84_000)],
    ['comments in a continuation', `FROM a\nRUN x \\\n${'# c\n'.repeat(250_000)}`],
    ['quotes', `FROM a\nRUN ${'"'.repeat(1_000_000)} <<`],
    ['unended variables', `FROM a\nRUN ${'${'.repeat(500_000)} <<`],
    ['unended here-documents', `FROM a\n${'RUN <<A\n'.repeat(125_000)}`],
    ['operators', `FROM a\nRUN ${'<<a '.repeat(250_000)}`],
    ['blanks', `FROM a\nRUN ${' '.repeat(1_000_000)}x`],
    ['escapes', `FROM a\nENV ${'\\'.repeat(1_000_000)}`],
    ['flags', `FROM a\nRUN ${'--a '.repeat(250_000)}`],
    ['brackets', `FROM a\nRUN ${'[ '.repeat(500_000)} <<`],
    ['a directive of blanks', `# a =${' '.repeat(1_000_000)}`],
    ['carriage returns', `FROM a\n${'\r'.repeat(1_000_000)}x`],
  ])('takes time in proportion to the text: 1 MB of %s', (_, text) => {
    const before = process.cpuUsage();
    parseDockerfile(text);
    const { user } = process.cpuUsage(before);
    // Processor time, so that a busy machine doesn't matter. A quadratic step would take minutes.
    expect(user / 1e6).toBeLessThan(20);
  });
});

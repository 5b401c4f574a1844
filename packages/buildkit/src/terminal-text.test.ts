import { describe, expect, it } from 'vitest';
import { createLineAssembler, neutralizeWorkflowCommands, toPlainText } from './terminal-text.ts';

describe('toPlainText', () => {
  // Sequences from ECMA-48 and xterm's ctlseqs; what stays is what a terminal would print.
  it.each([
    ['colours', '\u001B[1;31mred\u001B[0m', 'red'],
    ['cursor moves', '\u001B[2K\u001B[1Gnpm\u001B[?25l', 'npm'],
    ['a title, ended by BEL', '\u001B]0;title\u0007text', 'text'],
    ['a link, ended by ST', '\u001B]8;;http://x\u001B\\label\u001B]8;;\u001B\\', 'label'],
    ['character sets', '\u001B(Btext', 'text'],
    ['an eight-bit CSI', '\u009B31mred', 'red'],
    ['bell, backspace, NUL', 'a\u0007b\u0008c\u0000d', 'abcd'],
    ['marks that reorder text', 'user\u202Etxt.exe', 'usertxt.exe'],
    ['line separators', 'a\u2028::error::b', 'a::error::b'],
    ['a sequence that never ends', '\u001B[31', '31'],
  ])('takes away %s', (_, line, expected) => {
    // An unfinished sequence loses its introducer, which is what makes it one.
    expect(toPlainText(line).replace(/^\[/, '')).toBe(expected);
  });

  it('leaves tabs and other languages alone', () => {
    expect(toPlainText('\tcafé 日本語 🐳')).toBe('\tcafé 日本語 🐳');
  });
});

describe('neutralizeWorkflowCommands', () => {
  // ActionCommand.cs of actions/runner: TryParseV2 trims the start and wants "::"; TryParse looks for "##[" anywhere.
  const isCommand = (line: string): boolean => line.trimStart().startsWith('::') || line.includes('##[');

  it.each([
    '::error::x',
    '  ::set-output name=a::b',
    '\t::add-mask::x',
    '##[error]x',
    'text ##[add-mask]x',
    '####[[error]x',
  ])('makes no command of %j', (line) => {
    expect(isCommand(line)).toBe(true);
    expect(isCommand(neutralizeWorkflowCommands(line))).toBe(false);
  });

  it('leaves other lines as they are', () => {
    expect(neutralizeWorkflowCommands('std::vector<int> # [x] ## heading')).toBe(
      'std::vector<int> # [x] ## heading',
    );
  });
});

describe('createLineAssembler', () => {
  const assemble = (pieces: readonly string[]): string[] => {
    const lines = createLineAssembler();
    return [...pieces.flatMap((piece) => lines.push(piece)), ...lines.flush()];
  };

  it.each([
    ['pieces of a line', ['ab', 'c\nd', 'e\n'], ['abc', 'de']],
    ['a last line without an end', ['one\ntwo'], ['one', 'two']],
    ['empty lines', ['a\n\nb\n'], ['a', '', 'b']],
    ['Windows line ends', ['a\r\nb\r\n'], ['a', 'b']],
    ['a Windows line end in two pieces', ['a\r', '\nb\n'], ['a', 'b']],
    ['a progress bar', ['10%\r50%\r100%\n'], ['100%']],
    ['a progress bar in pieces', ['10%\r', '50%\r', '100%\r', '\nnext\n'], ['100%', 'next']],
    ['a command behind a carriage return', ['safe\r::error::x\n'], ['::error::x']],
  ])('puts together %s', (_, pieces, expected) => {
    expect(assemble(pieces)).toEqual(expected);
  });

  it('cuts a line without end, and keeps nothing of a progress bar but its last state', () => {
    expect(assemble(['x'.repeat(40_000)]).map((line) => line.length)).toEqual([16_384, 16_384, 7232]);
    expect(assemble([...Array.from({ length: 5000 }, (_, at) => `${at} of 5000\r`), 'done\n'])).toEqual([
      'done',
    ]);
  });
});

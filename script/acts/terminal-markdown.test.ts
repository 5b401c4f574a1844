import { expect, it } from 'vitest';
import { toTerminalMarkdown } from './terminal-markdown.ts';

it('lines up tables, right where the column says so, and counts characters and not bytes', () => {
  expect(
    toTerminalMarkdown(
      '# A\n\n| Step | Time |  |\n| --- | ---: | --- |\n| `a \\| b` | 1.2 s | █▏ |\n\nend\n',
    ),
  ).toBe(
    [
      '# A',
      '',
      '| Step     |  Time |     |',
      '| -------- | ----: | --- |',
      '| `a \\| b` | 1.2 s | █▏  |',
      '',
      'end',
      '',
    ].join('\n'),
  );
});

it('cuts long cells and keeps the code span closed', () => {
  const [, , row = ''] = toTerminalMarkdown(`| A |\n| --- |\n| \`${'x'.repeat(200)}\` |`).split('\n');

  expect(row).toBe(`| \`${'x'.repeat(61)}…\` |`);
});

it('leaves out what only a page needs', () => {
  expect(toTerminalMarkdown('**Built**<br>`sha256:1`\n\n<sub>Docker 28.5.2\\+dfsg4</sub>')).toBe(
    '**Built**\n`sha256:1`\n\nDocker 28.5.2+dfsg4',
  );
});

import { describe, expect, it } from 'vitest';
import { InputError } from './errors.ts';
import { renderFailure } from './run-action.ts';
import { defuse } from './runner.ts';
import { renderWorkflowCommand } from './workflow-command.ts';

// The escapes of GitHub's "Workflow commands": data %25 %0D %0A, properties also %3A %2C.
describe('renderWorkflowCommand', () => {
  it('escapes data and properties', () => {
    expect(renderWorkflowCommand('error', { file: 'a:b,c%d.ts', line: 7 }, '100 %\r\n::warning::x')).toBe(
      '::error file=a%3Ab%2Cc%25d.ts,line=7::100 %25%0D%0A::warning::x',
    );
  });
  it('leaves out what is not known', () => {
    expect(renderWorkflowCommand('error', { file: undefined }, 'm')).toBe('::error::m');
  });
});

describe('renderFailure', () => {
  it('shows a wrong input as one annotation at its line', () => {
    const error = new InputError('Dockerfile is wrong.', {
      location: { file: 'app/Dockerfile', startLine: 7, endLine: 8 },
    });
    expect(renderFailure('build-optimized', error)).toBe(
      '::error file=app/Dockerfile,line=7,endLine=8::Dockerfile is wrong.\n',
    );
  });

  it('shows a failure of an outside system without a stack', () => {
    const error = Object.assign(new Error('docker is not running.'), {
      system: 'docker',
      operation: 'build',
      isTemporary: true,
    });
    expect(renderFailure('build-optimized', error)).toBe('::error::docker is not running.\n');
  });

  it('says that anything else is our bug, with the stack folded and harmless', () => {
    const error = new TypeError('x is undefined');
    error.stack = 'TypeError: x is undefined\n::set-output name=a::b\r##[add-mask]c';
    const lines = renderFailure('build-optimized', error).split('\n');
    expect(lines).toEqual([
      '::error::This is a bug in build-optimized: x is undefined. Report it with the log below at https://github.com/sophia/actions/issues.',
      '::group::Stack',
      'TypeError: x is undefined',
      '\u200b::set-output name=a::b\r##\u200b[add-mask]c',
      '::endgroup::',
      '',
    ]);
  });
});

describe('defuse', () => {
  it.each([
    '::error::x',
    '  ::set-env name=A::b',
    'ok\n::stop-commands::t',
    'a\r::error::b',
    '##[error]x',
    'x ##[add-mask]y',
  ])('leaves no workflow command in %j', (text) => {
    expect(
      defuse(text)
        .split(/\r\n|\n|\r/)
        .filter((line) => /^\s*::|##\[/.test(line)),
    ).toEqual([]);
  });
  it('leaves other text as it is', () => {
    expect(defuse('a :: b\nstd::vector')).toBe('a :: b\nstd::vector');
  });
});

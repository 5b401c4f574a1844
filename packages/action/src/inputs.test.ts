import { describe, expect, it } from 'vitest';
import { findUnknownInputs, type InputTable, readInputs } from './inputs.ts';

const table = {
  push: { type: 'boolean', default: 'false' },
  tags: { type: 'list' },
  secrets: { type: 'secret-lines' },
  'max-age': { type: 'duration', default: '7d' },
  'size-budget': { type: 'size' },
  cache: { type: 'choice', choices: ['auto', 'off'], default: 'auto' },
  phase: { type: 'string', isRequired: true },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of the runner, as action.yml has it.
  'github-token': { type: 'string', default: '${{ github.token }}' },
} as const satisfies InputTable;

describe('readInputs', () => {
  // The runner's contract: INPUT_<NAME>, upper-cased, hyphens kept, blanks for underscores.
  it('reads what the runner passes, typed', () => {
    const values = readInputs(table, {
      INPUT_PUSH: ' True ',
      INPUT_TAGS: 'a,b\nc',
      INPUT_SECRETS: 'K= v ',
      'INPUT_SIZE-BUDGET': '1GB',
      INPUT_PHASE: '2',
      'INPUT_GITHUB-TOKEN': 'ghs_1',
    });
    expect(values).toEqual({
      push: true,
      tags: ['a', 'b', 'c'],
      secrets: ['K= v '],
      'max-age': 604_800_000,
      'size-budget': 1_000_000_000,
      cache: 'auto',
      phase: '2',
      'github-token': 'ghs_1',
    });
  });

  it('takes an empty input as not given, and an unevaluated default as empty', () => {
    const values = readInputs(table, { INPUT_PUSH: '', INPUT_PHASE: '1' });
    expect([values.push, values['size-budget'], values['github-token']]).toEqual([false, undefined, '']);
  });

  it('names a required input that is missing', () => {
    expect(() => readInputs(table, {})).toThrow('Input "phase" is missing. Set it under "with:".');
  });
});

describe('findUnknownInputs', () => {
  it('says which input does not exist and what was meant', () => {
    expect(
      findUnknownInputs(table, { INPUT_TAG: 'a', INPUT_TAGS: 'b', 'INPUT_DEPLOY-WAIT': '1', PATH: '/bin' }),
    ).toEqual([
      'Input "tag" does not exist and is ignored. Did you mean "tags"?',
      'Input "deploy-wait" does not exist and is ignored. Remove it.',
    ]);
  });
});

import { type Environment, type InputValues, readInputs } from '@sophia/action';
import { checkInputs } from './check-inputs.ts';
import { inputTable } from './inputs.generated.ts';

export type BuildInputs = InputValues<typeof inputTable>;

/**
 * Reads and checks every input.
 *
 * @throws {InputError} The first one that is wrong; no secret and no build-argument value is ever in its text.
 */
export function parseInputs(environment: Environment): BuildInputs {
  const inputs = readInputs(inputTable, environment);
  checkInputs(inputs);
  return inputs;
}

import { type Environment, readInputs } from '@sophia/action';
import { checkInputs } from './check-inputs.ts';
import { inputTable } from './inputs.generated.ts';
import type { BuildInputs } from './inputs.ts';

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

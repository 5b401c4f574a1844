import type { InputValues } from '@sophia/action';
import type { inputTable } from './inputs.generated.ts';

/** Every input of action.yml by its name, typed by the comment beside it there. */
export type PhaseInputs = InputValues<typeof inputTable>;

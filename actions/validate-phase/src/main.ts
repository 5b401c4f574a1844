import { readContext, runAction } from '@sophia/action';
import { parseInputs } from './parse-inputs.ts';

await runAction({
  name: 'validate-phase',
  readInputs: parseInputs,
  run: async (inputs, run) => {
    // Loaded after the inputs, so that a wrong one is reported at once.
    const [{ validatePhase }, { createPrometheus }] = await Promise.all([
      import('./validate-phase.ts'),
      import('@sophia/metrics'),
    ]);
    await validatePhase(inputs, {
      ...run,
      context: readContext(run.environment),
      github: undefined,
      connect: createPrometheus,
      now: Date.now,
    });
  },
});

import { readContext, runAction } from '@sophia/action';
import { parseInputs } from './parse-inputs.ts';

await runAction({
  name: 'validate-phase',
  readInputs: parseInputs,
  run: async (inputs, run) => {
    // Loaded after the inputs, so that a wrong one is reported at once.
    const { validatePhase } = await import('./validate-phase.ts');
    await validatePhase(inputs, {
      ...run,
      context: readContext(run.environment),
      github: undefined,
      connect: () => ({
        observe: async () => ({
          kind: 'absent',
          reason: 'missing',
          message: 'Prometheus is not asked by this version.',
        }),
      }),
      now: Date.now,
    });
  },
});

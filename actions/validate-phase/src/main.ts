import { readContext, runAction } from '@sophia/action';
import { parseInputs } from './parse-inputs.ts';

await runAction({
  name: 'validate-phase',
  readInputs: parseInputs,
  run: async (inputs, run) => {
    // Loaded after the inputs, so that a wrong one is reported at once.
    const [{ validatePhase }, { createGitHub }, { createPrometheus }, { info: log }] = await Promise.all([
      import('./validate-phase.ts'),
      import('@sophia/github'),
      import('@sophia/metrics'),
      run.loadRunner(),
    ]);
    const context = readContext(run.environment);
    const { apiUrl, repository } = context;
    const { githubToken: token } = inputs;
    await validatePhase(inputs, {
      ...run,
      context,
      github:
        token === '' || repository === '' ? undefined : createGitHub({ apiUrl, repository, token, log }),
      connect: createPrometheus,
      now: Date.now,
    });
  },
});

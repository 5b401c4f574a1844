import { openTemporaryFolder, readContext, runAction } from '@sophia/action';
import { createBuildkit } from '@sophia/buildkit';
import { createRegistry } from '@sophia/registry';
import { buildImage } from './build-image.ts';
import { parseInputs } from './parse-inputs.ts';

await runAction({
  name: 'build-optimized',
  readInputs: parseInputs,
  run: async (inputs, run) => {
    const { environment: env } = run;
    const context = readContext(env);
    using folder = openTemporaryFolder(context.temporaryFolder, 'sophia-build');
    const buildkit = createBuildkit({ env, tempFolder: folder.path });
    await buildImage(inputs, {
      ...run,
      context,
      buildkit,
      registry: createRegistry({ env }),
      temporaryFolder: folder.path,
    });
  },
});

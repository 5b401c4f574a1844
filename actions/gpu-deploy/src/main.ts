import { readContext, runAction } from '@sophia/action';
import { parseInputs } from './inputs.ts';

await runAction({
  name: 'gpu-deploy',
  readInputs: parseInputs,
  run: async (inputs, run) => {
    const { environment: env } = run;
    const context = readContext(env);
    const [{ deploy }, { connectCluster }, { readObjects }, { createImageReader, toImageRegistry }] =
      await Promise.all([
        import('./deploy.ts'),
        import('@sophia/kubernetes'),
        import('./read-objects.ts'),
        import('./read-images.ts'),
      ]);
    await deploy(inputs, {
      ...run,
      context,
      connect: ({ kubeconfig, context: name, ...how }) =>
        connectCluster({ kubeconfig: kubeconfig || undefined, context: name || undefined, env, ...how }),
      readObjects: (wanted, how) => readObjects(wanted, { workspace: context.workspace, env, ...how }),
      images: createImageReader(async () => {
        const { createRegistry, parseReference } = await import('@sophia/registry');
        return toImageRegistry(createRegistry({ env }), parseReference);
      }),
    });
  },
});

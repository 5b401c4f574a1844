import { defineConfig } from 'vitest/config';

// Packages are tested from their source, so that a test run needs no build of them.
const source = { conditions: ['source'] };

export default defineConfig({
  resolve: source,
  ssr: { resolve: source },
  test: {
    reporters: ['default', './test/harness/count-reporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**', 'actions/*/src/**'],
      reporter: ['text-summary'],
    },
    benchmark: { include: [] },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          testTimeout: 60_000,
          include: [
            '{packages,actions}/*/src/**/*.test.ts',
            'test/*.test.ts',
            'test/fakes/**/*.test.ts',
            'test/harness/**/*.test.ts',
            'script/**/*.test.ts',
          ],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/{integration,bundle,workflow}/**/*.test.ts'],
          globalSetup: ['./test/harness/engine-setup.ts'],
          // Builds and downloads on a machine that may be busy: a hang ends here, slowness does not.
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

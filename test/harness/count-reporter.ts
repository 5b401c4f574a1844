import type { Reporter, TestModule } from 'vitest/node';

/**
 * Prints the last line of a run, `N passed, N failed[, N skipped]`, which `script/test` and CI read.
 * A run in which no test passed counts as a failure: it has shown nothing.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    let skipped = 0;
    for (const testModule of modules) {
      failed += testModule.errors().length;
      for (const test of testModule.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else skipped += 1;
      }
    }
    if (passed === 0 && failed === 0) {
      failed = 1;
      process.exitCode = 1;
    }
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    process.stdout.write(`${passed} passed, ${failed} failed${tail}\n`);
  }
}

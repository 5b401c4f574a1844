import type { BuildStep } from '@sophia/buildkit';

/**
 * What went wrong with the cache of a build that succeeded, one sentence for each. A cache that isn't there to be
 * read is no loss: so it is before the first build.
 */
export function findCacheLosses(steps: readonly BuildStep[]): readonly string[] {
  return steps.flatMap(({ kind, error }) => {
    if (error === undefined || (kind === 'cache-import' && /not found/i.test(error))) return [];
    if (kind === 'cache-export') {
      return [
        `The image is built, but its cache was not written: ${shorten(error)}. Check address and rights in "cache-to".`,
      ];
    }
    if (kind === 'cache-import') {
      return [
        `The image is built, but without its cache: ${shorten(error)}. Check address and rights in "cache-from".`,
      ];
    }
    return [];
  });
}

/** A signed address carries its signature in the query. */
function shorten(error: string): string {
  return error.replace(/\?[^\s"]+/g, '?…').slice(0, 300);
}

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

/** With the sentence around it an error stays within 200 characters; the log has the whole of it. */
const MAX_ERROR_CHARACTERS = 100;

/** Its two ends: what was tried stands first, what went wrong last. A signed address loses its signature. */
function shorten(error: string): string {
  const line = error
    .replace(/\?[^\s"]+/g, '?…')
    .replace(/\s+/g, ' ')
    .trim();
  if (line.length <= MAX_ERROR_CHARACTERS) return line;
  return `${line.slice(0, 40).trimEnd()} … ${line.slice(43 - MAX_ERROR_CHARACTERS).trimStart()}`;
}

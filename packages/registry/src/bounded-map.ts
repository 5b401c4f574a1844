/**
 * Maps values with a function that waits, at most `limit` of them at a time; results keep their order. The
 * first rejection is the result, and nothing new is begun after it.
 */
export async function mapBounded<Value, Result>(
  values: readonly Value[],
  limit: number,
  map: (value: Value) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = new Array<Result>(values.length);
  const queue = values.entries();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    for (const [index, value] of queue) {
      if (hasFailed) return;
      try {
        results[index] = await map(value);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, values.length) }, work));
  return results;
}

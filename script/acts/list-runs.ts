import { code, formatBytes, formatDuration, renderTable } from '../../packages/report/src/index.ts';
import type { Act } from './act.ts';
import { shortId } from './pipeline-run.ts';

/** One table over all runs, and where they can be read again. */
export const listRuns: Act = async (stage) => {
  const rows = stage.runs.map(({ example, commit, branch, record, firstRecord }) => {
    const bytes = record.image?.platforms[0]?.compressedBytes;
    return [
      example,
      code(shortId(commit)),
      code(branch),
      formatDuration(record.durationMs),
      formatDuration(firstRecord.durationMs),
      `${record.cache.stepsCached} of ${record.cache.stepsReached}`,
      bytes === undefined ? 'unknown' : formatBytes(bytes),
      code((record.image?.digest ?? '').slice(0, 19)),
    ];
  });
  const table = renderTable(
    [
      { title: 'Service' },
      { title: 'Commit' },
      { title: 'Branch' },
      { title: 'Build time', align: 'right' },
      { title: 'First built here in', align: 'right' },
      { title: 'From cache', align: 'right' },
      { title: 'Image', align: 'right' },
      { title: 'Digest' },
    ],
    rows,
  );
  stage.show(`## All runs\n\n${table}\n\nRecords, summaries and logs: ${stage.resultsFolder}\n`);
  return stage;
};

import { createHash } from 'node:crypto';
import { type Criterion, observeBuilds, observeCluster, type Question, readLedger } from '@sophia/phases';
import type { Observation } from '@sophia/records';
import type { Source } from './data-sources.ts';
import type { RecordFiles } from './record-folder.ts';
import { type Places, readText } from './workspace-files.ts';

type Absent = Extract<Observation, { kind: 'absent' }>;
type Ask<K extends Question['kind']> = Extract<Question, { kind: K }>;

const MAX_LEDGER_BYTES = 4_000_000;
/** Of some thousand nodes and their Pods. */
const MAX_SNAPSHOT_BYTES = 128_000_000;
/** Where the records of this job's steps lie, and where baselines do that are named without a folder. */
const OWN_RECORDS = 'sophia';
const BASELINES = 'phases/baseline';

/** Reads the record files of a path, each path once. */
export type ReadRecords = (path: string) => Promise<RecordFiles>;

function absent(reason: Absent['reason'], message: string): Absent {
  return { kind: 'absent', reason, message };
}

/** Asks a cost ledger, and the ledger it is compared with. */
export async function observeLedger(
  source: Source,
  baseline: Criterion['baseline'],
  places: Places,
): Promise<Observation> {
  const read = await readLedgerFile(source.path ?? '', places);
  if (read.kind === 'absent') return read;
  const { asOfMs, lines, usage } = read.ledger;
  const observation: Observation = {
    kind: 'ledger',
    observedAtMs: asOfMs,
    lines,
    ...(usage === undefined ? {} : { usage }),
  };
  if (baseline === undefined) return observation;
  const before = await readLedgerFile(baseline.ref, places);
  if (before.kind === 'absent') return absent('baseline-missing', before.message);
  return {
    ...observation,
    baseline: { ref: baseline.ref, sha256: before.sha256, lines: before.ledger.lines },
  };
}

async function readLedgerFile(path: string, places: Places) {
  const file = await readText(path, places, MAX_LEDGER_BYTES);
  if (file.kind !== 'text') return absent(file.kind === 'missing' ? 'missing' : 'not-data', file.message);
  const read = readLedger(file.text);
  if (read.kind === 'ledger') {
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    return { kind: 'ledger' as const, ledger: read.ledger, sha256 };
  }
  const [first] = read.problems;
  return absent('not-data', `${path}:${first?.line}:${first?.column}: ${first?.message}`);
}

/**
 * Asks the builds of this job and those of the folder that the source is given. A history on a branch isn't read:
 * without a folder nothing is known of the builds before this one.
 */
export async function observeHistory(
  source: Source,
  { select }: Ask<'builds'>,
  baseline: Criterion['baseline'],
  read: ReadRecords,
  places: Places,
  observedAtMs: number,
): Promise<Observation> {
  if (source.path === undefined) {
    return absent(
      'missing',
      `The history on ${source.ref ?? 'a branch'} can't be read by this version: give a folder of records, data-sources: ${source.name}=folder.`,
    );
  }
  const [own, kept] = await Promise.all([
    read(`${places.temporaryFolder}/${OWN_RECORDS}`),
    read(source.path),
  ]);
  if (own.kind === 'partial') return absent('partial', own.message);
  if (kept.kind !== 'records') return absent(kept.kind, kept.message);
  const records = [...(own.kind === 'records' ? own.records : []), ...kept.records];
  const observation = observeBuilds(records, select, observedAtMs);
  return baseline === undefined || observation.kind !== 'runs'
    ? observation
    : addBaseline(observation, select, baseline, read);
}

async function addBaseline(
  observation: Extract<Observation, { kind: 'runs' }>,
  select: Readonly<Record<string, string>>,
  { ref }: NonNullable<Criterion['baseline']>,
  read: ReadRecords,
): Promise<Observation> {
  const files = await readBaselineFiles(ref, read);
  if (files.kind !== 'records') return absent('baseline-missing', `The baseline: ${files.message}`);
  const before = observeBuilds(files.records, select, observation.observedAtMs);
  if (before.kind !== 'runs') {
    const why = before.kind === 'absent' ? before.message : '';
    return absent('baseline-missing', `The baseline ${ref}: ${why}`);
  }
  return { ...observation, baseline: { ref, sha256: files.sha256, runs: before.runs } };
}

async function readBaselineFiles(ref: string, read: ReadRecords): Promise<RecordFiles> {
  const named = await read(ref);
  return named.kind === 'missing' ? read(`${BASELINES}/${ref}`) : named;
}

/** Asks a snapshot of a cluster's objects. */
export async function observeClusterFile(
  source: Source,
  { check }: Ask<'cluster'>,
  places: Places,
): Promise<Observation> {
  const file = await readText(source.path ?? '', places, MAX_SNAPSHOT_BYTES);
  if (file.kind !== 'text') return absent(file.kind === 'missing' ? 'missing' : 'not-data', file.message);
  return observeCluster(check, file.text);
}

import type { BuildRecord } from '../../packages/records/src/index.ts';
import {
  code,
  escapeText,
  formatBytes,
  formatDuration,
  renderTable,
} from '../../packages/report/src/index.ts';

type Layer = NonNullable<BuildRecord['image']>['platforms'][number]['layers'][number];

/** The parts of a record that a comparison needs. */
export type ComparedRecord = Pick<BuildRecord, 'commit' | 'durationMs' | 'cache' | 'image'>;

/** One commit's run: as it went now, and as it went the first time. */
export interface ComparedRun {
  readonly record: ComparedRecord;
  readonly firstRecord: ComparedRecord;
}

/** Layers of two images side by side; a layer that only one has stands alone. */
export interface LayerChange {
  readonly before: Layer | undefined;
  readonly after: Layer | undefined;
}

const FILES_SHOWN = 8;

/**
 * Pairs the layers that are not the same in both images, by digest. An image's layers are a sequence, each made on
 * the one below, so those at the same height belong together.
 */
export function findLayerChanges(before: readonly Layer[], after: readonly Layer[]): readonly LayerChange[] {
  const height = Math.max(before.length, after.length);
  return Array.from({ length: height }, (_, at) => ({ before: before[at], after: after[at] })).filter(
    (pair) => pair.before?.digest !== pair.after?.digest,
  );
}

/** What came of a change: files, time, cache, size and layers, Markdown. */
export function renderChange(
  changedFiles: readonly string[],
  before: ComparedRun,
  after: ComparedRun,
): string {
  const layers = findLayerChanges(layersOf(before.record), layersOf(after.record));
  return [renderFiles(changedFiles), renderFigures(before, after, layers), renderLayers(layers)]
    .filter((section) => section !== '')
    .join('\n\n');
}

function layersOf({ image }: ComparedRecord): readonly Layer[] {
  return image?.platforms[0]?.layers ?? [];
}

function renderFiles(files: readonly string[]): string {
  const shown = files.slice(0, FILES_SHOWN).map((file) => code(file));
  const rest = files.length - shown.length;
  return `Changed files: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function renderFigures(before: ComparedRun, after: ComparedRun, layers: readonly LayerChange[]): string {
  const isRepeat = before.record !== before.firstRecord || after.record !== after.firstRecord;
  const sizeOf = ({ image }: ComparedRecord) => image?.platforms[0]?.compressedBytes;
  const newBytes = layers.reduce((sum, { after: layer }) => sum + (layer?.compressedBytes ?? 0), 0);
  const row = (name: string, one: string, other: string, change: string) => [name, one, other, change];
  const time = (name: string, one: ComparedRecord, other: ComparedRecord) =>
    row(
      name,
      formatDuration(one.durationMs),
      formatDuration(other.durationMs),
      signed(other.durationMs - one.durationMs, formatDuration),
    );
  const [bytesBefore, bytesAfter] = [sizeOf(before.record), sizeOf(after.record)];
  return renderTable(
    [
      { title: '' },
      { title: code(before.record.commit.slice(0, 7)), align: 'right' },
      { title: code(after.record.commit.slice(0, 7)), align: 'right' },
      { title: 'Change' },
    ],
    [
      time('Build time', before.record, after.record),
      ...(isRepeat ? [time('Build time when first built here', before.firstRecord, after.firstRecord)] : []),
      row('Steps from cache', cached(before.record), cached(after.record), ''),
      ...(bytesBefore === undefined || bytesAfter === undefined
        ? []
        : [
            row(
              'Image, compressed',
              formatBytes(bytesBefore),
              formatBytes(bytesAfter),
              signed(bytesAfter - bytesBefore, formatBytes),
            ),
          ]),
      row(
        'Layers',
        String(layersOf(before.record).length),
        String(layersOf(after.record).length),
        `${layers.length} changed, ${formatBytes(newBytes)} to pull again`,
      ),
    ],
  );
}

function cached({ cache }: ComparedRecord): string {
  return `${cache.stepsCached} of ${cache.stepsReached}`;
}

function signed(difference: number, format: (value: number) => string): string {
  if (difference === 0) return 'same';
  return `${difference < 0 ? '−' : '+'}${format(Math.abs(difference))}`;
}

function renderLayers(layers: readonly LayerChange[]): string {
  if (layers.length === 0) return '';
  return renderTable(
    [{ title: 'Changed layers' }, { title: 'Line', align: 'right' }, { title: 'Before' }, { title: 'After' }],
    layers.map(({ before, after }) => {
      const { instruction = 'unknown', line } = after ?? before ?? {};
      return [code(instruction, 120), String(line ?? ''), describeLayer(before), describeLayer(after)];
    }),
  );
}

function describeLayer(layer: Layer | undefined): string {
  if (layer === undefined) return 'none';
  const digest = code((layer.digest ?? '').replace(/^sha256:/, '').slice(0, 12));
  const size = layer.compressedBytes === undefined ? '' : `, ${formatBytes(layer.compressedBytes)}`;
  return `${digest}${escapeText(size)}`;
}

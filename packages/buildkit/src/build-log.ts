import type { ProgressEvent, StepHeading, Transfer, TransferKind } from './build-step.ts';
import { neutralizeWorkflowCommands, toPlainText } from './terminal-text.ts';

/** A step that took less says nothing of its end, unless it is an instruction that has just run. */
const QUIET_MS = 100;
const TRANSFER_INTERVAL_MS = 3000;
const MAX_NAME_CHARACTERS = 400;

const WORDS: Readonly<Record<TransferKind, readonly [doing: string, done: string]>> = {
  context: ['sending', 'sent'],
  pull: ['pulling', 'pulled'],
  extract: ['extracting', 'extracted'],
  push: ['pushing', 'pushed'],
  'export-layers': ['exporting', 'exported'],
  'cache-read': ['reading from the cache', 'read from the cache'],
  'cache-write': ['writing to the cache', 'wrote to the cache'],
  other: ['working', 'worked'],
};

type StepLog = {
  readonly transfers: Map<string, Transfer & { readonly totalBytes: number }>;
  toldAtMs: number;
  isEndTold: boolean;
};

export type BuildLog = { event(event: ProgressEvent): void; end(): void };

/**
 * Writes a build's progress as lines for a person, as it happens: a heading when a step begins, its
 * output, then how it ended. Each line begins with its step's number, so that steps that run side by
 * side can be told apart and no line of the build's can act as a command of the workflow runner.
 *
 * @param write Takes one line without its end. It holds no control character and no workflow command.
 * @param now Milliseconds, any origin: spaces out the lines about long transfers.
 */
export function createBuildLog(write: (line: string) => void, now: () => number): BuildLog {
  const steps = new Map<string, StepLog>();
  const logOf = (step: StepHeading): StepLog => {
    const log = steps.get(step.id) ?? { transfers: new Map(), toldAtMs: now(), isEndTold: false };
    steps.set(step.id, log);
    return log;
  };
  const say = (step: StepHeading, text: string): void =>
    write(neutralizeWorkflowCommands(`#${step.number} ${text}`));

  return {
    event(event) {
      switch (event.kind) {
        case 'started':
          logOf(event.step);
          say(event.step, toTitle(event.step.name));
          break;
        case 'output':
          say(event.step, `${(event.offsetMs / 1000).toFixed(1)} ${event.line}`.trimEnd());
          break;
        case 'transfer':
          tellTransfer(event, logOf(event.step), now(), (text) => say(event.step, text));
          break;
        case 'finished':
          tellFinish(event, logOf(event.step), (text) => say(event.step, text));
          break;
        case 'warning':
          write(neutralizeWorkflowCommands(`warning: ${toPlainText(event.warning.message)}`));
          break;
        case 'trailer':
          // After a mark: such a line may begin with the Dockerfile's own text.
          write(neutralizeWorkflowCommands(`| ${event.line}`));
          break;
      }
    },
    end() {
      steps.clear();
    },
  };
}

function toTitle(name: string): string {
  const title = toPlainText(
    name.replace(/[\r\n\t ]+/g, ' ').replace(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}/g, '$1'),
  );
  return title.length > MAX_NAME_CHARACTERS ? `${title.slice(0, MAX_NAME_CHARACTERS)}…` : title;
}

function tellTransfer(
  event: Extract<ProgressEvent, { kind: 'transfer' }>,
  log: StepLog,
  nowMs: number,
  say: (text: string) => void,
): void {
  const { transfer } = event;
  log.transfers.set(`${transfer.name}@${transfer.startMs}`, {
    ...transfer,
    totalBytes: event.totalBytes ?? 0,
  });
  if (event.isComplete || nowMs - log.toldAtMs < TRANSFER_INTERVAL_MS) return;
  log.toldAtMs = nowMs;
  const same = [...log.transfers.values()].filter(({ kind }) => kind === transfer.kind);
  const bytes = same.reduce((sum, item) => sum + item.bytes, 0);
  const totalBytes = same.reduce((sum, item) => sum + Math.max(item.totalBytes, item.bytes), 0);
  const [doing] = WORDS[transfer.kind];
  if (bytes === 0) say(`${doing}: ${transfer.name}`);
  else if (totalBytes > bytes) say(`${doing} ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`);
  else say(`${doing} ${formatBytes(bytes)}`);
}

function tellFinish(
  event: Extract<ProgressEvent, { kind: 'finished' }>,
  log: StepLog,
  say: (text: string) => void,
): void {
  for (const kind of new Set([...log.transfers.values()].map((transfer) => transfer.kind))) {
    const summary = summarize([...log.transfers.values()].filter((transfer) => transfer.kind === kind));
    if (summary !== undefined) say(`${WORDS[kind][1]} ${summary}`);
  }
  log.transfers.clear();
  const ending = describeEnd(event, log.isEndTold);
  if (ending === undefined) return;
  log.isEndTold = true;
  say(ending);
}

function describeEnd(
  { result, step, durationMs, error }: Extract<ProgressEvent, { kind: 'finished' }>,
  isEndTold: boolean,
): string | undefined {
  switch (result) {
    case 'failed':
      return `ERROR ${toPlainText(error ?? '')}`;
    case 'canceled':
      return 'CANCELED';
    case 'cached':
      return isEndTold ? undefined : 'CACHED';
    case 'done':
      return isQuiet(step, durationMs, isEndTold) ? undefined : `DONE ${(durationMs / 1000).toFixed(1)}s`;
  }
}

function isQuiet(step: StepHeading, durationMs: number, isEndTold: boolean): boolean {
  if (step.isFrom) return isEndTold || durationMs < QUIET_MS;
  return durationMs < QUIET_MS && (isEndTold || step.kind !== 'instruction');
}

/** `45.6 MB in 2.1 s`; undefined where that would tell nobody anything. */
function summarize(transfers: readonly Transfer[]): string | undefined {
  const bytes = transfers.reduce((sum, transfer) => sum + transfer.bytes, 0);
  const startMs = Math.min(...transfers.map((transfer) => transfer.startMs));
  const endMs = Math.max(...transfers.map((transfer) => transfer.endMs));
  const took = formatSeconds(endMs - startMs);
  if (bytes >= 1_000_000) return `${formatBytes(bytes)} in ${took}`;
  return endMs - startMs >= 1000 && bytes === 0 ? `in ${took}` : undefined;
}

function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e3).toFixed(1)} kB`;
}

function formatSeconds(durationMs: number): string {
  return `${(Math.max(0, durationMs) / 1000).toFixed(1)} s`;
}

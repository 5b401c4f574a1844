import type { Prometheus } from '@sophia/metrics';
import type { Criterion } from '@sophia/phases';
import type { Observation } from '@sophia/records';
import type { Source } from './data-sources.ts';
import { observeClusterFile, observeHistory, observeLedger } from './observe-files.ts';
import { readRecordFiles } from './record-folder.ts';
import type { Places } from './workspace-files.ts';

/** Where a phase file says nothing of them. */
const TIMEOUT_MS = 30_000;
const RETRIES = 3;

/** How to reach a Prometheus server. */
type PrometheusAccess = {
  readonly address: string;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
};

/** The outside of a run's observations. */
export type ObservationEdges = {
  readonly places: Places;
  readonly connect: (access: PrometheusAccess) => Prometheus;
  readonly log: (line: string) => void;
  readonly now: () => number;
  readonly signal: AbortSignal;
};

/** Asks a criterion's question of its source, once however many criteria ask the same. */
export type Observer = (criterion: Criterion, source: Source | undefined) => Promise<Observation>;

export function createObserver(edges: ObservationEdges): Observer {
  const { places, now, signal } = edges;
  // All questions of a run are about one moment.
  const atMs = now();
  const readRecords = memoize((path: string) => readRecordFiles(path, places));
  const connections = new Map<string, Prometheus>();
  const answers = new Map<string, Promise<Observation>>();

  function connect(source: Source): Prometheus {
    const { address = '', timeout: timeoutMs = TIMEOUT_MS, retries = RETRIES, token } = source;
    const key = JSON.stringify([address, timeoutMs, retries, token]);
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const access = { address, timeoutMs, retries, headers, log: edges.log };
    const connection = connections.get(key) ?? edges.connect(access);
    connections.set(key, connection);
    return connection;
  }

  function ask({ question, baseline }: Criterion, source: Source): Promise<Observation> {
    switch (question.kind) {
      case 'query':
      case 'range':
      case 'ratio':
        return connect(source).observe(question, atMs, signal);
      case 'builds':
        return observeHistory(source, question, baseline, readRecords, places, now());
      case 'ledger':
        return observeLedger(source, baseline, places);
      case 'cluster':
        return observeClusterFile(source, question, places);
    }
  }

  return (criterion, source) => {
    if (source === undefined) {
      const message = `There is no data source "${criterion.source}".`;
      return Promise.resolve({ kind: 'absent', reason: 'missing', message });
    }
    const key = JSON.stringify([source, criterion.question, criterion.baseline]);
    const answer = answers.get(key) ?? ask(criterion, source);
    answers.set(key, answer);
    return answer;
  };
}

function memoize<T>(read: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (path) => {
    const reading = known.get(path) ?? read(path);
    known.set(path, reading);
    return reading;
  };
}

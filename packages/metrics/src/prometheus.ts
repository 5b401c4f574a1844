import type { Question } from '@sophia/phases';
import type { Observation } from '@sophia/records';

/** What Prometheus can be asked. */
export type PrometheusQuestion = Extract<Question, { readonly kind: 'query' | 'range' | 'ratio' }>;

/** A Prometheus server. Whatever goes wrong becomes an observation that says so: no call rejects but for the signal. */
export type Prometheus = {
  readonly observe: (
    question: PrometheusQuestion,
    atMs: number,
    signal: AbortSignal,
  ) => Promise<Observation>;
};

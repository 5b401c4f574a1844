export type { Prometheus, PrometheusQuestion } from './prometheus.ts';

export {
  createPrometheus,
  type Prometheus,
  type PrometheusOptions,
  type PrometheusQuestion,
} from './prometheus.ts';

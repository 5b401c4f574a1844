import * as z from 'zod/mini';
import { absentable } from './api-object.ts';

/** `spec.taints[]` of a Node. */
export type Taint = { readonly key: string; readonly value: string; readonly effect: string };

/** `spec.tolerations[]` of a Pod; `''` where the field is absent. */
export type Toleration = {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  readonly effect: string;
};

/** `unsure`: only a toleration decides whose operator is behind a feature gate of the cluster. */
export type Tolerance = 'tolerated' | 'untolerated' | 'unsure';

export const taintSchema = z.pipe(
  z.object({ key: z.string(), value: absentable(z.string()), effect: z.string() }),
  z.transform(({ key, value, effect }): Taint => ({ key, value: value ?? '', effect })),
);

const optionalText = absentable(z.string());

export const tolerationSchema = z.pipe(
  z.object({ key: optionalText, operator: optionalText, value: optionalText, effect: optionalText }),
  z.transform(
    ({ key, operator, value, effect }): Toleration => ({
      key: key ?? '',
      operator: operator ?? '',
      value: value ?? '',
      effect: effect ?? '',
    }),
  ),
);

/** What `spec.unschedulable`, set by `kubectl cordon`, counts as. */
export const CORDON_TAINT: Taint = {
  key: 'node.kubernetes.io/unschedulable',
  value: '',
  effect: 'NoSchedule',
};

/** Whether a taint keeps new Pods away. `PreferNoSchedule` only makes the scheduler look elsewhere first. */
export function isRepelling(taint: Taint): boolean {
  return taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';
}

/**
 * Whether a Pod may be placed on a node with this taint.
 *
 * `tolerationSeconds` plays no part: it ends a stay, it doesn't prevent one.
 *
 * @see `ToleratesTaint` in kubernetes/api `core/v1/toleration.go`
 */
export function judgeTaint(taint: Taint, tolerations: readonly Toleration[]): Tolerance {
  const candidates = tolerations.filter(
    ({ key, effect }) => (effect === '' || effect === taint.effect) && (key === '' || key === taint.key),
  );
  const matches = candidates.some(
    ({ operator, value }) =>
      operator === 'Exists' || ((operator === '' || operator === 'Equal') && value === taint.value),
  );
  if (matches) return 'tolerated';
  return candidates.some((candidate) => comparesTo(candidate, taint)) ? 'unsure' : 'untolerated';
}

/** `Gt` and `Lt`, which a cluster heeds only with its feature gate TaintTolerationComparisonOperators. */
function comparesTo({ operator, value }: Toleration, taint: Taint): boolean {
  const integer = /^-?(?:0|[1-9]\d{0,18})$/;
  if (!integer.test(value) || !integer.test(taint.value)) return false;
  if (operator === 'Gt') return BigInt(taint.value) > BigInt(value);
  return operator === 'Lt' && BigInt(taint.value) < BigInt(value);
}

/** `gpu=a100:NoSchedule`, as `kubectl taint` writes it. */
export function renderTaint({ key, value, effect }: Taint): string {
  return value === '' ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}

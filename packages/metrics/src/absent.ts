import type { Observation } from '@sophia/records';

/** An answer that isn't there, with the reason. */
export type Absent = Extract<Observation, { readonly kind: 'absent' }>;

export function absent(reason: Absent['reason'], message: string): Absent {
  return { kind: 'absent', reason, message };
}

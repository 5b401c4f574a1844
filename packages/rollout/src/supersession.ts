import type { Memory } from './memory.ts';
import type { ObservedRollout } from './rollout-assessment.ts';
import { writeCanonically } from './template.ts';
import { readWorkload, type Workload } from './workload.ts';

/**
 * Whether the Pod template is another than the one that was written. A generation alone says nothing: an autoscaler
 * that changes `replicas` raises it as well.
 */
export function findChange(
  { written, generation }: ObservedRollout,
  workload: Workload,
  memory: Memory,
): { readonly template: string; readonly isOthers: boolean } {
  const present = writeCanonically(workload.spec?.template);
  const ours = readWorkload(written);
  const known = ours === undefined ? memory.template : writeCanonically(ours.spec?.template);
  const isCurrent = (workload.metadata.generation ?? 0) >= generation;
  const isOthers =
    isCurrent &&
    known !== undefined &&
    known !== present &&
    hasOtherUidOrGeneration(workload, ours, generation);
  return { template: known ?? (isCurrent ? present : ''), isOthers };
}

function hasOtherUidOrGeneration(
  { metadata }: Workload,
  ours: Workload | undefined,
  generation: number,
): boolean {
  if (ours?.metadata.uid !== undefined && metadata.uid !== ours.metadata.uid) return true;
  return (metadata.generation ?? 0) > generation;
}

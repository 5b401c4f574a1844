import type { Refusal } from './cause.ts';
import { CAUSES } from './causes.ts';
import type { Finding } from './finding.ts';
import { writeLine } from './finding-text.ts';

/**
 * Turns a refusal of the API server into its finding.
 *
 * @param subject `Deployment inference/vllm`.
 * @returns undefined for what says nothing about the object: conflicts of `resourceVersion`, too many requests, server
 *   errors. The same request may succeed later.
 */
export function explainRefusal(refusal: Refusal, subject: string): Finding | undefined {
  for (const { code, inRefusal } of CAUSES) {
    const words = inRefusal?.(refusal);
    if (words === undefined) continue;
    return {
      code,
      class: 'refused',
      subject,
      message: writeLine(subject, words),
      details: words.details ?? [],
      nodes: [],
      container: undefined,
    };
  }
  return undefined;
}

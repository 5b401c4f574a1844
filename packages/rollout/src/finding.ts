import type { NodeVerdict } from '@sophia/scheduling';
import type { CauseCode } from './cause-code.ts';

/**
 * What stands in a rollout's way. `refused`: it can't work, found before anything was touched. `failed`: it is certain
 * that it won't. `suspected`: it looks so and isn't certain yet. `waiting`: a named reason that ends by itself.
 * `timeout`: the time allowed is over.
 */
export type FindingClass = 'refused' | 'failed' | 'suspected' | 'waiting' | 'timeout';

export type Finding = {
  readonly code: CauseCode;
  readonly class: FindingClass;
  /** `Deployment inference/vllm`. */
  readonly subject: string;
  /** One line of at most 200 characters: what is wrong, what was seen, the one change that would work. */
  readonly message: string;
  /** More of it, a line each: nodes and why not, the YAML to add, pods that are concerned. */
  readonly details: readonly string[];
  /** Where the cause lies with the nodes. */
  readonly nodes: readonly NodeVerdict[];
  /** Pod and container whose logs belong to the evidence. */
  readonly container:
    | {
        readonly namespace: string;
        readonly pod: string;
        readonly name: string;
        readonly isPrevious: boolean;
      }
    | undefined;
};

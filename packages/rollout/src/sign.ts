import type { NodeVerdict } from '@sophia/scheduling';
import type { Words } from './finding-text.ts';

/** How a sign becomes certain. */
export type Proof =
  /** No controller leaves this state and no retry mends it. */
  | { readonly kind: 'settled' }
  /** It must be seen for so long without a break. */
  | { readonly kind: 'lasting'; readonly forMs: number }
  /** It must have happened so often, and then still be so for two seconds. */
  | {
      readonly kind: 'repeated';
      readonly times: number;
      readonly needed: number;
      readonly nextLookMs?: number;
    }
  /** A time that the manifest grants. */
  | { readonly kind: 'budget'; readonly untilMs: number }
  /** Something known is going to end it; where that has a term, it is certain afterwards. */
  | { readonly kind: 'waiting'; readonly untilMs?: number }
  /** It looks so, and nothing but the end of all time allowed makes it certain. */
  | { readonly kind: 'open' };

/** A cause that shows. */
export type Sign = {
  readonly words: Words;
  readonly proof: Proof;
  /** It may be otherwise on another node, so that one Pod doesn't speak for the others. */
  readonly isNodeBound: boolean;
  /** Container whose logs belong to the evidence. */
  readonly container?: { readonly name: string; readonly isPrevious: boolean };
  /** Image about which the registry's word would tell more. */
  readonly askedImage?: string;
  readonly nodes?: readonly NodeVerdict[];
};

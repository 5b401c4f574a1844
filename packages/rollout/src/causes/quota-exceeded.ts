import type { Cause } from '../cause.ts';
import { findCreationFailure, proveExhausted } from '../creation-failure.ts';
import { list, shorten, type Words } from '../finding-text.ts';
import { isGpu } from '../resource-words.ts';
import { rollingOf, strategyOf, type Workload } from '../workload.ts';

/** The namespace may not have as much as the Pods ask for. */
export const quotaExceeded: Cause = {
  code: 'quota-exceeded',
  stage: 'admission',
  inWorkload: (view) => {
    const text = findCreationFailure(view);
    const excess = text === undefined ? undefined : readExcess(text);
    if (text === undefined || excess === undefined) return undefined;
    const words = sayExcess(excess, view.oldPods.length > 0 ? view.workload : undefined);
    return {
      words: { ...words, details: [...(words.details ?? []), shorten(text, 1_000)] },
      proof: proveExhausted(view),
      isNodeBound: false,
    };
  },
  inRefusal: ({ answer }) => {
    const excess = readExcess(answer);
    return excess === undefined ? undefined : sayExcess(excess, undefined);
  },
};

/** What of a quota is not enough. */
export type Excess = {
  readonly quota: string;
  readonly keys: readonly {
    readonly key: string;
    readonly asked: string;
    readonly used: string;
    readonly limited: string;
  }[];
};

/** Reads `exceeded quota: q, requested: a=1,b=2, used: a=0,b=0, limited: a=0,b=1`. */
export function readExcess(text: string): Excess | undefined {
  const match = /exceeded quota: ([^,\s]+), requested: (.+?), used: (.+?), limited: (.+?)(?:$|[;\n])/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, quota = '', asked = '', used = '', limited = ''] = match;
  const [usedBy, limitedBy] = [readAmounts(used), readAmounts(limited)];
  const keys = [...readAmounts(asked)].map(([key, amount]) => ({
    key,
    asked: amount,
    used: usedBy.get(key) ?? '?',
    limited: limitedBy.get(key) ?? '?',
  }));
  // What is about GPUs is what was meant to be scarce.
  return { quota, keys: keys.toSorted((left, right) => Number(isGpu(right.key)) - Number(isGpu(left.key))) };
}

function readAmounts(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(',').flatMap((part): readonly (readonly [string, string])[] => {
      const end = part.lastIndexOf('=');
      return end <= 0 ? [] : [[part.slice(0, end).trim(), part.slice(end + 1).trim()]];
    }),
  );
}

/** @param replaced The workload, where its old Pods hold some of the quota. */
function sayExcess({ quota, keys }: Excess, replaced: Workload | undefined): Words {
  const [first] = keys;
  const lines = keys.map(
    ({ key, asked, used, limited }) => `${key}: ${used} of ${limited} used, ${asked} more asked for`,
  );
  return {
    wrong: 'cannot have its Pods',
    seen: [
      first === undefined
        ? `quota ${quota} is exceeded`
        : `quota ${quota} allows ${first.limited} ${first.key}, ${first.used} are used and ${first.asked} more asked for`,
      ...(keys.length > 1 ? [`likewise ${list(keys.slice(1).map(({ key }) => key))}`] : []),
    ],
    fix: sayFix(quota, replaced),
    details: lines.map((line) => `Quota ${quota}: ${line}.`),
  };
}

function sayFix(quota: string, replaced: Workload | undefined): string {
  const raise = `Raise quota ${quota}`;
  if (replaced === undefined) return `${raise} or ask for less`;
  const strategy = strategyOf(replaced) ?? rollingOf(1, undefined, undefined);
  const isSurging = strategy.kind === 'rolling' && strategy.unavailable === 0;
  return isSurging ? `${raise}, or set maxSurge: 0 and maxUnavailable: 1` : raise;
}

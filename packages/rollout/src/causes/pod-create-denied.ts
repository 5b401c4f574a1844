import type { Cause } from '../cause.ts';
import { findCreationFailure } from '../creation-failure.ts';
import { shorten, type Words } from '../finding-text.ts';
import type { Proof } from '../sign.ts';
import { readExcess } from './quota-exceeded.ts';

/** The API server doesn't let the workload's Pods be made. */
export const podCreateDenied: Cause = {
  code: 'pod-create-denied',
  stage: 'admission',
  inWorkload: (view) => {
    const text = findCreationFailure(view);
    if (text === undefined || readExcess(text) !== undefined) return undefined;
    return {
      words: explainDenial(text) ?? {
        wrong: 'cannot have its Pods',
        seen: [shorten(withoutPrefix(text), 140)],
        fix: '',
        details: [shorten(text, 2_000)],
      },
      proof: prove(text),
      isNodeBound: false,
    };
  },
  inRefusal: ({ answer }) => explainDenial(answer),
};

/** Undefined where it isn't about a Pod. */
function explainDenial(text: string): Words | undefined {
  const details = [shorten(text, 2_000)];
  const wrong = 'cannot have its Pods';
  const security = /violates PodSecurity "([^"]+)": (.+)$/s.exec(text);
  if (security !== null) {
    const [, policy = '', what = ''] = security;
    const [first = ''] = what.split(' (');
    return {
      wrong,
      seen: [`Pod Security "${shorten(policy, 30)}" forbids ${shorten(first, 60)}`],
      fix: 'Set the securityContext fields that are named below',
      details,
    };
  }
  const range =
    /((?:maximum|minimum) [\w.-]+(?:\/\S+)? usage per \w+ is [^,\]]+(?:, but [^,\]]+)?|[\w.-]+ max limit to request ratio per \w+ is [^,\]]+(?:, but [^,\]]+)?)/i.exec(
      text,
    );
  if (range !== null) {
    return {
      wrong,
      seen: [`a LimitRange says: ${shorten(range[1] ?? '', 110)}`],
      fix: 'Set requests and limits within it',
      details,
    };
  }
  const account = /serviceaccount "([^"]+)" not found/i.exec(text);
  if (account !== null) {
    return { wrong, seen: [`ServiceAccount ${account[1]} is not there`], fix: 'Create it', details };
  }
  const priority = /no PriorityClass with name (\S+) was found/.exec(text);
  if (priority !== null) {
    return { wrong, seen: [`PriorityClass ${priority[1]} is not there`], fix: 'Create it', details };
  }
  const quota = /failed quota: ([^:\s]+): must specify (.+?)(?: for: (.+))?$/.exec(text);
  if (quota !== null) {
    return {
      wrong,
      seen: [`quota ${quota[1]} demands ${shorten(quota[2] ?? '', 80)} of every container`],
      fix: 'Set them',
      details,
    };
  }
  const runtime = /RuntimeClass "([^"]+)" not found/i.exec(text);
  if (runtime !== null) {
    return {
      wrong,
      seen: [`RuntimeClass ${runtime[1]} is not there`],
      fix: 'Create it, or remove runtimeClassName',
      details,
    };
  }
  return undefined;
}

function withoutPrefix(text: string): string {
  return text.replace(/^(?:Error creating: )?(?:pods "[^"]*" is )?/, '');
}

/** What is made in the same breath may be there a moment later; what a webhook can't say now it may say then. */
function prove(text: string): Proof {
  if (/failed calling webhook/i.test(text)) return { kind: 'lasting', forMs: 30_000 };
  if (/not found/i.test(text)) return { kind: 'lasting', forMs: 8_000 };
  return { kind: 'settled' };
}

import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** A webhook that must agree to the object can't be asked. */
export const admissionUnavailable: Cause = {
  code: 'admission-unavailable',
  stage: 'admission',
  inRefusal: ({ answer }) => {
    const call = /failed calling webhook "([^"]{1,253})"(?:: (.*))?/s.exec(answer);
    if (call !== null) {
      const [, name = '', why = ''] = call;
      return {
        wrong: 'is not admitted',
        seen: [`webhook ${shorten(name, 60)} can't be reached`, shorten(why, 90)],
        fix: 'See whether its service runs',
        details: [shorten(answer, 2_000)],
      };
    }
    const dry = /admission webhook "([^"]{1,253})" does not support dry run/.exec(answer);
    if (dry === null) return undefined;
    return {
      wrong: 'cannot be tried beforehand',
      seen: [`webhook ${shorten(dry[1] ?? '', 60)} does not support a dry run`],
      fix: 'Have it declare sideEffects: None or NoneOnDryRun',
    };
  },
};

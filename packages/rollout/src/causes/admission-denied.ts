import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** A webhook or a policy of the cluster says no. */
export const admissionDenied: Cause = {
  code: 'admission-denied',
  stage: 'admission',
  inRefusal: ({ answer }) => {
    const webhook =
      /admission webhook "([^"]{1,253})" denied the request(?:: (.*)| without explanation)/s.exec(answer);
    const policy =
      /ValidatingAdmissionPolicy '([^']{1,253})' with binding '[^']*' denied request: (.*)/s.exec(answer);
    const [, name, text = 'without saying why'] = webhook ?? policy ?? [];
    if (name === undefined) return undefined;
    return {
      wrong: 'is not admitted',
      seen: [`${webhook === null ? 'policy' : 'webhook'} ${shorten(name, 60)} says: ${shorten(text, 100)}`],
      fix: '',
      details: [shorten(answer, 2_000)],
    };
  },
};

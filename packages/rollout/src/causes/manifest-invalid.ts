import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** The API server can't take the object as it is written. */
export const manifestInvalid: Cause = {
  code: 'manifest-invalid',
  stage: 'admission',
  inRefusal: ({ status, reason, answer, causes }) => {
    const isWritten =
      /failed to create typed patch object|strict decoding error|field not declared in schema/;
    const isMeant = status === 422 || status === 400 || reason === 'Invalid' || isWritten.test(answer);
    if (!isMeant) return undefined;
    const [first, ...others] = causes;
    const undeclared = /(\.[\w.[\]"=/-]+): field not declared in schema/.exec(answer)?.[1];
    const seen =
      first !== undefined
        ? `${first.field}: ${shorten(first.message, 100)}`
        : undeclared === undefined
          ? shorten(answer, 120)
          : `${undeclared.replace(/^\./, '')} is no field of its kind`;
    return {
      wrong: 'is invalid',
      seen: [seen, ...(others.length === 0 ? [] : [`and ${others.length} more`])],
      fix: 'Correct the manifest',
      details: [
        ...causes.map(({ field, message }) => `${field}: ${shorten(message, 500)}`),
        ...(causes.length === 0 ? [shorten(answer, 2_000)] : []),
      ],
    };
  },
};

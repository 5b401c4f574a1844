import type { Cause } from '../cause.ts';
import { shorten } from '../finding-text.ts';

/** The API server can't take the object as it is written. */
export const manifestInvalid: Cause = {
  code: 'manifest-invalid',
  stage: 'admission',
  inRefusal: ({ status, reason, answer, causes }) => {
    const isWritten =
      /failed to create typed patch object|failed to convert new object|strict decoding error/;
    const isMeant = status === 422 || status === 400 || reason === 'Invalid' || isWritten.test(answer);
    if (!isMeant) return undefined;
    const [first, ...others] = causes;
    const typed = /: \.([\w.[\]"=/-]+): (.+)$/s.exec(answer);
    const seen =
      first !== undefined && first.field !== ''
        ? `${first.field}: ${shorten(first.message, 100)}`
        : typed === null
          ? shorten(withoutPreamble(answer), 120)
          : `${typed[1]}: ${shorten(typed[2] ?? '', 100)}`;
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

function withoutPreamble(answer: string): string {
  return answer.replace(/^failed to convert new object .*?: unable to convert [^:]*: /, '');
}

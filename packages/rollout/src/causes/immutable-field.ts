import type { Cause } from '../cause.ts';
import { list } from '../finding-text.ts';

/** A field that is set once would be changed. */
export const immutableField: Cause = {
  code: 'immutable-field',
  stage: 'admission',
  inRefusal: ({ answer, causes }) => {
    if (!pattern.test(answer)) return undefined;
    const fields = causes.filter(({ message }) => pattern.test(message)).map(({ field }) => field);
    return {
      wrong: 'is refused',
      seen: [
        fields.length === 0
          ? 'a field would change that can only be set once'
          : `${list(fields)} can only be set once`,
      ],
      fix: 'Keep the old value, or delete the object first',
    };
  },
};

const pattern =
  /field is immutable|updates to statefulset spec for fields other than|may not be changed once set/i;

import type { Cause } from '../cause.ts';
import { list, shorten } from '../finding-text.ts';

/** Another manager owns fields that would be changed. */
export const fieldConflict: Cause = {
  code: 'field-conflict',
  stage: 'admission',
  inRefusal: ({ status, causes }) => {
    const conflicts = causes.filter(({ reason }) => reason === 'FieldManagerConflict');
    const [first] = conflicts;
    // A conflict without causes is one of resourceVersion: the same request may succeed at once.
    if (status !== 409 || first === undefined) return undefined;
    const manager = /conflict with "([^"]+)"/.exec(first.message)?.[1] ?? 'another manager';
    const fields = conflicts.map(({ field }) => field.replace(/^\./, ''));
    return {
      wrong: 'is refused',
      seen: [`${shorten(manager, 50)} owns ${list(fields, 2)}`],
      fix: 'Leave these fields out of the manifest, or have their manager give them up',
      details: conflicts.map(({ field, message }) => `${field}: ${shorten(message, 300)}`),
    };
  },
};

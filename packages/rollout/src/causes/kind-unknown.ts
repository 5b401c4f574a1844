import type { Cause } from '../cause.ts';

/** The cluster serves no such kind. */
export const kindUnknown: Cause = {
  code: 'kind-unknown',
  stage: 'admission',
  inRefusal: ({ status, answer }) => {
    const match = /no matches for kind "([^"]+)" in version "([^"]+)"/.exec(answer);
    const isMeant =
      match !== null ||
      (status === 404 && /could not find the requested resource|404 page not found/.test(answer));
    if (!isMeant) return undefined;
    return {
      wrong: 'is refused',
      seen: [
        match === null
          ? 'the cluster serves no such kind'
          : `the cluster serves no ${match[1]} of ${match[2]}`,
      ],
      fix: 'Install its custom resource definition, or correct apiVersion and kind',
    };
  },
};

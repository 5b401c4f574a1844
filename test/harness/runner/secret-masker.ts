/** Replaces secrets in everything the runner shows. */
export interface SecretMasker {
  /** Adds a value, each of its lines, and the encodings in which a tool is likely to print it. */
  readonly add: (value: string) => void;
  readonly mask: (text: string) => string;
  /** The values given to {@link add}, in order, for tests that look for them in a log. */
  readonly values: () => readonly string[];
}

// Base64 of a value inside a longer text depends on where it starts: three shifts cover every position.
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((shift) => {
    if (bytes.length <= shift + 3) return shift === 0 ? [bytes.toString('base64')] : [];
    const encoded = bytes.subarray(shift).toString('base64');
    const certain = Math.floor((bytes.length - shift) / 3) * 4;
    return shift === 0 ? [encoded, encoded.slice(0, certain)] : [encoded.slice(0, certain)];
  });
}

function encodings(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  return [value, ...base64Forms(value), json, encodeURIComponent(value)];
}

/**
 * Creates the masker of one job. As in the runner's `SecretMasker`, a one-character secret is masked
 * too and then mangles the whole log: that is what a user would see.
 */
export function createSecretMasker(): SecretMasker {
  const given: string[] = [];
  const needles = new Set<string>();
  return {
    add(value) {
      if (value.trim() === '') return;
      given.push(value);
      for (const part of [value, ...value.split(/[\r\n]+/u)]) {
        if (part.trim() === '') continue;
        for (const form of encodings(part)) needles.add(form);
      }
    },
    mask(text) {
      let masked = text;
      // The longest first, so that a secret holding another one leaves no rest behind.
      for (const needle of [...needles].sort((a, b) => b.length - a.length)) {
        if (needle !== '') masked = masked.replaceAll(needle, '***');
      }
      return masked;
    },
    values: () => given,
  };
}

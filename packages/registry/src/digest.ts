import { createHash } from 'node:crypto';

/** Hex digits of a digest, by its algorithm: those which go-digest, and so Docker and BuildKit, know. */
const HEX_DIGITS = { sha256: 64, sha384: 96, sha512: 128 } as const;

/** A hash algorithm of the OCI image specification's descriptors. */
export type DigestAlgorithm = keyof typeof HEX_DIGITS;

/** A content address, `sha256:<64 lower-case hex digits>` (sha384 and sha512 are rare, but valid). */
export type Digest = `${DigestAlgorithm}:${string}`;

function isKnownAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(HEX_DIGITS, text);
}

/** Says what is wrong with `text` as a digest, in words that follow "has a digest that"; undefined: nothing. */
export function findDigestProblem(text: string): string | undefined {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, Math.max(0, colon));
  const hex = text.slice(colon + 1);
  if (colon === -1 || !/^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*$/.test(algorithm)) {
    return 'has no algorithm before it';
  }
  if (!isKnownAlgorithm(algorithm)) return 'has an unknown algorithm';
  if (!/^[a-f0-9]*$/.test(hex)) return 'holds something other than lower-case hex digits';
  if (hex.length !== HEX_DIGITS[algorithm]) {
    return `has ${hex.length} hex digits where ${algorithm} has ${HEX_DIGITS[algorithm]}`;
  }
  return undefined;
}

/** Whether `text` is a well-formed digest of a known algorithm. */
export function isDigest(text: string): text is Digest {
  return findDigestProblem(text) === undefined;
}

/** The algorithm of a digest. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  const algorithm = digest.slice(0, digest.indexOf(':'));
  return isKnownAlgorithm(algorithm) ? algorithm : 'sha256';
}

/** The digest of bytes. */
export function computeDigest(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Whether the bytes are those the digest stands for. */
export function matchesDigest(bytes: Uint8Array, digest: Digest): boolean {
  return computeDigest(bytes, algorithmOf(digest)) === digest;
}

/** The algorithm and the first 12 hex digits, as Docker shows an id. */
export function shortenDigest(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':') + 13);
}

/** One whole unit (a core, a byte, a GPU) of a quantity, in its nano-units. */
export const NANOS_PER_UNIT = 1_000_000_000n;

const nanosPerMilli = 1_000_000n;

/** The API server keeps values in 64 bits and wraps silently beyond them. */
const largestUnits = 2n ** 63n - 1n;

/** No quantity that fits 64 bits is longer; bounds the work on hostile text. */
const longestText = 100;

const decimalExponents: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const binaryFactors: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};

const grammar = /^([+-]?)(\d*)(?:\.(\d*))?([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d+)$/;

/** Text that is no Kubernetes quantity. The message says what it is and what is accepted. */
export class InvalidQuantityError extends Error {
  override name = 'InvalidQuantityError';
}

/**
 * Reads a Kubernetes resource quantity: `500m`, `1.5Gi`, `2`, `1e3`.
 *
 * Parts below a billionth are rounded away from zero, as the API server does. Text without a digit (`.`, `E`) is 0
 * there and here. `128m` of memory is valid and a tenth of a byte: see {@link isMilliBytes}.
 *
 * @param value Text, or the number that YAML made of it.
 * @returns Nano-units, exact; 2 cores are 2,000,000,000.
 * @throws {InvalidQuantityError} Not a quantity, or more than 2⁶³−1 units.
 * @see `ParseQuantity` in kubernetes/apimachinery `pkg/api/resource/quantity.go`
 */
export function parseQuantity(value: string | number): bigint {
  const text = String(value);
  const match = text === '' || text.length > longestText ? null : grammar.exec(text);
  if (match === null) {
    throw new InvalidQuantityError(
      `Quantity ${quote(text)} can't be read: expected a number with one of the suffixes n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, such as 500m or 1.5Gi.`,
    );
  }
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  const magnitude = scale(BigInt(`0${whole}${fraction}`), fraction.length, suffix);
  if (magnitude === undefined || magnitude > largestUnits * NANOS_PER_UNIT) {
    throw new InvalidQuantityError(`Quantity ${quote(text)} is too large: expected at most ${largestUnits}.`);
  }
  return sign === '-' ? -magnitude : magnitude;
}

/** Digits with `decimals` of them behind the point, times the suffix, in nano-units; undefined far above any limit. */
function scale(digits: bigint, decimals: number, suffix: string): bigint | undefined {
  if (digits === 0n) return 0n;
  const factor = binaryFactors[suffix];
  if (factor !== undefined) return divideUp(digits * factor * NANOS_PER_UNIT, 10n ** BigInt(decimals));
  const exponent = (decimalExponents[suffix] ?? Number(suffix.slice(1))) + 9 - decimals;
  if (exponent > longestText) return undefined;
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  return exponent < -2 * longestText ? 1n : divideUp(digits, 10n ** BigInt(-exponent));
}

function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor > 0n ? quotient + 1n : quotient;
}

/**
 * Rounds up to what the scheduler compares in: thousandths of a core for `cpu`, whole units for all else.
 *
 * @param resource `cpu`, `memory`, `nvidia.com/gpu`, …
 * @param nanos Nano-units.
 * @returns Nano-units, a multiple of a thousandth or of one.
 */
export function roundUpForScheduler(resource: string, nanos: bigint): bigint {
  const step = resource === 'cpu' ? nanosPerMilli : NANOS_PER_UNIT;
  return divideUp(nanos, step) * step;
}

/**
 * Writes an amount in the spelling of manifests, exactly: `1500m` and `2` for `cpu`, `80Gi` for bytes, else digits.
 *
 * @param resource Decides the units.
 * @param nanos Nano-units.
 */
export function formatQuantity(resource: string, nanos: bigint): string {
  const rounded = roundUpForScheduler(resource, nanos);
  if (resource === 'cpu' && rounded % NANOS_PER_UNIT !== 0n) return `${rounded / nanosPerMilli}m`;
  const units = rounded / NANOS_PER_UNIT;
  if (units === 0n || !isBytes(resource)) return String(units);
  const [suffix, factor] =
    Object.entries(binaryFactors).findLast(([, candidate]) => units % candidate === 0n) ??
    (['', 1n] as const);
  return `${units / factor}${suffix}`;
}

/**
 * Whether an amount of bytes has a part of a byte: nearly always `128m` written for `128M` or `128Mi`.
 *
 * @param resource Only `memory`, `ephemeral-storage` and `hugepages-…` count bytes.
 * @param nanos Nano-units as {@link parseQuantity} gave them.
 */
export function isMilliBytes(resource: string, nanos: bigint): boolean {
  return isBytes(resource) && nanos % NANOS_PER_UNIT !== 0n;
}

function isBytes(resource: string): boolean {
  return resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-');
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/**
 * Finds where a rising function reaches a value, by bisection to the last bit that still moves.
 *
 * @param low, high An interval that holds the answer.
 */
export function invertRising(
  rising: (x: number) => number,
  value: number,
  low: number,
  high: number,
): number {
  let lower = low;
  let upper = high;
  for (let step = 0; step < 200; step += 1) {
    const middle = (lower + upper) / 2;
    if (middle === lower || middle === upper) break;
    if (rising(middle) < value) lower = middle;
    else upper = middle;
  }
  return (lower + upper) / 2;
}

/**
 * ln Γ(x) for x > 0: Stirling's series after the recurrence has moved x beyond 15, where the first term left out
 * is below 1e-15.
 *
 * @see NIST DLMF 5.11.1 and 5.5.1
 */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  while (z < 15) {
    shift -= Math.log(z);
    z += 1;
  }
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z;
  return shift + (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}

/** The continued fraction of the incomplete beta function by Lentz's method; converges for x < (a+1)/(a+b+2). */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const awayFromZero = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 10_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

/**
 * The regularised incomplete beta function I_x(a, b), the distribution function of Beta(a, b).
 *
 * @see NIST DLMF 8.17.22
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  const front = Math.exp(logFront);
  return x < (a + 1) / (a + b + 2)
    ? (front * betaFraction(x, a, b)) / a
    : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

/** The value below which a share `probability` (0 to 1) of Beta(a, b) lies. */
export function betaQuantile(probability: number, a: number, b: number): number {
  return invertRising((x) => incompleteBeta(x, a, b), probability, 0, 1);
}

/**
 * The value below which a share `probability` (0 < p < 1) of Student's t with `degrees` degrees of freedom lies.
 * From `x = degrees / (degrees + t²)`, which is Beta(degrees/2, 1/2).
 */
export function studentTQuantile(probability: number, degrees: number): number {
  if (probability === 0.5) return 0;
  if (probability < 0.5) return -studentTQuantile(1 - probability, degrees);
  const tail = (t: number) => 0.5 * incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
  return invertRising((t) => 1 - tail(t), probability, 0, 1e6);
}

/**
 * The value below which a share `probability` (0 < p < 1) of the standard normal distribution lies.
 *
 * @see NIST DLMF 7.6.2, the series of erf whose terms are all positive
 */
export function normalQuantile(probability: number): number {
  if (probability < 0.5) return -normalQuantile(1 - probability);
  const aboveHalf = (z: number) => {
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 1e-17; n += 1) {
      term *= (z * z) / (2 * n + 1);
      sum += term;
    }
    return (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
  };
  return invertRising(aboveHalf, probability - 0.5, 0, 9);
}

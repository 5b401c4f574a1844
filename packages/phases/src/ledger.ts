/** A line of a cost ledger; `partOf` names the line that its money is already in. */
export type LedgerLine = {
  readonly id: string;
  readonly usdPerMonth: string;
  readonly partOf?: string | undefined;
};

/** The sum of some lines, in pico-dollars: once as if none was part of another, once with none counted twice. */
export type LedgerSum = {
  readonly claimedPico: bigint;
  readonly netPico: bigint;
  /** The lines left out of the net sum, each with the line that holds its money. */
  readonly overlaps: readonly { readonly id: string; readonly within: string }[];
};

const PICO_DIGITS = 12;

/** Decimal text such as `928.80` ▶ pico-dollars; undefined for anything else, more than 12 decimals among it. */
function parseDollars(text: string): bigint | undefined {
  const [, whole, fraction = ''] = /^(\d{1,12})(?:\.(\d{1,12}))?$/.exec(text) ?? [];
  return whole === undefined ? undefined : BigInt(whole + fraction.padEnd(PICO_DIGITS, '0'));
}

/**
 * Sums ledger lines both as a plan may claim them and net of overlap: a line inside another line of the same sum,
 * through however many lines between, is counted once.
 *
 * @param ids The lines to sum, each of which must exist once.
 * @returns The sum, or one sentence on what in the ledger makes a sum impossible.
 */
export function sumLedger(
  lines: readonly LedgerLine[],
  ids: readonly string[],
): LedgerSum | { readonly problem: string } {
  const byId = new Map(lines.map((line) => [line.id, line]));
  if (byId.size !== lines.length) return { problem: 'a line is there twice' };
  const scope = new Set(ids);
  let claimedPico = 0n;
  let netPico = 0n;
  const overlaps: { id: string; within: string }[] = [];
  for (const id of scope) {
    const line = byId.get(id);
    const amount = line === undefined ? undefined : parseDollars(line.usdPerMonth);
    if (line === undefined) return { problem: `there is no line "${id}"` };
    if (amount === undefined) return { problem: `line "${id}" has no amount of dollars` };
    const within = findHolder(line, byId, scope);
    if (within === 'circle') return { problem: `line "${id}" is part of itself` };
    claimedPico += amount;
    if (within === undefined) netPico += amount;
    else overlaps.push({ id, within: within.id });
  }
  return { claimedPico, netPico, overlaps };
}

function findHolder(
  line: LedgerLine,
  byId: ReadonlyMap<string, LedgerLine>,
  scope: ReadonlySet<string>,
): LedgerLine | 'circle' | undefined {
  const seen = new Set([line.id]);
  let holder = line.partOf === undefined ? undefined : byId.get(line.partOf);
  while (holder !== undefined) {
    if (seen.has(holder.id)) return 'circle';
    if (scope.has(holder.id)) return holder;
    seen.add(holder.id);
    holder = holder.partOf === undefined ? undefined : byId.get(holder.partOf);
  }
  return undefined;
}

/** The quotient of two sums to 12 digits. The divisor must be above 0. */
export function divideDollars(dividend: bigint, divisor: bigint): number {
  return Number((dividend * 10n ** 12n) / divisor) / 1e12;
}

/** Pico-dollars ▶ `3,677.60`, for people. */
export function formatDollars(pico: bigint): string {
  const cents = (pico + 5n * 10n ** 9n) / 10n ** 10n;
  const whole = (cents / 100n).toString().replace(/\B(?=(?:\d{3})+$)/g, ',');
  return `${whole}.${(cents % 100n).toString().padStart(2, '0')}`;
}

import type { Observation } from '@sophia/records';
import * as z from 'zod/mini';
import { type PhaseFileProblem, readPhaseYaml } from './phase-yaml.ts';
import { readPart } from './read-part.ts';

type LedgerObservation = Extract<Observation, { kind: 'ledger' }>;

/** What a ledger file holds, without the moment and the baseline that make it an observation. */
export type Ledger = {
  readonly asOfMs: number;
  readonly lines: LedgerObservation['lines'];
  readonly usage: LedgerObservation['usage'];
};

const text = z.string().check(
  z.refine((value) => value.trim() !== '' && value.length <= 200, {
    error: 'a text of 1 to 200 characters',
  }),
);
const tokens = z
  .number()
  .check(
    z.refine((value) => Number.isSafeInteger(value) && value >= 0, { error: 'a whole number of tokens' }),
  );

const ledgerSchema = z.strictObject({
  asOf: z.string().check(
    z.refine(
      (value) =>
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value) && !Number.isNaN(Date.parse(value)),
      {
        error: 'a time in UTC such as "2026-12-01T00:00:00Z"',
      },
    ),
  ),
  lines: z
    .array(
      z.strictObject({
        id: text,
        usdPerMonth: z.string().check(
          z.refine((value) => /^\d{1,12}(?:\.\d{1,12})?$/.test(value), {
            error: 'dollars as text, such as "928.80"',
          }),
        ),
        partOf: z.optional(text),
      }),
    )
    .check(z.minLength(1)),
  usage: z.optional(z.array(z.strictObject({ model: text, servedTokens: tokens, billedTokens: tokens }))),
});

/**
 * Reads a cost ledger, as JSON or YAML: lines of dollars a month, each with the line it is part of if its money is in
 * that one too, and the tokens served and billed for each model. All problems at once, with line and column.
 */
export function readLedger(
  content: string,
):
  | { readonly kind: 'ledger'; readonly ledger: Ledger }
  | { readonly kind: 'problems'; readonly problems: readonly PhaseFileProblem[] } {
  const yaml = readPhaseYaml(content);
  if (yaml.kind === 'problems') return yaml;
  const { document } = yaml;
  const problems: PhaseFileProblem[] = [];
  const ledger = readPart(document, [], ledgerSchema, problems);
  const ids = (ledger?.lines ?? []).map(({ id }) => id);
  for (const [index, { id, partOf }] of (ledger?.lines ?? []).entries()) {
    if (ids.indexOf(id) !== index) {
      problems.push(
        document.problemAt(
          ['lines', index, 'id'],
          `lines[${index}].id is "${id}", as that of another: expected each once.`,
        ),
      );
    }
    if (partOf !== undefined && !ids.includes(partOf)) {
      problems.push(
        document.problemAt(
          ['lines', index, 'partOf'],
          `lines[${index}].partOf is "${partOf}": expected the id of a line.`,
        ),
      );
    }
  }
  if (ledger === undefined || problems.length > 0) return { kind: 'problems', problems };
  return {
    kind: 'ledger',
    ledger: { asOfMs: Date.parse(ledger.asOf), lines: ledger.lines, usage: ledger.usage },
  };
}

import { type Environment, InputError, parseDuration, quoteValue, readInputs } from '@sophia/action';
import { inputTable } from './inputs.generated.ts';
import type { PhaseInputs } from './inputs.ts';

/** Where a window starts: at a moment, or some time before the run. */
export type Since =
  | { readonly kind: 'moment'; readonly epochMs: number }
  | { readonly kind: 'back'; readonly durationMs: number };

/** The inputs of one run, checked as far as they can be without the phase file. */
export type ValidateInputs = {
  /** Path of the phase file as the user sees it, from the workspace. */
  readonly phaseFile: string;
  /** By the name of a data source: an http(s) address, or a path. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly since: Since | undefined;
  readonly missing: 'fail' | 'inconclusive' | undefined;
  /** Undefined for the default name. */
  readonly checkName: string | undefined;
  readonly isEnforced: boolean;
  readonly githubToken: string;
};

const MAX_CHECK_NAME_CHARACTERS = 100;

/**
 * Reads and checks every input.
 *
 * @throws {InputError} The first one that is wrong; no password in an address is ever in its text.
 */
export function parseInputs(environment: Environment): ValidateInputs {
  const inputs: PhaseInputs = readInputs(inputTable, environment);
  return {
    phaseFile: parsePhase(inputs.phase),
    addresses: parseAddresses(inputs['data-sources']),
    since: inputs.since === '' ? undefined : parseSince(inputs.since),
    missing: inputs['on-missing'] || undefined,
    checkName: parseCheckName(inputs['check-name']),
    isEnforced: !inputs['dry-run'],
    githubToken: inputs['github-token'],
  };
}

function parsePhase(text: string): string {
  if (/^\d{1,4}$/.test(text)) return `phases/phase-${Number(text)}.yml`;
  if (/\.ya?ml$/i.test(text) && !/\p{Cc}/u.test(text)) return text;
  const [, number] = /^phases?[ /-]*(?:phase[ -]*)?(\d{1,4})$/i.exec(text) ?? [];
  const hint = number === undefined ? '' : ` Did you mean "${number}"?`;
  throw new InputError(
    `Input "phase" is ${quoteValue(text)}: expected a number such as 1, or the path of a .yml file.${hint}`,
  );
}

function parseAddresses(items: readonly string[]): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  for (const [index, item] of items.entries()) {
    const subject = items.length > 1 ? `Input "data-sources", item ${index + 1},` : 'Input "data-sources"';
    const [, name, address = ''] = /^([a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)\s*=\s*(.+)$/.exec(item) ?? [];
    if (name === undefined) {
      // What stands there may be an address with a password in it.
      const shown = item.includes('@') ? 'not usable' : quoteValue(item);
      throw new InputError(
        `${subject} is ${shown}: expected name=address, such as prom=https://prometheus.example.`,
      );
    }
    if (addresses.has(name)) {
      throw new InputError(`${subject} names "${name}" a second time: expected each name once. Remove one.`);
    }
    addresses.set(name, parseAddress(subject, name, address));
  }
  return addresses;
}

function parseAddress(subject: string, name: string, text: string): string {
  const isPath = !/^[a-z][a-z0-9+.-]*:/i.test(text);
  if (isPath && !/\p{Cc}/u.test(text)) return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.username !== '' || url.password !== '')) {
    throw new InputError(
      `${subject} has a user name in the address of "${name}": expected none. Put a token into ${tokenVariable(name)}.`,
    );
  }
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol);
  if (!isWeb || url.search !== '' || url.hash !== '' || /[\s\p{Cc}]/u.test(text)) {
    const shown = text.includes('@') || text.includes('?') ? 'not usable' : quoteValue(text);
    throw new InputError(
      `${subject} gives "${name}" an address that is ${shown}: expected http:// or https:// without "?", or a path.`,
    );
  }
  return text;
}

/** The environment variable that holds a source's bearer token. */
export function tokenVariable(sourceName: string): string {
  return `SOPHIA_TOKEN_${sourceName.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}

function parseSince(text: string): Since {
  const isMoment = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const epochMs = isMoment ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(epochMs)) return { kind: 'moment', epochMs };
  if (/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(text)) {
    return { kind: 'back', durationMs: parseDuration('since', text) };
  }
  throw new InputError(
    `Input "since" is ${quoteValue(text)}: expected a time such as 2026-12-01T00:00:00Z, or how long ago such as 14d.`,
  );
}

function parseCheckName(text: string): string | undefined {
  if (text === '') return undefined;
  if (text.length <= MAX_CHECK_NAME_CHARACTERS && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text)) return text;
  throw new InputError(
    `Input "check-name" is ${quoteValue(text)}: expected one line of at most ${MAX_CHECK_NAME_CHARACTERS} characters.`,
  );
}

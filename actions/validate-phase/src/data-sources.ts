import { type Environment, findNearest, InputError, quoteValue, type Runner } from '@sophia/action';
import type { DataSource } from '@sophia/phases';
import type { PhaseEvidence } from '@sophia/records';
import { tokenVariable } from './parse-inputs.ts';

/** A data source of a phase file as this run asks it. */
export type Source = Pick<DataSource, 'name' | 'kind' | 'timeout' | 'retries' | 'ref'> & {
  /** Of Prometheus. */
  readonly address: string | undefined;
  /** Of the other kinds. */
  readonly path: string | undefined;
  readonly token: string | undefined;
};

/** Bearer tokens by the name of the source. */
export type Tokens = ReadonlyMap<string, string>;

/**
 * Reads the tokens of the named sources from the environment, and hides each in the log from here on.
 *
 * @throws {InputError} A token is none that a header can carry. It isn't repeated.
 */
export function readTokens(
  names: Iterable<string>,
  environment: Environment,
  runner: Pick<Runner<never>, 'mask'>,
): Tokens {
  const tokens = new Map<string, string>();
  for (const name of names) {
    const variable = tokenVariable(name);
    const token = (environment[variable] ?? '').trim();
    if (token === '') continue;
    runner.mask(token);
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new InputError(
        `Environment variable ${variable} is no token: expected characters that can be seen, without blanks.`,
      );
    }
    tokens.set(name, token);
  }
  return tokens;
}

/**
 * Fails where the input "data-sources" names none of the phase files' sources, or gives one what its kind can't take.
 *
 * @throws {InputError}
 */
export function checkAddresses(
  addresses: ReadonlyMap<string, string>,
  sources: readonly Pick<DataSource, 'name' | 'kind'>[],
): void {
  const names = [...new Set(sources.map(({ name }) => name))];
  for (const [name, address] of addresses) {
    const source = sources.find((each) => each.name === name);
    if (source === undefined) {
      const nearest = findNearest(name, names);
      const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
      throw new InputError(
        `Input "data-sources" names ${quoteValue(name)}: expected a data source of the phase file, ${list(names)}.${hint}`,
      );
    }
    const isWeb = /^https?:/i.test(address);
    if (isWeb !== (source.kind === 'prometheus')) {
      const expected = isWeb ? 'a path' : 'an address such as https://prometheus.example';
      throw new InputError(
        `Input "data-sources" gives "${name}" ${isWeb ? 'an address' : 'a path'}: expected ${expected}, because it is of kind "${source.kind}".`,
      );
    }
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 4).map((name) => `"${name}"`);
  return names.length > 4 ? `${shown.join(', ')} or another` : shown.join(', ');
}

/**
 * The sources of a phase file with this run's addresses and tokens.
 *
 * @param trusted The sources that a change can't have pointed elsewhere. A token goes to them alone, or to an address
 * that the workflow itself gives.
 */
export function resolveSources(
  sources: readonly DataSource[],
  trusted: readonly DataSource[],
  addresses: ReadonlyMap<string, string>,
  tokens: Tokens,
): ReadonlyMap<string, Source> {
  return new Map(
    sources.map(({ name, kind, address, path, timeout, retries, ref }) => {
      const given = addresses.get(name);
      const isTrusted =
        given !== undefined || trusted.some((each) => each.name === name && each.address === address);
      const source: Source = {
        name,
        kind,
        address: kind === 'prometheus' ? (given ?? address) : undefined,
        path: kind === 'prometheus' ? undefined : (given ?? path),
        token: kind === 'prometheus' && isTrusted ? tokens.get(name) : undefined,
        timeout,
        retries,
        ref,
      };
      return [name, source];
    }),
  );
}

/** Whom a phase was asked of, as evidence has it. */
export function describeSources(sources: ReadonlyMap<string, Source>): PhaseEvidence['sources'] {
  return [...sources.values()].map(({ name, kind, address, path, ref }) => ({
    name,
    kind,
    // What follows "?" may be a key.
    asked: address?.replace(/[?#].*$/s, '') ?? path ?? ref ?? '',
  }));
}

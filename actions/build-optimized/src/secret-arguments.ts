import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildFacts } from './build-arguments.ts';
import type { BuildInputs } from './inputs.ts';

type SecretArguments = { readonly secrets: BuildFacts['secrets']; readonly warnings: readonly string[] };

/** `id=value` cut in two; undefined where either is empty. */
type SecretPair = { readonly id: string; readonly value: string } | undefined;

/**
 * Makes every secret ready for buildx: values go into files only this user can read, so that no value is ever an
 * argument. One that can't be resolved is left out with a warning, as `docker/build-push-action` does; the
 * warning names its place and never its value.
 *
 * @param folder A private folder; the caller removes it.
 * @param gitTokenId ID of the secret that holds the Git token, where one is needed.
 */
export function toSecretArguments(
  inputs: BuildInputs,
  folder: string,
  gitTokenId: string | undefined,
): SecretArguments {
  const warnings: string[] = [];
  let filesWritten = 0;
  const toFile = (id: string, value: string) => {
    filesWritten += 1;
    const file = join(folder, `secret-${filesWritten}`);
    writeFileSync(file, value, { mode: 0o600, flag: 'wx' });
    return renderSecret(`id=${id}`, `src=${file}`);
  };
  const pairsOf = (input: 'secrets' | 'secret-envs' | 'secret-files') =>
    inputs[input].flatMap((item, index) => {
      const pair = cutSecret(item);
      if (pair !== undefined) return [pair];
      warnings.push(
        `Input "${input}", item ${index + 1}, is not id=value with both parts filled. The secret is left out.`,
      );
      return [];
    });
  const isThere = ({ id, value }: NonNullable<SecretPair>) => {
    if (existsSync(value)) return true;
    warnings.push(`Secret "${id}" names the file "${value}", which does not exist. The secret is left out.`);
    return false;
  };
  const secrets = {
    fromEnvironment: pairsOf('secret-envs').map(({ id, value }) => renderSecret(`id=${id}`, `env=${value}`)),
    fromValues: pairsOf('secrets').map(({ id, value }) => toFile(id, value)),
    fromFiles: pairsOf('secret-files')
      .filter(isThere)
      .map(({ id, value }) => renderSecret(`id=${id}`, `src=${value}`)),
    gitToken: gitTokenId === undefined ? undefined : toFile(gitTokenId, inputs['github-token']),
  };
  return { secrets, warnings };
}

/** Every value that must be hidden in the log. */
export function findSecretValues(inputs: BuildInputs): readonly string[] {
  const values = inputs.secrets.map((item) => cutSecret(item)?.value ?? item);
  return [...values, inputs['github-token']].filter((value) => value !== '');
}

/** Names of every secret, for the record. */
export function findSecretIds(inputs: BuildInputs): readonly string[] {
  return [...inputs.secrets, ...inputs['secret-envs'], ...inputs['secret-files']].flatMap((item) => {
    const pair = cutSecret(item);
    return pair === undefined ? [] : [pair.id];
  });
}

function cutSecret(item: string): SecretPair {
  const equals = item.indexOf('=');
  const [id, value] = [item.slice(0, equals), item.slice(equals + 1)];
  return equals > 0 && value !== '' ? { id, value } : undefined;
}

/** buildx reads `--secret` as CSV. */
function renderSecret(...fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

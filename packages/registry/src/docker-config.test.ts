import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from './credential-helper.ts';
import { type Credentials, createCredentialFinder } from './docker-config.ts';
import { RegistryError } from './registry-error.ts';

const signal = new AbortController().signal;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'docker-config-'));
  await writeHelper(
    'keeper',
    'read -r server; echo "$server" >>"$0.log"\necho \'{"ServerURL":"x","Username":"ann","Secret":"pw:1"}\'',
  );
  await writeHelper('token', 'cat >/dev/null; echo \'{"Username":"<token>","Secret":"refresh"}\'');
  await writeHelper('empty', 'cat >/dev/null; echo "credentials not found in native keychain"; exit 1');
  await writeHelper('locked', 'cat >/dev/null; echo "error: the keychain is locked"; exit 2');
  await writeHelper('garbage', 'echo "<html>"');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function writeHelper(name: string, script: string): Promise<void> {
  const file = join(folder, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

async function find(host: string, config: unknown, env: Record<string, string> = {}): Promise<Credentials> {
  const home = await mkdtemp(join(folder, 'home-'));
  await mkdir(join(home, '.docker'));
  const file = join(home, '.docker', 'config.json');
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  const finder = createCredentialFinder({ HOME: home, PATH: `${folder}:/usr/bin:/bin`, ...env }, runProgram);
  return finder(host, signal).catch((error: unknown) => {
    if (error instanceof RegistryError) throw new Error(error.message.replace(file, 'FILE'));
    throw error;
  });
}

const ANN = { kind: 'password', username: 'ann', password: 'pw:1' };
const AUTH = { auth: base64('ann:pw:1') };

describe('createCredentialFinder', () => {
  // Left as Docker writes it: `docker login`, its documentation of credsStore and credHelpers.
  it.each([
    ['a login', 'ghcr.io', { auths: { 'ghcr.io': AUTH } }, ANN],
    ['a login with a port', 'localhost:5000', { auths: { 'localhost:5000': AUTH, localhost: {} } }, ANN],
    ['a login of another host', 'ghcr.io', { auths: { 'quay.io': AUTH } }, { kind: 'anonymous' }],
    ["Docker Hub's old key", 'docker.io', { auths: { 'https://index.docker.io/v1/': AUTH } }, ANN],
    ["Docker Hub's name", 'docker.io', { auths: { 'docker.io': AUTH } }, ANN],
    ['a key that is a URL', 'reg.example', { auths: { 'https://reg.example/v1/': AUTH } }, ANN],
    ['a padded password', 'a.io', { auths: { 'a.io': { auth: base64('ann:pw:1\0\0') } } }, ANN],
    ['user and password apart', 'a.io', { auths: { 'a.io': { username: 'ann', password: 'pw:1' } } }, ANN],
    [
      'an identity token',
      'a.io',
      { auths: { 'a.io': { ...AUTH, identitytoken: 't' } } },
      { kind: 'identity-token', token: 't' },
    ],
    [
      'a registry token',
      'a.io',
      { auths: { 'a.io': { registrytoken: 't' } } },
      { kind: 'registry-token', token: 't' },
    ],
    ['an emptied login', 'a.io', { auths: { 'a.io': {} } }, { kind: 'anonymous' }],
    ['a host named like a property', 'constructor', { auths: {} }, { kind: 'anonymous' }],
    ['nothing', 'a.io', {}, { kind: 'anonymous' }],
    ['an empty file', 'a.io', '', { kind: 'anonymous' }],
    ['other settings', 'a.io', { HttpHeaders: { 'User-Agent': 'x' }, auths: null }, { kind: 'anonymous' }],
    ['a helper for all', 'a.io', { credsStore: 'keeper' }, ANN],
    [
      'a helper for one host, before that for all',
      'a.io',
      { credHelpers: { 'a.io': 'keeper' }, credsStore: 'empty' },
      ANN,
    ],
    [
      'a helper before a login in the file',
      'a.io',
      { credsStore: 'empty', auths: { 'a.io': AUTH } },
      { kind: 'anonymous' },
    ],
    ['a helper of another host', 'a.io', { credHelpers: { 'b.io': 'locked' } }, { kind: 'anonymous' }],
    ['a helper with a token', 'a.io', { credsStore: 'token' }, { kind: 'identity-token', token: 'refresh' }],
    ['a helper without a login', 'a.io', { credsStore: 'empty' }, { kind: 'anonymous' }],
  ])('finds %s', async (_, host, config, expected) => {
    expect(await find(host, config)).toEqual(expected);
  });

  it.each([
    [
      'a.io',
      '{"auths":',
      'Docker config FILE is not JSON. Repair it, or log in again with docker/login-action.',
    ],
    [
      'a.io',
      { auths: { 'a.io': { auth: 7 } } },
      'Docker config FILE is not a Docker config at auths.a.io.auth. Repair it, or log in again with docker/login-action.',
    ],
    [
      'a.io',
      '[]',
      'Docker config FILE is not a Docker config. Repair it, or log in again with docker/login-action.',
    ],
    [
      'a.io',
      { auths: { 'a.io': { auth: base64('s3cret') } } },
      'Docker config FILE has a login for a.io that is not base64 of "user:password". Log in again with docker/login-action.',
    ],
    [
      'a.io',
      { credsStore: 'missing' },
      "docker-credential-missing can't be started for a.io: spawn docker-credential-missing ENOENT. Install it, or take it out of the Docker config.",
    ],
    [
      'a.io',
      { credsStore: 'locked' },
      'docker-credential-locked failed for a.io with exit code 2: error: the keychain is locked. Repair it, or log in with docker/login-action.',
    ],
    [
      'a.io',
      { credsStore: 'garbage' },
      'docker-credential-garbage answered for a.io with something other than {"Username":…,"Secret":…}. Repair it, or log in with docker/login-action.',
    ],
    [
      'a.io',
      { credsStore: '../../bin/sh' },
      'docker-credential-../../bin/sh is not a name of a credential helper. Correct credsStore and credHelpers in the Docker config.',
    ],
  ])('for %s in %j says: %s', async (host, config, message) => {
    await expect(find(host, config)).rejects.toThrow(new Error(message));
  });

  it('takes $DOCKER_AUTH_CONFIG before the file, host by host', async () => {
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'a.io': AUTH } }) };
    const config = { auths: { 'a.io': { auth: base64('bob:x') }, 'b.io': { auth: base64('bob:x') } } };
    expect([await find('a.io', config, env), await find('b.io', config, env)]).toEqual([
      ANN,
      { kind: 'password', username: 'bob', password: 'x' },
    ]);
  });

  it('takes the folder that $DOCKER_CONFIG names, and is anonymous where no file is', async () => {
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { 'a.io': AUTH } }));
    const from = (env: Record<string, string>): Promise<Credentials> =>
      createCredentialFinder({ HOME: '/nonexistent', ...env }, runProgram)('a.io', signal);
    expect([await from({ DOCKER_CONFIG: folder }), await from({})]).toEqual([ANN, { kind: 'anonymous' }]);
  });

  it('asks a helper once for a host, by the name Docker gives it', async () => {
    const log = join(folder, 'docker-credential-keeper.log');
    await rm(log, { force: true });
    const home = await mkdtemp(join(folder, 'd-'));
    await writeFile(join(home, 'config.json'), JSON.stringify({ credsStore: 'keeper' }));
    const keeping = createCredentialFinder(
      { DOCKER_CONFIG: home, PATH: `${folder}:/usr/bin:/bin` },
      runProgram,
    );
    await Promise.all([
      keeping('docker.io', signal),
      keeping('docker.io', signal),
      keeping('a.io:1', signal),
    ]);
    await keeping('docker.io', signal);
    expect((await readFile(log, 'utf8')).trim().split('\n').sort()).toEqual([
      'a.io:1',
      'https://index.docker.io/v1/',
    ]);
  });
});

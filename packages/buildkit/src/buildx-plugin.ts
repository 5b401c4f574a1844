import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readDockerConfig } from './docker-config.ts';

/** Where the docker CLI looks for plugins on Linux and macOS, after the user's own folder. */
const SYSTEM_FOLDERS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/**
 * The buildx that `docker buildx` would run, found as the docker CLI finds it. Undefined where that can't be said for
 * sure, which leaves it to the CLI: the config names further folders, or a script stands in docker's place and may
 * do what it likes.
 *
 * @see docker/cli `cli-plugins/manager/manager.go`, getPluginDirs
 */
export function findBuildxPlugin(
  dockerPath: string,
  env: Readonly<Record<string, string>>,
): string | undefined {
  const { folder, hasPluginFolders } = readDockerConfig(env);
  if (hasPluginFolders || isScript(dockerPath)) return undefined;
  return [join(folder, 'cli-plugins'), ...SYSTEM_FOLDERS]
    .map((plugins) => join(plugins, 'docker-buildx'))
    .find(isExecutable);
}

function isScript(path: string): boolean {
  const start = Buffer.alloc(2);
  const file = openSync(path, 'r');
  try {
    readSync(file, start);
  } finally {
    closeSync(file);
  }
  return start.toString('latin1') === '#!';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

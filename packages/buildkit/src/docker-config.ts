import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';

/** What of the docker CLI's configuration says where things are. */
export type DockerConfig = {
  readonly folder: string;
  /** The docker context in use; empty where none was chosen. */
  readonly currentContext: string;
  /** Whether it names further folders of plugins. */
  readonly hasPluginFolders: boolean;
};

const configSchema = z.object({
  currentContext: z.catch(z.string(), ''),
  cliPluginsExtraDirs: z.catch(z.array(z.unknown()), []),
});

/** Reads `config.json` of DOCKER_CONFIG or `~/.docker`; one that can't be read says nothing. */
export function readDockerConfig(env: Readonly<Record<string, string>>): DockerConfig {
  const folder = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? '', '.docker');
  const config = z.safeParse(configSchema, readJson(join(folder, 'config.json'))).data;
  return {
    folder,
    currentContext: config?.currentContext ?? '',
    hasPluginFolders: (config?.cliPluginsExtraDirs ?? []).length > 0,
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return undefined;
    throw error;
  }
}

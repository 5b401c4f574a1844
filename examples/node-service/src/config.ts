import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const toolServer = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  url: z.url({ protocol: /^https?$/ }),
});

const servers = z.object({ servers: z.array(toolServer) });

const environment = z.object({
  HOST: z.string().default('0.0.0.0'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  SERVERS_FILE: z.string().default('servers.json'),
  CALL_TIMEOUT_MS: z.coerce.number().int().positive().default(30_000),
});

export type ToolServer = z.infer<typeof toolServer>;

export type Config = {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly callTimeoutMs: number;
  readonly servers: readonly ToolServer[];
};

/** Reads the environment and the file of servers it names. Throws where either is not as expected. */
export async function readConfig(env: NodeJS.ProcessEnv): Promise<Config> {
  const { HOST, PORT, LOG_LEVEL, SERVERS_FILE, CALL_TIMEOUT_MS } = environment.parse(env);
  const file: unknown = JSON.parse(await readFile(SERVERS_FILE, 'utf8'));
  return {
    host: HOST,
    port: PORT,
    logLevel: LOG_LEVEL,
    callTimeoutMs: CALL_TIMEOUT_MS,
    servers: servers.parse(file).servers,
  };
}

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ToolServer } from './config.ts';

export type Tool = {
  /** `<server>.<tool>`: two servers may have a tool of the same name. */
  readonly name: string;
  readonly description: string;
  readonly inputSchema: unknown;
};

export type ToolAnswer = {
  readonly content: unknown;
  readonly isError: boolean;
};

export class UnknownToolError extends Error {}

export type ToolServers = {
  readonly listTools: () => Promise<readonly Tool[]>;
  readonly callTool: (name: string, input: Record<string, unknown>) => Promise<ToolAnswer>;
};

/** The tools of all servers under one roof. Each question opens a session of its own and closes it. */
export function createToolServers(servers: readonly ToolServer[], callTimeoutMs: number): ToolServers {
  return {
    async listTools() {
      const lists = await Promise.all(
        servers.map((server) =>
          ask(server, async (client) => {
            const { tools } = await client.listTools(undefined, { timeout: callTimeoutMs });
            return tools.map((tool) => ({
              name: `${server.name}.${tool.name}`,
              description: tool.description ?? '',
              inputSchema: tool.inputSchema,
            }));
          }),
        ),
      );
      return lists.flat();
    },

    async callTool(name, input) {
      const dot = name.indexOf('.');
      const server = servers.find((candidate) => candidate.name === name.slice(0, dot));
      if (server === undefined) {
        throw new UnknownToolError(`Tool "${name}" is on no server: expected one of ${servers.map((s) => s.name).join(', ') || 'none'}.`);
      }
      return ask(server, async (client) => {
        const call = { name: name.slice(dot + 1), arguments: input };
        const answer = await client.callTool(call, undefined, { timeout: callTimeoutMs });
        return { content: answer.content, isError: answer.isError === true };
      });
    },
  };
}

async function ask<Answer>(server: ToolServer, question: (client: Client) => Promise<Answer>): Promise<Answer> {
  const client = new Client({ name: 'tool-gateway', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
  try {
    return await question(client);
  } finally {
    await client.close();
  }
}

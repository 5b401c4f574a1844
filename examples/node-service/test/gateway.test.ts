import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { z } from 'zod';
import { createGateway } from '../src/gateway.ts';
import { createToolServers } from '../src/tool-servers.ts';

/** A real MCP server with one tool, on a port of its own. */
const mcp = createServer(async (request, response) => {
  const server = new McpServer({ name: 'sums', version: '1.0.0' });
  server.registerTool(
    'add',
    { description: 'Adds two numbers.', inputSchema: { a: z.number(), b: z.number() } },
    ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }] }),
  );
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => void transport.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
});

describe('the gateway', () => {
  let gateway: FastifyInstance;

  before(async () => {
    await new Promise<void>((resolve) => mcp.listen(0, '127.0.0.1', resolve));
    const { port } = mcp.address() as AddressInfo;
    const servers = [
      { name: 'sums', url: `http://127.0.0.1:${port}/` },
    ];
    gateway = await createGateway(createToolServers(servers, 5_000), pino({ level: 'silent' }));
  });

  after(async () => {
    await gateway.close();
    mcp.closeAllConnections();
    mcp.close();
  });

  it('lists the tools of its servers under their names', async () => {
    const tools = (await gateway.inject('/tools')).json();
    assert.deepEqual(
      tools.map((tool: { name: string; description: string }) => [tool.name, tool.description]),
      [['sums.add', 'Adds two numbers.']],
    );
  });

  it('passes a call on and counts it', async () => {
    const answer = await gateway.inject({
      method: 'POST',
      url: '/tools/sums.add/call',
      payload: { input: { a: 2, b: 40 } },
    });
    assert.deepEqual(answer.json(), { content: [{ type: 'text', text: '42' }], isError: false });
    const metrics = (await gateway.inject('/metrics')).body;
    assert.match(metrics, /^tool_calls_total\{tool="sums.add",outcome="ok"\} 1$/m);
  });

  it('refuses a tool of no server by its name', async () => {
    const answer = await gateway.inject({ method: 'POST', url: '/tools/maps.route/call', payload: {} });
    assert.equal(answer.statusCode, 404);
    assert.deepEqual(answer.json(), { error: 'Tool "maps.route" is on no server: expected one of sums.' });
  });

  it('refuses an input that is not an object', async () => {
    const answer = await gateway.inject({
      method: 'POST',
      url: '/tools/sums.add/call',
      payload: { input: 'two and two' },
    });
    assert.equal(answer.statusCode, 400);
  });
});

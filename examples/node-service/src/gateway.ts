import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { type FastifyBaseLogger, type FastifyInstance, fastify } from 'fastify';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { type ToolServers, UnknownToolError } from './tool-servers.ts';

const callRequest = z.object({ input: z.record(z.string(), z.unknown()).default({}) });

/** The HTTP face of the gateway. It does not listen yet. */
export async function createGateway(toolServers: ToolServers, logger: FastifyBaseLogger): Promise<FastifyInstance> {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const calls = new Counter({
    name: 'tool_calls_total',
    help: 'Calls to tools, by tool and outcome.',
    labelNames: ['tool', 'outcome'] as const,
    registers: [metrics],
  });
  const duration = new Histogram({
    name: 'tool_call_duration_seconds',
    help: 'How long a call to a tool took.',
    labelNames: ['tool'] as const,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [metrics],
  });

  const gateway = fastify({ loggerInstance: logger });
  await gateway.register(helmet);
  await gateway.register(rateLimit, { max: 300, timeWindow: '1 minute' });

  gateway.get('/healthz', () => ({ status: 'ok' }));
  gateway.get('/metrics', async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.metrics();
  });
  gateway.get('/tools', () => toolServers.listTools());

  gateway.post<{ Params: { name: string } }>('/tools/:name/call', async (request, reply) => {
    const { name } = request.params;
    const body = callRequest.safeParse(request.body ?? {});
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const stop = duration.startTimer();
    try {
      const answer = await toolServers.callTool(name, body.data.input);
      stop({ tool: name });
      calls.inc({ tool: name, outcome: answer.isError ? 'error' : 'ok' });
      return answer;
    } catch (error) {
      if (error instanceof UnknownToolError) return reply.code(404).send({ error: error.message });
      calls.inc({ tool: name, outcome: 'unreachable' });
      request.log.error({ err: error, tool: name }, 'tool call failed');
      return reply.code(502).send({ error: `The server of tool "${name}" did not answer.` });
    }
  });

  return gateway;
}

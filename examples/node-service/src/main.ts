import { pino } from 'pino';
import { readConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createToolServers } from './tool-servers.ts';

const config = await readConfig(process.env);
const gateway = await createGateway(
  createToolServers(config.servers, config.callTimeoutMs),
  pino({ level: config.logLevel }),
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void gateway.close());
}

await gateway.listen({ host: config.host, port: config.port });

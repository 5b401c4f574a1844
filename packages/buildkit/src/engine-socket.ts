import * as z from 'zod/mini';
import { readDockerConfig } from './docker-config.ts';
import type { EnginePlatform, ImageSource } from './local-image.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** The socket's path when the engine is reached by one, else undefined (TCP, SSH, a docker context). */
export function findEngineSocket(env: Readonly<Record<string, string>>): string | undefined {
  const host = env['DOCKER_HOST'] ?? '';
  if (host !== '') return host.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
  const context = env['DOCKER_CONTEXT'] ?? readDockerConfig(env).currentContext;
  return context === '' || context === 'default' ? '/var/run/docker.sock' : undefined;
}

const versionSchema = z.object({ Version: z.string() });

/** The engine's own version, `28.5.2`; undefined where it doesn't say. */
export async function readEngineVersion(
  socketPath: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return z.safeParse(versionSchema, await getJson(socketPath, '/version', signal)).data?.Version;
}

/** Asks the engine over its socket, without a process. */
export function createSocketSource(socketPath: string, signal: AbortSignal): ImageSource {
  return {
    inspect: (reference) =>
      getJson(socketPath, `/images/${encodeReference(reference)}/json?manifests=1`, signal),
    history: (reference, platform) =>
      getJson(
        socketPath,
        `/images/${encodeReference(reference)}/history${platform === undefined ? '' : `?platform=${encodePlatform(platform)}`}`,
        signal,
      ),
  };
}

/** The engine's router takes slashes as they are, and nothing else that is special in a path. */
function encodeReference(reference: string): string {
  return reference.split('/').map(encodeURIComponent).join('/');
}

function encodePlatform(platform: EnginePlatform): string {
  return encodeURIComponent(JSON.stringify(platform));
}

/**
 * @returns undefined when the engine answers that there is none.
 * @throws {Error} The engine can't be reached, or doesn't answer with JSON in 10 s.
 */
async function getJson(socketPath: string, path: string, signal: AbortSignal): Promise<unknown> {
  const { request } = await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const call = request({
    socketPath,
    path,
    method: 'GET',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  call.on('error', reject);
  call.on('response', (response) => {
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    response.on('data', (part: Buffer) => {
      sizeBytes += part.length;
      if (sizeBytes > MAX_ANSWER_BYTES)
        response.destroy(new Error(`The engine's answer to ${path} is over ${MAX_ANSWER_BYTES} bytes.`));
      else parts.push(part);
    });
    response.on('error', reject);
    response.on('end', () => {
      if (response.statusCode !== 200) {
        resolve(undefined);
        return;
      }
      try {
        resolve(JSON.parse(Buffer.concat(parts).toString('utf8')));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
  call.end();
  return promise;
}

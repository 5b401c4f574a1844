import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActionsCacheFake } from '../fakes/actions-cache/cache-fake.ts';
import { createCacheToken } from '../fakes/actions-cache/cache-token.ts';
import { engine } from '../harness/engine.ts';
import type { ActionRun } from '../harness/runner/run-action.ts';
import type { StepControl } from '../harness/runner/step-process.ts';
import { createWorkspace, firstLine, freshLine, freshTag, readRecord, runBuildStep } from './build-step.ts';
import { readPushedDigest } from './pushed-manifest.ts';

const DOCKERFILE = `FROM busybox\n${freshLine()}\nCOPY Dockerfile /\n`;

async function expectKept(
  run: ActionRun,
  tag: string,
  warnings: readonly (string | RegExp)[],
): Promise<void> {
  expect(run).toMatchObject({ conclusion: 'success', exitCode: 0 });
  expect(run.outputs['digest']).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(run.outputs['digest']).toBe(await readPushedDigest(tag));
  expect(run.annotations.map(({ level, message }) => [level, message])).toEqual(
    warnings.map((text) => ['warning', typeof text === 'string' ? text : expect.stringMatching(text)]),
  );
}

/** A variable of the running step, as the system has it. */
function readVariable({ pid }: StepControl, name: string): string {
  const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  return variables.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

describe('the digest of an image that was pushed is kept', () => {
  it('when the cache cannot be exported to a registry that is not there', async () => {
    const tag = freshTag();
    await using workspace = await createWorkspace({ Dockerfile: DOCKERFILE });
    await using run = await runBuildStep({
      workspace,
      inputs: {
        push: 'true',
        tags: tag,
        'cache-to': 'type=registry,ref=localhost:1/octo/app:cache,mode=max',
      },
    });

    await expectKept(run, tag, [
      /^The image is built, but its cache was not written: error writing layer blob: [^…]*… [^…]* dial tcp 127\.0\.0\.1:1: connect: connection refused\. Check address and rights in "cache-to"\.$/,
    ]);
    expect(firstLine(run.annotations[0]?.message ?? '').length).toBeLessThanOrEqual(200);
  });

  it('when the token of the Actions cache may only read', async () => {
    await using cache = await createActionsCacheFake();
    const tag = freshTag();
    await using workspace = await createWorkspace({ Dockerfile: DOCKERFILE });
    await using run = await runBuildStep({
      workspace,
      inputs: { push: 'true', tags: tag, 'cache-to': 'type=gha,mode=max', 'cache-from': 'type=gha' },
      services: {
        resultsUrl: cache.url,
        runtimeToken: createCacheToken({ scopes: [{ scope: 'refs/heads/main', permission: 'read' }] }),
      },
    });

    await expectKept(run, tag, [
      'The image is built, but its cache was not written: error writing layer blob: permission_denied. Check address and rights in "cache-to".',
    ]);
    expect(cache.requests.some(({ call, status }) => call === 'CreateCacheEntry' && status === 403)).toBe(
      true,
    );
    expect(cache.entries()).toEqual([]);
  });

  it('when the step summary cannot be written', async () => {
    const tag = freshTag();
    let file = '';
    await using workspace = await createWorkspace({ Dockerfile: DOCKERFILE });
    await using run = await runBuildStep({
      workspace,
      inputs: { push: 'true', tags: tag },
      onOutput(line, control) {
        if (file === '') {
          file = readVariable(control, 'GITHUB_STEP_SUMMARY');
          rmSync(file);
          mkdirSync(file);
        } else if (line.startsWith('::warning')) {
          // The runner reads it when the step is over.
          rmdirSync(file);
          writeFileSync(file, '');
        }
      },
    });

    await expectKept(run, tag, [/^The build stands, but its step summary was not written: EISDIR/]);
    expect(run.summary).toBe('');
    expect((await readRecord(run)).status).toBe('succeeded');
  });

  it('when the record cannot be written', async () => {
    const tag = freshTag();
    let file = '';
    await using workspace = await createWorkspace({ Dockerfile: DOCKERFILE });
    await using run = await runBuildStep({
      workspace,
      inputs: { push: 'true', tags: tag },
      onOutput(_, control) {
        if (file !== '') return;
        file = path.join(readVariable(control, 'RUNNER_TEMP'), 'sophia');
        writeFileSync(file, 'not a folder');
      },
    });

    await expectKept(run, tag, [/^The build stands, but its record was not written: EEXIST/]);
    expect(run.outputs).not.toHaveProperty('record');
    expect(run.summary).toContain('✅ **Built in ');
  });

  it('when the registry answers 500 to every read after the push', async () => {
    await using registry = await startForgetfulRegistry();
    const name = `bundle-test/${crypto.randomUUID().slice(0, 8)}:1`;
    await using workspace = await createWorkspace({ Dockerfile: DOCKERFILE });
    await using run = await runBuildStep({
      workspace,
      inputs: { push: 'true', tags: `${registry.host}/${name}` },
    });

    await expectKept(run, `${engine().registry}/${name}`, [
      /^The image is built, but its size can't be read: .*500/,
    ]);
    expect(registry.refused.length).toBeGreaterThan(0);
  });
});

/** The test registry behind a server that fails once the tag has been written. */
async function startForgetfulRegistry(): Promise<
  AsyncDisposable & { readonly host: string; readonly refused: readonly string[] }
> {
  const refused: string[] = [];
  let isPushed = false;
  const [hostname, port] = engine().registry.split(':');
  const server = createServer((message, response) => {
    const { method, url, headers } = message;
    if (isPushed && (method === 'GET' || method === 'HEAD')) {
      refused.push(`${method} ${url}`);
      response.writeHead(500).end();
      return;
    }
    const onward = forward({ hostname, port, method, path: url, headers }, (answer) => {
      isPushed ||= method === 'PUT' && /\/manifests\/1$/.test(url ?? '') && answer.statusCode === 201;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    message.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return {
    host: `localhost:${(server.address() as AddressInfo).port}`,
    refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

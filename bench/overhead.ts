/**
 * What an action costs beside the `docker buildx build` it runs: the same all-cached build and push by the command
 * alone, by this project's action, and by docker/build-push-action where a checkout of it is named.
 *
 *   eval "$(script/engine env)" && node bench/overhead.ts [--rounds 10] [--build-push-action FOLDER]
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureInTurn, renderSamples, timeProgram } from './sample.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '10' }, 'build-push-action': { type: 'string' } },
});
const registry = process.env['SOPHIA_TEST_REGISTRY'];
if (registry === undefined) throw new Error('No registry: run eval "$(script/engine env)" first.');

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'overhead-'));
const workspace = join(folder, 'workspace');
mkdirSync(workspace);
writeFileSync(
  join(workspace, 'Dockerfile'),
  'FROM busybox\nRUN echo one > /one\nCOPY . /app\nRUN echo two > /two\n',
);

const time = (program: string, args: readonly string[], env: NodeJS.ProcessEnv) =>
  timeProgram(program, args, { env, cwd: workspace });

/** A step as the runner sets it up, with file commands of its own. */
function stepEnvironment(
  inputs: Readonly<Record<string, string>>,
  state: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  const step = mkdtempSync(join(folder, 'step-'));
  const fileCommand = (name: string) => {
    writeFileSync(join(step, name), '');
    return join(step, name);
  };
  return {
    ...process.env,
    GITHUB_ACTIONS: 'true',
    GITHUB_REPOSITORY: 'octo/app',
    GITHUB_SHA: 'a'.repeat(40),
    GITHUB_REF: 'refs/heads/main',
    GITHUB_RUN_ID: '1',
    GITHUB_WORKSPACE: workspace,
    GITHUB_SERVER_URL: 'https://github.com',
    RUNNER_TEMP: step,
    GITHUB_OUTPUT: fileCommand('output'),
    GITHUB_STATE: fileCommand('state'),
    GITHUB_ENV: fileCommand('env'),
    GITHUB_PATH: fileCommand('path'),
    GITHUB_STEP_SUMMARY: fileCommand('summary'),
    DOCKER_BUILD_RECORD_UPLOAD: 'false',
    ...Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    ),
    ...Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])),
  };
}

const tag = `${registry}/bench/overhead:1`;
const inputs = { context: '.', tags: tag, push: 'true', load: 'false', pull: 'false', 'no-cache': 'false' };
const own = join(root, 'actions/build-optimized/dist/index.js');
const rival =
  values['build-push-action'] === undefined ? undefined : join(values['build-push-action'], 'dist/index.cjs');
if (rival === undefined) {
  console.log('No --build-push-action FOLDER (a checkout of it with its dist): that row is left out.\n');
} else if (!existsSync(rival)) {
  throw new Error(`${rival} does not exist: expected a checkout of docker/build-push-action with its dist.`);
}

console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.version}\n`);
const rounds = Number(values.rounds);

const builds = await measureInTurn(
  [
    {
      name: '`docker buildx build --push`',
      run: () =>
        time(
          'docker',
          ['buildx', 'build', '--push', '-t', tag, '--metadata-file', join(folder, 'metadata'), '.'],
          process.env,
        ),
    },
    { name: 'build-optimized', run: () => time(process.execPath, [own], stepEnvironment(inputs)) },
    ...(rival === undefined
      ? []
      : [
          {
            name: 'docker/build-push-action, main and post',
            run: async () => {
              const mainMs = await time(process.execPath, [rival], stepEnvironment(inputs));
              return (
                mainMs + (await time(process.execPath, [rival], stepEnvironment(inputs, { isPost: 'true' })))
              );
            },
          },
        ]),
  ],
  rounds,
);
console.log(renderSamples(builds));

rmSync(folder, { recursive: true, force: true });

/**
 * How long each action takes until a wrong input is reported, beside Node that does nothing:
 *
 *     script/build && node --conditions=source bench/start-up.ts
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureInTurn, renderSamples, timeProgram } from './sample.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });

/** A wrong input of each action, as the runner would give it. */
const wrongInputs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'build-optimized': { INPUT_PUSH: 'maybe' },
  'gpu-deploy': { INPUT_MANIFESTS: 'deploy', INPUT_STRATEGY: 'recrate' },
  'validate-phase': { INPUT_PHASE: '1', 'INPUT_DRY-RUN': 'maybe' },
};

const actions = Object.entries(wrongInputs).map(([name, inputs]) => {
  const bundle = path.join(import.meta.dirname, `../actions/${name}/dist/index.js`);
  if (!existsSync(bundle)) throw new Error(`${bundle} is not there. Run script/build first.`);
  return {
    name: `${name}, a wrong input`,
    run: () =>
      timeProgram(process.execPath, [bundle], { env: { ...process.env, ...inputs }, expectedStatus: 1 }),
  };
});

const starts = await measureInTurn(
  [
    { name: 'bare Node', run: () => timeProgram(process.execPath, ['--eval', '0'], { env: process.env }) },
    ...actions,
  ],
  Number(values.rounds),
);
console.log(renderSamples(starts));

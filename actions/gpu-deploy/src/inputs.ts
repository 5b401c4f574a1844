import {
  type Environment,
  findNearest,
  InputError,
  type InputValues,
  quoteValue,
  readInputs,
} from '@sophia/action';
import type { ImageReplacement } from '@sophia/kubernetes';
import { inputTable } from './inputs.generated.ts';

/** Every input, checked; what can't be together can't be said. */
export type DeployInputs = {
  readonly manifests: readonly string[];
  readonly images: readonly ImageReplacement[];
  /** Empty: that of the kubeconfig's context. */
  readonly namespace: string;
  readonly gpu: string;
  readonly gpuCount: number | undefined;
  readonly strategy: 'auto' | 'rolling' | 'recreate';
  readonly timeoutMs: number;
  readonly rollback: 'auto' | 'off';
  readonly target: DeployTarget;
};

/** Whom the plan asks, and whether it is carried out. */
export type DeployTarget =
  | {
      readonly kind: 'cluster';
      readonly isDryRun: boolean;
      readonly kubeconfig: string;
      readonly context: string;
    }
  | { readonly kind: 'inventory'; readonly path: string };

const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MOST_GPUS = 1024;

/**
 * Reads and checks every input.
 *
 * @throws {InputError} The first that is wrong. The kubeconfig is never in its text.
 */
export function parseInputs(environment: Environment): DeployInputs {
  const values = readInputs(inputTable, environment);
  requirePattern('namespace', values.namespace, DNS_LABEL, 'a name of small letters, digits and "-"');
  requirePattern('gpu', values.gpu, LABEL_VALUE, 'a label value such as "a100"');
  return {
    manifests: values.manifests,
    images: parseImages(values.images),
    namespace: values.namespace,
    gpu: values.gpu,
    gpuCount: parseGpuCount(values['gpu-count']),
    strategy: values.strategy,
    timeoutMs: requireTimeout(values.timeout),
    rollback: values.rollback,
    target: parseTarget(values),
  };
}

function requirePattern(input: string, value: string, pattern: RegExp, accepted: string): void {
  if (value === '' || pattern.test(value)) return;
  throw new InputError(
    `Input "${input}" is ${quoteValue(value)}: expected ${accepted}, at most 63 characters.`,
  );
}

function parseImages(lines: readonly string[]): readonly ImageReplacement[] {
  const images = lines.map(parseImage);
  const twice = images.find(({ name }, index) => images.findIndex((image) => image.name === name) < index);
  if (twice === undefined) return images;
  throw new InputError(`Input "images" names ${quoteValue(twice.name)} twice. Keep one of the lines.`);
}

function parseImage(line: string): ImageReplacement {
  const wrong = (why: string) =>
    new InputError(
      `Input "images" has the line ${quoteValue(line)}: ${why}, expected name=registry/name@sha256:….`,
    );
  const [, name = '', reference = ''] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
  if (name.trim() === '' || reference.trim() === '') throw wrong('it has no name or no reference');
  if (/[\s\p{Cc}]/u.test(reference.trim())) throw wrong('it has a blank inside');
  const [, algorithm = '', digest = ''] = /@([^:]*):(.*)$/.exec(reference) ?? [];
  if (algorithm === '') throw wrong('it has no digest, and a tag may name another image tomorrow');
  if (algorithm !== 'sha256' || !/^[0-9a-f]{64}$/.test(digest))
    throw wrong('its digest is not sha256 with 64 hex digits');
  return { name: name.trim(), reference: reference.trim() };
}

function parseGpuCount(text: string): number | undefined {
  if (text === '') return undefined;
  const count = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= 1 && count <= MOST_GPUS) return count;
  throw new InputError(
    `Input "gpu-count" is ${quoteValue(text)}: expected a whole number from 1 to ${MOST_GPUS}; a GPU can't be shared by parts.`,
  );
}

function requireTimeout(timeoutMs: number | undefined): number {
  if (timeoutMs !== undefined && timeoutMs >= 1000) return timeoutMs;
  throw new InputError('Input "timeout" is less than 1s: expected a time such as 90s or 10m.');
}

function parseTarget(values: InputValues<typeof inputTable>): DeployTarget {
  const { inventory, kubeconfig, context } = values;
  const dryRun = values['dry-run'];
  if (dryRun === 'offline') {
    if (inventory !== '') return { kind: 'inventory', path: inventory };
    throw new InputError(
      'Input "inventory" is missing, and "dry-run: offline" reads it. Write it with: kubectl get nodes,pods -A -o yaml > inventory.yaml',
    );
  }
  if (inventory !== '') {
    throw new InputError('Input "inventory" is read with "dry-run: offline" only. Set that, or remove it.');
  }
  return { kind: 'cluster', isDryRun: dryRun === 'server', kubeconfig, context };
}

/** One sentence on the nearest of the names there are, for a name that is none of them. */
export function suggest(name: string, names: readonly string[]): string {
  const nearest = findNearest(name, names);
  if (nearest !== undefined) return ` Did you mean "${nearest}"?`;
  return names.length === 0 ? '' : ` There are: ${names.slice(0, 8).join(', ')}.`;
}

import { InputError } from '@sophia/action';
import type { Manifest } from '@sophia/kubernetes';
import type { Node } from '@sophia/scheduling';
import { suggest } from './inputs.ts';
import {
  type ContainerFields,
  containersOf,
  isWorkload,
  keyOf,
  type PodTemplate,
  subjectOf,
  templateOf,
  withTemplate,
} from './workload.ts';

const GPU = 'nvidia.com/gpu';
const GPU_LABEL = 'gpu';
/** Label of NVIDIA's GPU feature discovery: `NVIDIA-A100-SXM4-40GB`. */
const PRODUCT_LABEL = 'nvidia.com/gpu.product';

/** What `gpu` and `gpu-count` ask of the Pods. */
export type GpuRequest = {
  readonly selector: { readonly key: string; readonly value: string } | undefined;
  readonly count: number | undefined;
};

/**
 * Finds the node label that a GPU's name stands for: `gpu`, or the one product that has the name as a word of its own.
 * Where no node can be seen the label `gpu` is taken at its word.
 *
 * @throws {InputError} No node has such a GPU, or several products have the name.
 */
export function findGpuSelector(gpu: string, nodes: readonly Node[]): GpuRequest['selector'] {
  if (gpu === '') return undefined;
  const valuesOf = (key: string) => [...new Set(nodes.flatMap(({ labels }) => labels.get(key) ?? []))];
  const names = valuesOf(GPU_LABEL);
  const exact = names.find((name) => name === gpu) ?? names.find((name) => isSame(name, gpu));
  if (exact !== undefined || nodes.length === 0) return { key: GPU_LABEL, value: exact ?? gpu };
  const products = valuesOf(PRODUCT_LABEL);
  const matching = products.filter((product) => product.split(/[-_ ]/).some((word) => isSame(word, gpu)));
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return { key: PRODUCT_LABEL, value: only };
  if (only !== undefined) {
    throw new InputError(
      `Input "gpu" is "${gpu}", and ${matching.length} products have that in their name: ${matching.join(', ')}. Label the nodes with gpu=${gpu}, or name one.`,
    );
  }
  const known = names.length > 0 ? names : products;
  throw new InputError(`Input "gpu" is "${gpu}", and no node has such a GPU.${suggest(gpu, known)}`);
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/**
 * Puts what `gpu` and `gpu-count` ask into the workloads that use GPUs, or into the only workload.
 *
 * @throws {InputError} It can't be told which workload or container is meant.
 */
export function requestGpus(manifests: readonly Manifest[], request: GpuRequest): readonly Manifest[] {
  if (request.selector === undefined && request.count === undefined) return manifests;
  const workloads = manifests.filter(({ object }) => isWorkload(object) && templateOf(object) !== undefined);
  const users = workloads.filter(({ object }) => usesGpus(templateOf(object)));
  const meant = users.length > 0 ? users : workloads.length === 1 ? workloads : [];
  if (meant.length === 0) {
    const what =
      workloads.length === 0
        ? 'there is no workload'
        : `none of the ${workloads.length} workloads asks for ${GPU}`;
    throw new InputError(
      `Inputs "gpu" and "gpu-count" have nothing to act on: ${what} in the manifests. Set the limit ${GPU} where GPUs are wanted.`,
    );
  }
  const chosen = new Set(meant);
  return manifests.map((manifest) => (chosen.has(manifest) ? withRequest(manifest, request) : manifest));
}

function usesGpus(template: PodTemplate | undefined): boolean {
  return template !== undefined && containersOf(template, 'containers').some(hasGpuLimit);
}

function hasGpuLimit({ resources }: ContainerFields): boolean {
  return resources?.limits?.[GPU] !== undefined;
}

function withRequest(manifest: Manifest, { selector, count }: GpuRequest): Manifest {
  const { object } = manifest;
  const template = templateOf(object);
  if (template === undefined) return manifest;
  const spec = {
    ...template.spec,
    ...(selector === undefined
      ? {}
      : { nodeSelector: { ...asRecord(template.spec['nodeSelector']), [selector.key]: selector.value } }),
    ...(count === undefined ? {} : { containers: withCount(template, count, subjectOf(keyOf(object))) }),
  };
  return { ...manifest, object: withTemplate(object, { ...template, spec }) };
}

function withCount(template: PodTemplate, count: number, subject: string): readonly ContainerFields[] {
  const containers = containersOf(template, 'containers');
  const users = containers.filter(hasGpuLimit);
  const [container, ...others] = users.length > 0 ? users : containers;
  if (container === undefined || others.length > 0) {
    throw new InputError(
      `Input "gpu-count" can't tell which of the ${containers.length} containers of ${subject} is meant. Set the limit ${GPU} in the manifest, in one of them.`,
    );
  }
  return containers.map((one) => (one === container ? limitGpus(one, count) : one));
}

/** A limit alone suffices: for extended resources the API server makes it the request as well. */
function limitGpus(container: ContainerFields, count: number): ContainerFields {
  const resources = container.resources ?? {};
  const { [GPU]: _replaced, ...requests } = asRecord(resources['requests']);
  return {
    ...container,
    resources: {
      ...resources,
      ...(resources['requests'] === undefined ? {} : { requests }),
      limits: { ...resources.limits, [GPU]: count },
    },
  };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

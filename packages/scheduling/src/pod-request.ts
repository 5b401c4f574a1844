import type { Amounts } from './api-object.ts';
import type { Container, Pod } from './pod.ts';
import { NANOS_PER_UNIT } from './quantity.ts';

/**
 * What a Pod takes of a node, per resource: the larger of what its containers need together and of what the hungriest
 * moment of its initialisation needs. Init containers run one after another; one with `restartPolicy: Always` (a
 * sidecar) stays beside all that come later. GPUs of containers add up: two that ask for one each need two.
 *
 * Where the Pod states resources for itself as a whole, they stand for the containers' `cpu`, `memory` and huge pages.
 * Overhead of the runtime class comes on top. While a container is being resized, the largest of wanted, granted and
 * present counts. `pods` is always 1.
 *
 * @returns Nano-units; not yet rounded to the scheduler's steps.
 * @see `PodRequests` in kubernetes/component-helpers `resource/helpers.go`
 */
export function podRequest(pod: Pod): Amounts {
  const known = requests.get(pod);
  if (known !== undefined) return known;
  const request = sumRequest(pod);
  requests.set(pod, request);
  return request;
}

/** A Pod never changes, and is asked for once for each resource and node. */
const requests = new WeakMap<Pod, Amounts>();

function sumRequest(pod: Pod): Amounts {
  const containers = combineContainers(pod, (container) => container.requests);
  const granted = combineContainers(pod, (container) => container.allocated ?? container.requests);
  const present = combineContainers(
    pod,
    (container) => container.actual ?? container.allocated ?? container.requests,
  );
  const request = maxOf(maxOf(containers, granted), present);
  for (const [resource, amount] of wholePodRequests(pod, containers)) request.set(resource, amount);
  const total = sumOf(request, pod.overhead);
  total.set('pods', NANOS_PER_UNIT);
  return total;
}

function combineContainers(pod: Pod, read: (container: Container) => Amounts): Map<string, bigint> {
  let running = pod.containers.map(read).reduce<Map<string, bigint>>(sumOf, new Map());
  let sidecars = new Map<string, bigint>();
  let initialising = new Map<string, bigint>();
  for (const container of pod.initContainers) {
    const amounts = read(container);
    if (container.isSidecar) {
      running = sumOf(running, amounts);
      sidecars = sumOf(sidecars, amounts);
      initialising = maxOf(initialising, sidecars);
    } else {
      initialising = maxOf(initialising, sumOf(sidecars, amounts));
    }
  }
  return maxOf(running, initialising);
}

/**
 * A resource that only `limits` of the whole Pod names is asked for in full, unless a container asks for some of it:
 * the API server fills in `requests` so (`defaultPodRequests` in kubernetes `pkg/apis/core/v1/defaults.go`).
 */
function wholePodRequests(pod: Pod, containers: Amounts): readonly (readonly [string, bigint])[] {
  const fromLimits = [...pod.wholePod.limits].filter(
    ([resource]) => !pod.wholePod.requests.has(resource) && !containers.has(resource),
  );
  return [...pod.wholePod.requests, ...fromLimits].filter(
    ([resource]) => resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-'),
  );
}

function sumOf(left: Amounts, right: Amounts): Map<string, bigint> {
  const sum = new Map(left);
  for (const [resource, amount] of right) sum.set(resource, (sum.get(resource) ?? 0n) + amount);
  return sum;
}

function maxOf(left: Amounts, right: Amounts): Map<string, bigint> {
  const largest = new Map(left);
  for (const [resource, amount] of right) {
    const other = largest.get(resource);
    if (other === undefined || other < amount) largest.set(resource, amount);
  }
  return largest;
}

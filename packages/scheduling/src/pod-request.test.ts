import { describe, expect, it } from 'vitest';
import { parsePod } from './pod.ts';
import { podRequest } from './pod-request.ts';
import { formatQuantity } from './quantity.ts';

/** A container by its cpu, e.g. `500m`; a sidecar is marked `+`. */
function container(name: string, text: string): object {
  const resources = { requests: { cpu: text.replace('+', '') } };
  return { name, resources, ...(text.startsWith('+') ? { restartPolicy: 'Always' } : {}) };
}

function requestOf(spec: object, status: object = {}): Readonly<Record<string, string>> {
  const request = podRequest(parsePod({ metadata: { name: 'p' }, spec, status }));
  return Object.fromEntries(
    [...request].map(([resource, amount]) => [resource, formatQuantity(resource, amount)]),
  );
}

describe('podRequest', () => {
  // By hand from KEP-753: max(Σ containers + Σ sidecars, max over i of (sidecars before i + init i)).
  it.each([
    { init: [], containers: ['1', '500m'], cpu: '1500m', why: 'containers add up' },
    { init: ['3', '2'], containers: ['1'], cpu: '3', why: 'init containers run one after another' },
    { init: ['1'], containers: ['1', '1'], cpu: '2', why: 'a small init container costs nothing' },
    { init: ['+1'], containers: ['1'], cpu: '2', why: 'a sidecar stays' },
    { init: ['+1', '3'], containers: ['1'], cpu: '4', why: 'an init container runs beside earlier sidecars' },
    { init: ['3', '+1'], containers: ['1'], cpu: '3', why: 'but not beside later ones' },
    { init: ['+2', '5', '+2', '5'], containers: ['1'], cpu: '9', why: 'sidecars add up' },
    { init: ['+2', '+2'], containers: ['1'], cpu: '5', why: 'and stay beside the containers' },
  ])('$init then $containers is $cpu: $why', ({ init, containers, cpu }) => {
    expect(
      requestOf({
        initContainers: init.map((text, index) => container(`i${index}`, text)),
        containers: containers.map((text, index) => container(`c${index}`, text)),
      }),
    ).toEqual({ cpu, pods: '1' });
  });

  it('takes the limit where there is no request, and adds the GPUs of containers', () => {
    const gpu = { limits: { 'nvidia.com/gpu': 1, memory: '8Gi' }, requests: { memory: '4Gi' } };
    expect(
      requestOf({
        containers: [{ name: 'a', resources: gpu }, { name: 'b', resources: gpu }, { name: 'c' }],
      }),
    ).toEqual({ 'nvidia.com/gpu': '2', memory: '8Gi', pods: '1' });
  });

  it('takes resources by themselves: the init container decides memory, the containers cpu', () => {
    expect(
      requestOf({
        initContainers: [{ name: 'load', resources: { requests: { cpu: '100m', memory: '64Gi' } } }],
        containers: [{ name: 'serve', resources: { requests: { cpu: '4', memory: '16Gi' } } }],
      }),
    ).toEqual({ cpu: '4', memory: '64Gi', pods: '1' });
  });

  it('adds the overhead of the runtime class', () => {
    expect(
      requestOf({ containers: [container('a', '1')], overhead: { cpu: '250m', memory: '120Mi' } }),
    ).toEqual({
      cpu: '1250m',
      memory: '120Mi',
      pods: '1',
    });
  });

  // The documentation of pod-level resources: what the Pod states stands for the containers' cpu, memory, huge pages.
  it('lets the Pod speak for its containers, but not about GPUs', () => {
    const containers = [
      { name: 'a', resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { 'nvidia.com/gpu': 1 } } },
    ];
    expect(requestOf({ containers, resources: { requests: { cpu: '4' } } })).toEqual({
      cpu: '4',
      memory: '1Gi',
      'nvidia.com/gpu': '1',
      pods: '1',
    });
    // Only a limit: the containers' requests stay, and without any the limit is asked for.
    expect(requestOf({ containers, resources: { limits: { cpu: '8' } } })).toMatchObject({ cpu: '1' });
    expect(requestOf({ containers: [{ name: 'a' }], resources: { limits: { cpu: '8' } } })).toMatchObject({
      cpu: '8',
    });
  });

  it('counts the largest of wanted, granted and present while a container is resized', () => {
    const status = {
      containerStatuses: [
        { name: 'a', allocatedResources: { cpu: '2' }, resources: { requests: { cpu: '3' } } },
      ],
    };
    expect(requestOf({ containers: [container('a', '1'), container('b', '1')] }, status)).toMatchObject({
      cpu: '4',
    });
  });
});

import { describe, expect, it } from 'vitest';
import { parseBuilder } from './builder.ts';

// What `docker buildx inspect` of buildx 0.29 printed.
const containerd = `Name:          default
Driver:        docker
Last Activity: 2026-11-25 11:08:17 +0000 UTC

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.0.0+unknown
Platforms:        linux/amd64, linux/amd64/v2, linux/386
Labels:
 org.mobyproject.buildkit.worker.containerd.namespace: moby
 org.mobyproject.buildkit.worker.executor:             containerd
 org.mobyproject.buildkit.worker.moby.host-gateway-ip: 172.17.0.1
GC Policy rule#0:
 All:            false
 Filters:        type==source.local,type==exec.cachemount,type==source.git.checkout
`;
const classic = containerd.replace(/^ org.*(namespace|executor).*\n/gm, '');
const inactive = `Name:          rd
Driver:        remote
Last Activity: 2026-11-25 11:09:28 +0000 UTC

Nodes:
Name:     rd0
Endpoint: tcp://127.0.0.1:1
Status:   inactive
`;
const container = `Name:          multi
Driver:        docker-container
Last Activity: 2026-11-25 11:09:28 +0000 UTC

Nodes:
Name:                  multi0
Endpoint:              unix:///var/run/docker.sock
Driver Options:        network="host"
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement=network.host
BuildKit version:      v0.34.2
Platforms:             linux/amd64*, linux/arm64
Labels:
 org.mobyproject.buildkit.worker.executor:         oci

Name:     multi1
Endpoint: ssh://arm
Status:   running
BuildKit version: v0.34.1
Platforms: linux/arm64
`;
const dead = `Name:          default
Driver:        
Last Activity: 2026-11-25 11:08:17 +0000 UTC
Error:         Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?
`;

const own = {
  name: 'default',
  endpoint: 'default',
  status: 'running',
  buildkitVersion: 'v0.0.0+unknown',
  platforms: ['linux/amd64', 'linux/amd64/v2', 'linux/386'],
};

describe('parseBuilder', () => {
  it.each([
    [
      "an engine with containerd's store",
      containerd,
      { name: 'default', driver: 'docker', nodes: [{ ...own, isContainerdSnapshotter: true }] },
    ],
    [
      'an engine with the classic store',
      classic,
      { name: 'default', driver: 'docker', nodes: [{ ...own, isContainerdSnapshotter: false }] },
    ],
    [
      'a builder that does not run yet',
      inactive,
      {
        name: 'rd',
        driver: 'remote',
        nodes: [{ name: 'rd0', endpoint: 'tcp://127.0.0.1:1', status: 'inactive', platforms: [] }],
      },
    ],
    [
      'a builder of two nodes',
      container,
      {
        name: 'multi',
        driver: 'docker-container',
        nodes: [
          {
            name: 'multi0',
            endpoint: 'unix:///var/run/docker.sock',
            status: 'running',
            buildkitVersion: 'v0.34.2',
            platforms: ['linux/amd64', 'linux/arm64'],
          },
          {
            name: 'multi1',
            endpoint: 'ssh://arm',
            status: 'running',
            buildkitVersion: 'v0.34.1',
            platforms: ['linux/arm64'],
          },
        ],
      },
    ],
    ['nothing at all', '', { name: '', driver: '', nodes: [] }],
  ])('reads %s', (_, text, expected) => {
    expect(parseBuilder(text)).toEqual(expected);
  });

  it('says that the engine is dead, which buildx tells with exit code 0', () => {
    expect(() => parseBuilder(dead)).toThrow(
      'The Docker engine does not answer at unix:///nope. Start the Docker engine, or set DOCKER_HOST to one that runs.',
    );
  });
});

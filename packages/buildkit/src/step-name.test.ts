import { describe, expect, it } from 'vitest';
import type { StepName } from './build-step.ts';
import { classifyTransfer, parseStepName } from './step-name.ts';

const none = new Set<string>();

// Names that BuildKit 0.25 and buildx 0.29 wrote, and forms from their sources.
const names: readonly (readonly [string, StepName])[] = [
  [
    '[1/3] FROM docker.io/library/busybox:latest@sha256:27981d3e',
    {
      kind: 'instruction',
      index: 1,
      total: 3,
      keyword: 'FROM',
      instruction: 'FROM docker.io/library/busybox:latest@sha256:27981d3e',
    },
  ],
  [
    '[build 2/4] RUN npm ci',
    { kind: 'instruction', stage: 'build', index: 2, total: 4, keyword: 'RUN', instruction: 'RUN npm ci' },
  ],
  [
    '[linux/amd64 stage-1 1/1] COPY --from=build /a /b',
    {
      kind: 'instruction',
      platform: 'linux/amd64',
      stage: 'stage-1',
      index: 1,
      total: 1,
      keyword: 'COPY',
      instruction: 'COPY --from=build /a /b',
    },
  ],
  [
    '[linux/amd64->arm64 build 2/2] RUN make',
    {
      kind: 'instruction',
      platform: 'linux/amd64->arm64',
      stage: 'build',
      index: 2,
      total: 2,
      keyword: 'RUN',
      instruction: 'RUN make',
    },
  ],
  [
    '[linux/arm/v7 2/2] RUN make',
    {
      kind: 'instruction',
      platform: 'linux/arm/v7',
      index: 2,
      total: 2,
      keyword: 'RUN',
      instruction: 'RUN make',
    },
  ],
  [
    '[api base 1/2] FROM docker.io/library/busybox',
    {
      kind: 'instruction',
      target: 'api',
      stage: 'base',
      index: 1,
      total: 2,
      keyword: 'FROM',
      instruction: 'FROM docker.io/library/busybox',
    },
  ],
  [
    '[api linux/arm64 build 1/1] RUN x',
    {
      kind: 'instruction',
      target: 'api',
      platform: 'linux/arm64',
      stage: 'build',
      index: 1,
      total: 1,
      keyword: 'RUN',
      instruction: 'RUN x',
    },
  ],
  [
    '[api linux/arm64 1/1] RUN x',
    {
      kind: 'instruction',
      target: 'api',
      platform: 'linux/arm64',
      index: 1,
      total: 1,
      keyword: 'RUN',
      instruction: 'RUN x',
    },
  ],
  [
    '[stage-1 3/5] LINK COPY --link app.txt /c',
    {
      kind: 'instruction',
      stage: 'stage-1',
      index: 3,
      total: 5,
      keyword: 'COPY',
      instruction: 'COPY --link app.txt /c',
    },
  ],
  [
    '[2/5] ONBUILD RUN echo trigger',
    { kind: 'instruction', index: 2, total: 5, keyword: 'ONBUILD', instruction: 'ONBUILD RUN echo trigger' },
  ],
  [
    '[one 2/4] RUN <<EOT (echo first...)',
    {
      kind: 'instruction',
      stage: 'one',
      index: 2,
      total: 4,
      keyword: 'RUN',
      instruction: 'RUN <<EOT (echo first...)',
    },
  ],
  [
    '[build 2/4] RUN test [ 1/2 ] = [x]',
    {
      kind: 'instruction',
      stage: 'build',
      index: 2,
      total: 4,
      keyword: 'RUN',
      instruction: 'RUN test [ 1/2 ] = [x]',
    },
  ],
  ['[internal] load build definition from Dockerfile', { kind: 'frontend' }],
  ['[internal] load .dockerignore', { kind: 'frontend' }],
  ['[internal] load local bake definitions', { kind: 'frontend' }],
  ['[api internal] load build definition from Dockerfile', { kind: 'frontend', target: 'api' }],
  ['[internal] load metadata for docker.io/library/node:22', { kind: 'metadata' }],
  [
    '[linux/arm64 internal] load metadata for docker.io/library/node:22',
    { kind: 'metadata', platform: 'linux/arm64' },
  ],
  ['[internal] load build context', { kind: 'context' }],
  ['[internal] load git source https://github.com/o/r.git#main', { kind: 'context' }],
  ['[context extra] load from client', { kind: 'context' }],
  ['[api context extra] load .dockerignore', { kind: 'context', target: 'api' }],
  ['[auth] library/node:pull token for registry-1.docker.io', { kind: 'authentication' }],
  ['[internal] setting cache mount permissions', { kind: 'other' }],
  ['[internal] booting buildkit', { kind: 'other' }],
  ['importing cache manifest from ghcr.io/o/r:cache', { kind: 'cache-import' }],
  ['exporting cache to registry', { kind: 'cache-export' }],
  ['exporting cache to client directory', { kind: 'cache-export' }],
  ['exporting to GitHub Actions Cache', { kind: 'cache-export' }],
  ['exporting inline cache', { kind: 'cache-export' }],
  ['exporting cache to Amazon S3', { kind: 'cache-export' }],
  ['exporting to image', { kind: 'export' }],
  ['exporting to docker image format', { kind: 'export' }],
  ['exporting to client directory', { kind: 'export' }],
  ['pushing ghcr.io/o/r:1 with docker', { kind: 'export' }],
  ['importing to docker', { kind: 'export' }],
  ['[api] exporting to image', { kind: 'export', target: 'api' }],
  ['resolve image config for docker-image://docker.io/docker/dockerfile:1', { kind: 'frontend' }],
  [
    'docker-image://docker.io/docker/dockerfile:1@sha256:b6afd42430b15f2d2a4c5a02b919e98a525b785b1aaff16747d2f623364e39b6',
    { kind: 'frontend' },
  ],
  [
    '[linux/amd64] generating sbom using docker.io/docker/buildkit-syft-scanner:stable-1',
    { kind: 'other', platform: 'linux/amd64' },
  ],
  ['resolving provenance for metadata file', { kind: 'other' }],
  [
    'FROM docker.io/library/busybox:1.36@sha256:27981d3e',
    {
      kind: 'instruction',
      keyword: 'FROM',
      instruction: 'FROM docker.io/library/busybox:1.36@sha256:27981d3e',
    },
  ],
  [
    '[build  2/12] RUN x',
    { kind: 'instruction', stage: 'build', index: 2, total: 12, keyword: 'RUN', instruction: 'RUN x' },
  ],
  ['', { kind: 'other' }],
  ['[', { kind: 'other' }],
  ['[] 1/2', { kind: 'other' }],
  ['[ 1/2] RUN a', { kind: 'instruction', index: 1, total: 2, keyword: 'RUN', instruction: 'RUN a' }],
];

describe('parseStepName', () => {
  it.each(names)('%s', (name, expected) => {
    expect(parseStepName(name, none)).toEqual(expected);
  });

  it('takes one word for a stage, until it is known as a target', () => {
    expect(parseStepName('[api 1/2] FROM busybox', none)).toMatchObject({ stage: 'api' });
    const known = parseStepName('[api 1/2] FROM busybox', new Set(['api']));
    expect(known).toEqual({
      kind: 'instruction',
      target: 'api',
      index: 1,
      total: 2,
      keyword: 'FROM',
      instruction: 'FROM busybox',
    });
  });
});

describe('classifyTransfer', () => {
  const digest = 'sha256:1437778df2ca43777012923a76f6ff0666ba3f34ca61f5a98ed1aedd2e807601';
  it.each([
    ['transferring context:', '[internal] load build context', 'context'],
    ['transferring dockerfile:', '[internal] load build definition from Dockerfile', 'context'],
    [digest, '[build 1/2] FROM docker.io/library/node', 'pull'],
    ['resolve docker.io/library/node:22@sha256:1437', '[build 1/2] FROM docker.io/library/node', 'pull'],
    [`extracting ${digest}`, '[build 1/2] FROM docker.io/library/node', 'extract'],
    [digest, '[build 2/2] COPY . .', 'cache-read'],
    [digest, 'docker-image://docker.io/docker/dockerfile:1', 'pull'],
    ['inferred cache manifest type: application/x', 'importing cache manifest from r', 'cache-read'],
    ['preparing build cache for export', 'exporting cache to registry', 'cache-write'],
    [`writing layer ${digest}`, 'exporting to GitHub Actions Cache', 'cache-write'],
    ['preparing layers for inline cache', 'exporting to image', 'cache-write'],
    ['exporting layers', 'exporting to image', 'export-layers'],
    [`exporting manifest list ${digest}`, 'exporting to image', 'export-layers'],
    ['naming to docker.io/o/r:1', 'exporting to image', 'export-layers'],
    ['unpacking to docker.io/o/r:1', 'exporting to image', 'export-layers'],
    [`writing image ${digest}`, 'exporting to image', 'export-layers'],
    ['sending tarball', 'exporting to docker image format', 'export-layers'],
    ['loading layer 70d613204f84', 'importing to docker', 'export-layers'],
    ['pushing layers', 'exporting to image', 'push'],
    ['pushing manifest for ghcr.io/o/r:1@sha256:1', 'exporting to image', 'push'],
    ['pushing layer 70d613204f84', 'pushing ghcr.io/o/r:1 with docker', 'push'],
    ['something new', 'exporting to image', 'other'],
  ] as const)('%s of %s is %s', (id, name, expected) => {
    expect(classifyTransfer(id, parseStepName(name, none))).toBe(expected);
  });
});

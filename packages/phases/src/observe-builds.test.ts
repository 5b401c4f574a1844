import type { BuildRecord } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import { observeBuilds } from './observe-builds.ts';

const now = Date.UTC(2026, 11, 2);

function recordOf(change: {
  readonly tag?: string;
  readonly target?: string;
  readonly status?: BuildRecord['status'];
  readonly hitRatio?: number | undefined;
  readonly compressedBytes?: number | undefined;
}): BuildRecord {
  const {
    tag = 'ghcr.io/sophia/api:1',
    target = '',
    status = 'succeeded',
    hitRatio = 1,
    compressedBytes = 5e8,
  } = change;
  return {
    $schema: 'https://github.com/sophia/actions/schemas/build-record.v1.json',
    version: '1.0',
    kind: 'build',
    status,
    commit: '',
    ref: '',
    run: { repository: '', workflow: '', job: '', id: '', number: '', attempt: '', eventName: '', url: '' },
    machine: {
      cpuModel: 'AMD EPYC 7763',
      cpuCores: 4,
      memoryBytes: 1,
      operatingSystem: '',
      architecture: 'X64',
      runnerName: '',
      runnerEnvironment: '',
    },
    builder: { name: '', driver: 'docker', buildkitVersions: [], platforms: [] },
    inputs: {
      context: '.',
      file: 'Dockerfile',
      target,
      platforms: [],
      tags: [tag],
      buildArgNames: [],
      labelNames: [],
      secretIds: [],
      cacheFrom: [],
      cacheTo: [],
      outputs: [],
      isLoaded: false,
      isPushed: true,
      noCache: false,
      pull: false,
    },
    startedAt: '2026-12-02T00:00:00.000Z',
    durationMs: 7000,
    time: {} as BuildRecord['time'],
    remainderMs: 0,
    cache: { stepsReached: 4, stepsCached: 4, ...(hitRatio === undefined ? {} : { hitRatio }) },
    steps: [],
    image: {
      digest: '',
      references: [tag],
      platforms: [{ platform: 'linux/amd64', compressedBytes, layers: [] }],
    },
    warnings: [],
  };
}

const strata = (scenario: string, cache: string) => ({
  scenario,
  cache,
  cacheState: cache,
  cpuModel: 'AMD EPYC 7763',
  architecture: 'X64',
  driver: 'docker',
});

describe('observeBuilds', () => {
  it('takes the builds that the metric means, and no failed one', () => {
    const records = [
      recordOf({}),
      recordOf({ hitRatio: 0.5 }),
      recordOf({ hitRatio: 0 }),
      recordOf({ status: 'failed' }),
    ];
    expect(observeBuilds(records, { scenario: 'unchanged' }, now)).toEqual({
      kind: 'runs',
      observedAtMs: now,
      unit: 'ms',
      runs: [
        {
          timestampMs: now,
          value: 7000,
          image: 'ghcr.io/sophia/api . Dockerfile',
          strata: strata('unchanged', 'warm'),
        },
      ],
    });
  });

  it('takes another target for another image, and another tag for the same', () => {
    const records = [
      recordOf({ tag: 'localhost:5000/api:1' }),
      recordOf({ tag: 'localhost:5000/api:2' }),
      recordOf({ tag: 'localhost:5000/api:2', target: 'cuda' }),
    ];
    const observation = observeBuilds(records, { field: 'compressedBytes' }, now);
    expect(observation.kind === 'runs' && observation.runs.map(({ image, value }) => [image, value])).toEqual(
      [
        ['localhost:5000/api . Dockerfile', 5e8],
        ['localhost:5000/api . Dockerfile', 5e8],
        ['localhost:5000/api . Dockerfile cuda', 5e8],
      ],
    );
  });

  it.each([
    [[], { scenario: 'cold' }, 'No build record is of the kind asked for.'],
    [
      [recordOf({})],
      { scenario: 'source-change' },
      'Build records do not tell the scenario "source-change" from others that change something.',
    ],
    [[recordOf({})], { field: 'config.user' }, 'Build records have no field "config.user".'],
    [[recordOf({})], { field: 'constructor' }, 'Build records have no field "constructor".'],
    [
      [recordOf({})],
      { branch: 'main' },
      'A build’s record does not tell its branch: the builds meant can’t be selected.',
    ],
  ])('is absent where the records do not tell: %#', (records, select, message) => {
    expect(observeBuilds(records, select as Record<string, string>, now)).toEqual({
      kind: 'absent',
      reason: 'missing',
      message,
    });
  });
});

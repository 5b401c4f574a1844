import { describe, expect, it } from 'vitest';
import { toCriterion } from './criterion.ts';
import { terms } from './fixtures/evidence.ts';
import { judgeCriterion } from './judge-criterion.ts';
import { observeCluster } from './observe-cluster.ts';

const HEARTBEAT = new Date(terms.nowMs - 60_000).toISOString().replace('.000Z', 'Z');
const WORKLOAD = 'workload.sophia.ai/training';

type Change = {
  readonly labels?: Record<string, string>;
  readonly capacity?: Record<string, string>;
  readonly heartbeat?: string | undefined;
};

/** A node as kubectl prints it, of what the check reads. */
function node(name: string, change: Change = {}) {
  const { labels = { gpu: 'a100', [WORKLOAD]: 'true' }, capacity = { cpu: '8', 'nvidia.com/gpu': '1' } } =
    change;
  const heartbeat = 'heartbeat' in change ? change.heartbeat : HEARTBEAT;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, creationTimestamp: '2026-11-01T00:00:00Z' },
    status: {
      capacity,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastHeartbeatTime: heartbeat,
          lastTransitionTime: '2026-11-01T00:00:00Z',
        },
      ],
    },
  };
}
const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', namespace: 'a' }, status: {} };
const list = (...items: unknown[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

const criterion = toCriterion(
  {
    name: 'gpu-labels',
    dataSource: 'cluster',
    check: 'node-labels',
    target: { op: '==', value: 1, unit: 'ratio' },
  },
  'cluster',
  { kind: 'cluster', check: 'node-labels' },
);
const judge = (json: string, capturedAtMs?: number) =>
  judgeCriterion(criterion, observeCluster('node-labels', json, capturedAtMs), terms);

describe('observeCluster', () => {
  it('passes where every node with a GPU has both labels, whatever else there is', () => {
    const json = list(
      node('a'),
      node('cpu', { labels: {}, capacity: { cpu: '8', 'nvidia.com/gpu': '0' } }),
      pod,
    );
    expect(judge(json)).toMatchObject({ verdict: { kind: 'pass' }, value: 1, notes: [] });
  });

  it.each([
    ['no label', {}],
    ['no workload', { gpu: 'a100' }],
    ['no GPU type', { [WORKLOAD]: 'true' }],
    ['a workload that is not true', { gpu: 'a100', [WORKLOAD]: 'false' }],
    ['an empty GPU type', { gpu: '', [WORKLOAD]: 'true' }],
  ])('fails and names the node that has %s', (_, labels) => {
    expect(judge(list(node('a'), node('b', { labels }), pod))).toMatchObject({
      verdict: { kind: 'fail', message: 'It is 0.5: expected == 1 ratio.' },
      notes: ['All but b'],
    });
  });

  it.each([
    ['a part of one', { labels: {}, capacity: { 'nvidia.com/mig-1g.5gb': '7' } }],
    ['one that feature discovery found', { labels: { 'nvidia.com/gpu.present': 'true' }, capacity: {} }],
    [
      'one on its bus',
      { labels: { 'feature.node.kubernetes.io/pci-0302_10de.present': 'true' }, capacity: {} },
    ],
    ['one that its label claims', { labels: { gpu: 'a10' }, capacity: {} }],
  ])('counts a node with %s, though its driver may offer none', (_, change) => {
    expect(judge(list(node('a'), node('b', change))).verdict.kind).toBe('fail');
  });

  it('names five of many', () => {
    const json = list(
      ...Array.from({ length: 8 }, (_, index) => node(`n${index}`, { labels: { gpu: 'x' } })),
    );
    expect(judge(json).notes).toEqual(['All but n0, n1, n2, n3, n4 and 3 more']);
  });

  it.each([
    ['nothing', '', 'not-data'],
    ['a web page', '<html>', 'not-data'],
    ['half a list', list(node('a')).slice(0, -10), 'not-data'],
    ['an error of the API', '{"kind":"Status","status":"Failure"}', 'not-data'],
    ['one node by itself', JSON.stringify(node('a')), 'not-data'],
    ['an item that is no object', list(node('a'), 3), 'not-data'],
    ['labels that are none', list({ ...node('a'), metadata: { name: 'a', labels: { gpu: 3 } } }), 'not-data'],
    ['a node twice', list(node('a'), node('a')), 'not-data'],
    ['no node', list(pod), 'missing'],
    ['an empty list', list(), 'missing'],
    ['no GPU', list(node('a', { labels: {}, capacity: {} })), 'missing'],
    [
      'a page of a list',
      JSON.stringify({ kind: 'NodeList', metadata: { continue: 'token' }, items: [node('a')] }),
      'partial',
    ],
    ['old nodes', list(node('a', { heartbeat: '2026-12-01T00:00:00Z' })), 'stale'],
    ['nodes of the future', list(node('a', { heartbeat: '2027-12-01T00:00:00Z' })), 'clock-skew'],
    [
      'no time at all',
      list({
        ...node('a', { heartbeat: undefined }),
        metadata: { name: 'a' },
        status: { capacity: { 'nvidia.com/gpu': '1' } },
      }),
      'missing',
    ],
  ])('is inconclusive on %s', (_, json, reason) => {
    expect(judge(json).verdict).toMatchObject({ kind: 'inconclusive', reason });
  });

  it('does not take old nodes for new ones because the file is new', () => {
    const old = list(node('a', { heartbeat: '2026-12-01T00:00:00Z' }));
    expect(judge(old, terms.nowMs).verdict).toMatchObject({ kind: 'inconclusive', reason: 'stale' });
    expect(judge(list(node('a')), terms.nowMs - 86_400_000).verdict).toMatchObject({ reason: 'stale' });
    expect(judge(list(node('a')), terms.nowMs).verdict).toEqual({ kind: 'pass' });
  });

  it('knows no other check', () => {
    expect(observeCluster('node-label', list(node('a')))).toEqual({
      kind: 'absent',
      reason: 'missing',
      message:
        'A snapshot of a cluster has no check "node-label": expected "node-labels". Did you mean "node-labels"?',
    });
  });
});

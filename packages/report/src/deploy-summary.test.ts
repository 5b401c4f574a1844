import type { DeployRecord } from '@sophia/records';
import { describe, expect, it } from 'vitest';
import { renderDeploySummary, renderDeployVerdict } from './deploy-summary.ts';

const record: DeployRecord = {
  $schema: 'https://github.com/sophia/actions/schemas/deploy-record.v1.json',
  version: '1.0',
  kind: 'deploy',
  status: 'rolled-back',
  reason: 'crash-loop',
  message: 'Deployment inference/vllm does not stay up: container vllm ended 3 times with exit code 1.',
  commit: 'c0ffee',
  ref: 'refs/heads/main',
  run: {
    repository: 'octo-org/app',
    workflow: 'deploy',
    job: 'deploy',
    id: '1',
    number: '1',
    attempt: '1',
    eventName: 'push',
    url: '',
  },
  inputs: {
    manifests: ['deploy'],
    images: [],
    gpu: '',
    strategy: 'auto',
    timeoutMs: 600_000,
    dryRun: 'none',
    rollback: 'auto',
  },
  namespace: 'default',
  startedAt: '2026-11-25T12:00:00.000Z',
  durationMs: 8200,
  planMs: 200,
  objects: [{ subject: 'Deployment inference/vllm', change: 'restored' }],
  workloads: [
    {
      subject: 'Deployment inference/vllm',
      replicas: 1,
      images: ['vllm@sha256:aa'],
      gpusPerPod: 1,
      strategy: 'recreate',
      strategyReason: 'No Pod serves meanwhile.',
      nodes: [
        { node: 'a', verdict: 'fits', reasons: [] },
        { node: 'b', verdict: 'misfit', reasons: ['Node b has no nvidia.com/gpu, and the Pod asks for 1.'] },
      ],
      placement: { a: 1 },
    },
  ],
  nodes: [
    { name: 'a', gpu: 'a100', architecture: 'amd64', allocatableGpus: 1, usedGpus: 1, isCordoned: false },
    { name: 'b', gpu: '', architecture: 'arm64', allocatableGpus: 0, usedGpus: 0, isCordoned: false },
  ],
  findings: [
    {
      code: 'crash-loop',
      class: 'failed',
      subject: 'Deployment inference/vllm',
      message: 'It does not stay up.',
      details: ['Pod vllm-1: exit code 1'],
    },
  ],
  timeline: [{ atMs: 200, text: 'Changed Deployment inference/vllm' }],
  evidence: {
    events: [{ subject: 'Pod vllm-1', reason: 'BackOff', message: 'restarting', count: 3, lastSeen: '' }],
    logs: [{ pod: 'vllm-1', container: 'vllm', isPrevious: true, lines: ['RuntimeError: no kernel image'] }],
  },
};

describe('renderDeployVerdict', () => {
  it('says what came of it, by which cause, and after how long', () => {
    expect(renderDeployVerdict(record)).toBe(
      'Rolled back (crash-loop) after 8.20 s: Deployment inference/vllm does not stay up: container vllm ended 3 times with exit code 1.',
    );
  });
});

describe('renderDeploySummary', () => {
  it('has the verdict, the workload, each node and why not, what happened and the evidence', () => {
    const summary = renderDeploySummary(record);
    expect(summary.split('\n')).toEqual(
      expect.arrayContaining([
        '### Deployment to `inference`',
        '| `Deployment inference/vllm` | 1 | 1 | recreate | `a` × 1 |  |',
        '- `Deployment inference/vllm`: No Pod serves meanwhile.',
        '| `a` | a100 | amd64 | 1 of 1 | ████████ | fits |',
        '| `b` |  | arm64 | 0 of 0 |  | has no nvidia.com/gpu, and the Pod asks for 1. |',
        '| 0.2 s | Changed Deployment inference/vllm |',
        '    RuntimeError: no kernel image',
        '| `Pod vllm-1` | BackOff | restarting | 3 |',
        '1 restored: `Deployment inference/vllm`',
      ]),
    );
  });

  it('lets nothing of a cluster become markup', () => {
    const hostile = '</details><img src=x onerror=alert(1)> | @everyone [x](https://example.org) `code`';
    const summary = renderDeploySummary({
      ...record,
      message: hostile,
      findings: [
        { code: 'unknown', class: 'failed', subject: hostile, message: hostile, details: [hostile] },
      ],
      timeline: [{ atMs: 1, text: hostile }],
      evidence: {
        events: [{ subject: hostile, reason: hostile, message: hostile, count: 1, lastSeen: '' }],
        logs: [{ pod: hostile, container: hostile, isPrevious: false, lines: ['```\u2028# title'] }],
      },
    });
    const outsideCode = summary
      .split('\n')
      .filter((line) => !line.startsWith('    '))
      .join('\n')
      .replace(/(`+)[\s\S]*?\1/g, '');
    expect(outsideCode).not.toMatch(/<img|<\/details>|@everyone|\]\(https/);
    expect(summary).not.toContain('\u2028');
  });
});

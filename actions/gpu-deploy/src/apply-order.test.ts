import { describe, expect, it } from 'vitest';
import { toApplyGroups } from './apply-order.ts';

const item = (kind: string, apiVersion = 'v1') => ({ object: { apiVersion, kind, metadata: { name: 'x' } } });

describe('toApplyGroups', () => {
  it('puts what is needed before what needs it, and keeps equals together', () => {
    const kinds = [
      'HorizontalPodAutoscaler',
      'Deployment',
      'Service',
      'ConfigMap',
      'ExternalSecret',
      'ServiceAccount',
      'Secret',
      'CustomResourceDefinition',
      'Namespace',
      'StatefulSet',
      'RoleBinding',
      'Role',
    ];
    expect(
      toApplyGroups(kinds.map((kind) => item(kind))).map((group) => group.map(({ object }) => object.kind)),
    ).toEqual([
      ['Namespace'],
      ['CustomResourceDefinition'],
      ['ServiceAccount', 'Role'],
      ['RoleBinding'],
      ['ConfigMap', 'Secret'],
      ['Service'],
      ['ExternalSecret'],
      ['Deployment', 'StatefulSet'],
      ['HorizontalPodAutoscaler'],
    ]);
  });

  it('has no group for nothing', () => {
    expect(toApplyGroups([])).toEqual([]);
  });
});

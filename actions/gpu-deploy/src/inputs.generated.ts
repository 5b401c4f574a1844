// Written by script/generate.ts from action.yml.
import type { InputTable } from '@sophia/action';

export const inputTable = {
  'manifests': { type: 'lines', isRequired: true },
  'images': { type: 'lines' },
  'namespace': { type: 'string' },
  'gpu': { type: 'string' },
  'gpu-count': { type: 'string' },
  'strategy': { type: 'choice', choices: ['auto', 'rolling', 'recreate'], default: 'auto' },
  'timeout': { type: 'duration', default: '10m' },
  'dry-run': { type: 'choice', choices: ['none', 'server', 'offline'], default: 'none' },
  'inventory': { type: 'string' },
  'rollback': { type: 'choice', choices: ['auto', 'off'], default: 'auto' },
  'kubeconfig': { type: 'string' },
  'context': { type: 'string' },
} as const satisfies InputTable;

export type OutputName = 'record' | 'status' | 'reason' | 'message' | 'placement';

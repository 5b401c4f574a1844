// Written by script/generate.ts from action.yml.
import type { InputTable } from '@sophia/action';

export const inputTable = {
  'phase': { type: 'string', isRequired: true },
  'data-sources': { type: 'lines' },
  'since': { type: 'string' },
  'on-missing': { type: 'choice', choices: ['fail', 'inconclusive'] },
  'check-name': { type: 'string' },
  'dry-run': { type: 'boolean', default: 'false' },
  'github-token': { type: 'string', default: '${{ github.token }}' },
} as const satisfies InputTable;

export type OutputName = 'result' | 'failed-metrics' | 'inconclusive-metrics' | 'evidence' | 'check-url';

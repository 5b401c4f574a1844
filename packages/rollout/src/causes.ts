import type { Cause } from './cause.ts';
import { archMismatch } from './causes/arch-mismatch.ts';
import { cpuInsufficient } from './causes/cpu-insufficient.ts';
import { gpuFragmented } from './causes/gpu-fragmented.ts';
import { gpuInsufficient } from './causes/gpu-insufficient.ts';
import { gpuNone } from './causes/gpu-none.ts';
import { gpuPerNode } from './causes/gpu-per-node.ts';
import { memoryInsufficient } from './causes/memory-insufficient.ts';
import { nodeCordoned } from './causes/node-cordoned.ts';
import { nodeLabelMissing } from './causes/node-label-missing.ts';
import { nodeNotReady } from './causes/node-not-ready.ts';
import { podsFull } from './causes/pods-full.ts';
import { portsConflict } from './causes/ports-conflict.ts';
import { storageInsufficient } from './causes/storage-insufficient.ts';
import { taintNotTolerated } from './causes/taint-not-tolerated.ts';
import { unknown } from './causes/unknown.ts';

/** Every cause there is. Within a stage the first that holds is the one to name. */
export const CAUSES: readonly Cause[] = [
  nodeLabelMissing,
  gpuNone,
  gpuPerNode,
  archMismatch,
  nodeNotReady,
  taintNotTolerated,
  nodeCordoned,
  gpuFragmented,
  gpuInsufficient,
  memoryInsufficient,
  cpuInsufficient,
  storageInsufficient,
  podsFull,
  portsConflict,
  unknown,
];

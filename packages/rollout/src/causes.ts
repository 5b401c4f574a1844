import type { Cause } from './cause.ts';
import { admissionDenied } from './causes/admission-denied.ts';
import { admissionUnavailable } from './causes/admission-unavailable.ts';
import { archMismatch } from './causes/arch-mismatch.ts';
import { configMissing } from './causes/config-missing.ts';
import { cpuInsufficient } from './causes/cpu-insufficient.ts';
import { crashLoop } from './causes/crash-loop.ts';
import { dependencyMissing } from './causes/dependency-missing.ts';
import { fieldConflict } from './causes/field-conflict.ts';
import { gpuFragmented } from './causes/gpu-fragmented.ts';
import { gpuInsufficient } from './causes/gpu-insufficient.ts';
import { gpuNone } from './causes/gpu-none.ts';
import { gpuPerNode } from './causes/gpu-per-node.ts';
import { gpuSurgeDeadlock } from './causes/gpu-surge-deadlock.ts';
import { imageNotFound } from './causes/image-not-found.ts';
import { imagePullDenied } from './causes/image-pull-denied.ts';
import { immutableField } from './causes/immutable-field.ts';
import { initFailed } from './causes/init-failed.ts';
import { jobBackoff } from './causes/job-backoff.ts';
import { kindUnknown } from './causes/kind-unknown.ts';
import { manifestInvalid } from './causes/manifest-invalid.ts';
import { memoryInsufficient } from './causes/memory-insufficient.ts';
import { namespaceTerminating } from './causes/namespace-terminating.ts';
import { nodeCordoned } from './causes/node-cordoned.ts';
import { nodeLabelMissing } from './causes/node-label-missing.ts';
import { nodeNotReady } from './causes/node-not-ready.ts';
import { oomKilled } from './causes/oom-killed.ts';
import { podCreateDenied } from './causes/pod-create-denied.ts';
import { podsFull } from './causes/pods-full.ts';
import { portsConflict } from './causes/ports-conflict.ts';
import { progressDeadline } from './causes/progress-deadline.ts';
import { quotaExceeded } from './causes/quota-exceeded.ts';
import { rbacDenied } from './causes/rbac-denied.ts';
import { readinessFailing } from './causes/readiness-failing.ts';
import { rolloutPaused } from './causes/rollout-paused.ts';
import { runAsRootRefused } from './causes/run-as-root-refused.ts';
import { storageInsufficient } from './causes/storage-insufficient.ts';
import { superseded } from './causes/superseded.ts';
import { taintNotTolerated } from './causes/taint-not-tolerated.ts';
import { unknown } from './causes/unknown.ts';

/** Every cause there is. Within a stage the first that holds is the one to name. */
export const CAUSES: readonly Cause[] = [
  namespaceTerminating,
  quotaExceeded,
  podCreateDenied,
  admissionUnavailable,
  admissionDenied,
  rbacDenied,
  dependencyMissing,
  kindUnknown,
  immutableField,
  fieldConflict,
  manifestInvalid,
  nodeLabelMissing,
  gpuNone,
  gpuPerNode,
  gpuSurgeDeadlock,
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
  imageNotFound,
  imagePullDenied,
  configMissing,
  runAsRootRefused,
  initFailed,
  oomKilled,
  crashLoop,
  readinessFailing,
  jobBackoff,
  rolloutPaused,
  superseded,
  progressDeadline,
  unknown,
];

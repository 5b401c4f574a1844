export type {
  AccessQuestion,
  ApplyOptions,
  Cluster,
  KubernetesObject,
  LogSelection,
  ObjectKey,
  ObjectMetadata,
  ResourceType,
  Selection,
  WatchEvent,
  WriteOptions,
} from './cluster.ts';
export { type FieldCause, KubernetesError } from './kubernetes-error.ts';
export type { ImageReplacement, Manifest, ManifestSource } from './manifest.ts';

export type {
  AccessQuestion,
  ApplyOptions,
  Cluster,
  KubernetesObject,
  LogSelection,
  ObjectKey,
  ObjectMetadata,
  RemoveOptions,
  ResourceType,
  Selection,
  WatchEvent,
  WriteOptions,
} from './cluster.ts';
export { type ConnectOptions, connectCluster } from './connect-cluster.ts';
export { KubeconfigError } from './kubeconfig-error.ts';
export { type FieldCause, KubernetesError } from './kubernetes-error.ts';
export type { ImageReplacement, Manifest, ManifestSource } from './manifest.ts';
export { ManifestError, type ManifestProblem } from './manifest-error.ts';
export { type ReadManifestsOptions, readManifests } from './read-manifests.ts';
export { type ReplacedImages, replaceImages } from './replace-images.ts';

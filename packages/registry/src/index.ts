export type { ProgramResult, RunProgram } from './credential-helper.ts';
export { computeDigest, type Digest, isDigest } from './digest.ts';
export { simplifyCreatedBy } from './history.ts';
export type { Attestation, Image, Layer, PlatformImage } from './image.ts';
export type { Descriptor, Manifest, StoredImage, StoredIndex } from './manifest.ts';
export {
  InvalidReferenceError,
  identifierOf,
  isSameRepository,
  parseReference,
  type Reference,
  renderFamiliar,
  renderReference,
  withDigest,
  withTag,
} from './reference.ts';
export type { Artifact, PushedArtifact } from './referrers.ts';
export { createRegistry, type Registry, type RegistryOptions } from './registry.ts';
export { RegistryError } from './registry-error.ts';
export type { Retagged } from './retag.ts';

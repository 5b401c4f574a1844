import { type Connection, createConnection } from './connection.ts';
import { type RunProgram, runProgram } from './credential-helper.ts';
import type { Digest } from './digest.ts';
import { createCredentialFinder } from './docker-config.ts';
import { type Image, readImage } from './image.ts';
import type { Descriptor, Manifest } from './manifest.ts';
import type { Reference } from './reference.ts';
import { type Artifact, listReferrers, type PushedArtifact, pushArtifact } from './referrers.ts';
import {
  type Call,
  deleteManifest,
  findDigest,
  findManifest,
  putBlob,
  putManifest,
  readBlob,
  readManifest,
} from './repository.ts';
import { type Retagged, retag } from './retag.ts';
import { createTransport, type TransportOptions } from './transport.ts';

/**
 * The registries of the world, with the logins of the Docker config. Every call may reject with a
 * `RegistryError`, or with the signal's reason once that aborts; a host is asked for its login once.
 */
export interface Registry {
  /** The digest a reference names, in one HEAD; undefined when it isn't there (404). */
  resolveDigest(reference: Reference, signal?: AbortSignal): Promise<Digest | undefined>;
  /** The manifest or index a reference names, verified; undefined when it isn't there (404). */
  findManifest(reference: Reference, signal?: AbortSignal): Promise<Manifest | undefined>;
  /** The same, where it must be there. */
  readManifest(reference: Reference, signal?: AbortSignal): Promise<Manifest>;
  /** Sizes, layers and instructions of each platform. */
  readImage(reference: Reference, signal?: AbortSignal): Promise<Image>;
  /** A blob of the reference's repository, verified, at most `maxBytes` long. */
  readBlob(
    repository: Reference,
    digest: Digest,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Names what `source` names `target` too, with the same digest and without moving layers. */
  retag(source: Reference, target: Reference, signal?: AbortSignal): Promise<Retagged>;
  /** The manifests that have `digest` as their subject. */
  listReferrers(
    repository: Reference,
    digest: Digest,
    artifactType?: string,
    signal?: AbortSignal,
  ): Promise<readonly Descriptor[]>;
  /** Stores a small artifact, found by its subject, its tag, or both. */
  pushArtifact(repository: Reference, artifact: Artifact, signal?: AbortSignal): Promise<PushedArtifact>;
  /** Stores a blob in one piece. */
  putBlob(repository: Reference, bytes: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<Digest>;
  /** Stores manifest bytes unchanged under a tag or digest; their blobs must be there. */
  putManifest(
    reference: Reference,
    manifest: {
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly mediaType: string;
      readonly digest: Digest;
    },
    signal?: AbortSignal,
  ): Promise<void>;
  /** Deletes by digest (with all tags) or, where the registry can, one tag; false when it wasn't there. */
  deleteManifest(reference: Reference, signal?: AbortSignal): Promise<boolean>;
}

/** What a registry client takes from outside. */
export interface RegistryOptions extends TransportOptions {
  /** Environment: `DOCKER_CONFIG`, `DOCKER_AUTH_CONFIG`, `HOME`, and `PATH` for credential helpers. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Starts credential helpers; Node's own way by default. */
  readonly run?: RunProgram;
}

/** Makes the client. Nothing is read or sent before the first call. */
export function createRegistry(options: RegistryOptions): Registry {
  const send = createTransport(options);
  const findCredentials = createCredentialFinder(options.env, options.run ?? runProgram);
  const now = options.now ?? Date.now;
  const connections = new Map<string, Connection>();
  const callTo = ({ host }: Reference, signal: AbortSignal = new AbortController().signal): Call => {
    const known = connections.get(host);
    const connection = known ?? createConnection(host, { send, findCredentials, now });
    if (known === undefined) connections.set(host, connection);
    return { connection, signal };
  };
  return {
    resolveDigest: async (reference, signal) => findDigest(callTo(reference, signal), reference),
    findManifest: async (reference, signal) => findManifest(callTo(reference, signal), reference),
    readManifest: async (reference, signal) => readManifest(callTo(reference, signal), reference),
    readImage: async (reference, signal) => readImage(callTo(reference, signal), reference),
    readBlob: async (repository, digest, maxBytes, signal) =>
      readBlob(callTo(repository, signal), repository, digest, maxBytes),
    retag: async (source, target, signal) => retag(callTo(target, signal), source, target),
    listReferrers: async (repository, digest, artifactType, signal) =>
      listReferrers(callTo(repository, signal), repository, digest, artifactType),
    pushArtifact: async (repository, artifact, signal) =>
      pushArtifact(callTo(repository, signal), repository, artifact),
    putBlob: async (repository, bytes, signal) => putBlob(callTo(repository, signal), repository, bytes),
    putManifest: async (reference, manifest, signal) => {
      await putManifest(callTo(reference, signal), reference, manifest);
    },
    deleteManifest: async (reference, signal) => deleteManifest(callTo(reference, signal), reference),
  };
}

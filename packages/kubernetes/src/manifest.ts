import type { KubernetesObject } from './cluster.ts';

/** An object of a manifest and where it was written. */
export type Manifest = {
  /** Its `metadata.namespace` is as written; see `Cluster.findType` for what has one at all. */
  readonly object: KubernetesObject;
  readonly source: ManifestSource;
};

export type ManifestSource = {
  /** As the user named it; for a kustomization its folder. */
  readonly file: string;
  /** Which document of the file, from 1. */
  readonly document: number;
  /** Where the document begins, from 1; undefined in a kustomization's output, whose lines nobody has seen. */
  readonly line: number | undefined;
};

/** An image to put in the place of all with the same name: `inference/vllm` ▶ `registry.example/inference/vllm@sha256:…`. */
export type ImageReplacement = { readonly name: string; readonly reference: string };

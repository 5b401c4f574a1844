import type { KubernetesObject } from './cluster.ts';
import type { ImageReplacement, Manifest } from './manifest.ts';
import { ManifestError } from './manifest-error.ts';
import { quoteList, toOneLine } from './plain-text.ts';

export type ReplacedImages = {
  readonly manifests: readonly Manifest[];
  /** Names that no manifest uses. */
  readonly unused: readonly string[];
};

/** Kinds whose lists of containers are no containers, or whose contents are nobody's to change. */
const LEFT_ALONE = new Set(['CustomResourceDefinition', 'ConfigMap', 'Secret']);
const CONTAINER_LISTS = new Set(['containers', 'initContainers', 'ephemeralContainers']);

/**
 * Replaces images wherever an object has a Pod's containers or image volumes, also in kinds that this code doesn't
 * know, as kustomize does: by name without tag and digest, as written; or else by what the name stands for, so that
 * `nginx` is also `docker.io/library/nginx`.
 *
 * @throws {ManifestError} where a replacement has no digest, or a name is there twice.
 */
export function replaceImages(
  manifests: readonly Manifest[],
  replacements: readonly ImageReplacement[],
): ReplacedImages {
  checkReplacements(replacements);
  const used = new Set<ImageReplacement>();
  const replace = (image: unknown): unknown => {
    if (typeof image !== 'string') return image;
    const name = nameOf(image);
    const found =
      replacements.find((replacement) => nameOf(replacement.name) === name) ??
      replacements.find((replacement) => qualify(nameOf(replacement.name)) === qualify(name));
    if (found === undefined) return image;
    used.add(found);
    return found.reference;
  };
  return {
    manifests: manifests.map((manifest) =>
      LEFT_ALONE.has(manifest.object.kind)
        ? manifest
        : { ...manifest, object: rewrite(manifest.object, replace) as KubernetesObject },
    ),
    unused: replacements.filter((replacement) => !used.has(replacement)).map(({ name }) => name),
  };
}

function checkReplacements(replacements: readonly ImageReplacement[]): void {
  const loose = replacements.filter(({ reference }) => !/^\S+@sha256:[0-9a-f]{64}$/.test(reference));
  if (loose.length > 0) {
    const names = quoteList(
      loose.map(({ name }) => name),
      5,
    );
    throw new ManifestError(
      [],
      `The image for ${names} has no digest, expected NAME=REFERENCE@sha256:… with 64 digits. Give the digest.`,
    );
  }
  const names = replacements.map(({ name }) => qualify(nameOf(name)));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new ManifestError([], `The image "${toOneLine(twice, 100)}" is given twice. Take one out.`);
}

function rewrite(value: unknown, replace: (image: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, replace));
  if (typeof value !== 'object' || value === null) return value;
  const hasContainers = 'containers' in value && Array.isArray(value.containers);
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      if (CONTAINER_LISTS.has(key) && Array.isArray(child))
        return [key, child.map((item) => replaceIn(item, 'image', replace))];
      if (key === 'volumes' && hasContainers && Array.isArray(child))
        return [key, child.map((item) => replaceInVolume(item, replace))];
      return [key, rewrite(child, replace)];
    }),
  );
}

function replaceIn(item: unknown, field: string, replace: (image: unknown) => unknown): unknown {
  return typeof item === 'object' && item !== null && field in item
    ? { ...item, [field]: replace((item as Readonly<Record<string, unknown>>)[field]) }
    : item;
}

function replaceInVolume(volume: unknown, replace: (image: unknown) => unknown): unknown {
  return typeof volume === 'object' && volume !== null && 'image' in volume
    ? { ...volume, image: replaceIn(volume.image, 'reference', replace) }
    : volume;
}

/** A reference without its tag and digest. */
function nameOf(reference: string): string {
  const name = reference.trim().replace(/@.*$/s, '');
  const slash = name.lastIndexOf('/');
  const colon = name.indexOf(':', slash + 1);
  return colon === -1 ? name : name.slice(0, colon);
}

/** What a familiar name stands for (distribution/reference, `ParseDockerRef`). */
function qualify(name: string): string {
  const slash = name.indexOf('/');
  const host = slash === -1 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(host) || host === 'localhost' || host !== host.toLowerCase();
  const [domain, path] = isHost ? [host, name.slice(slash + 1)] : ['docker.io', name];
  if (domain !== 'docker.io' && domain !== 'index.docker.io') return `${domain}/${path}`;
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}

import { type Digest, findDigestProblem, isDigest, shortenDigest } from './digest.ts';
import { toOneLine } from './plain-text.ts';

declare const parsed: unique symbol;

/**
 * The name of an image in a registry, normalised as Docker does. Only `parseReference` and the `with…`
 * functions here make one, so its parts are always valid: they may be put into a URL as they are.
 */
export interface Reference {
  /** Host with an optional port; `docker.io` for Docker Hub, whatever way it was written. */
  readonly host: string;
  /** Path within the host, `library/debian` for `debian`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
  readonly [parsed]: true;
}

/** A text that isn't a reference: the user's to correct. `problem` and `fix` serve to build another sentence. */
export class InvalidReferenceError extends Error {
  override readonly name = 'InvalidReferenceError';
  /** What is wrong, in words that follow the quoted text: `has upper case in …: expected …`. */
  readonly problem: string;
  /** One imperative sentence, with its full stop. */
  readonly fix: string;

  constructor(text: string, problem: string, fix: string) {
    super(`Reference "${toOneLine(text, 40)}" ${problem}. ${fix}`);
    this.problem = problem;
    this.fix = fix;
  }
}

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_LEGACY = 'index.docker.io';
const MAX_REPOSITORY_CHARACTERS = 255;
const MAX_TAG_CHARACTERS = 128;
/** Longer than any valid one (a host of 259, 255, 128, 135 and separators); above it nothing is searched. */
const MAX_REFERENCE_CHARACTERS = 800;

const HOST_LABEL = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)';
const HOST = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/**
 * Parses `[host/]repository[:tag][@digest]` by the grammar and the normalisation of distribution/reference,
 * which Docker, BuildKit and containerd use: `debian` becomes `docker.io/library/debian`, the first part is
 * a host when it is `localhost`, holds "." or ":", or has upper case. No tag is added: see `identifierOf`.
 *
 * Stricter than that grammar in one point: a host that no URL can hold (`a_b.com`, port 70000,
 * `[::::]`) is refused here instead of failing later on the network.
 *
 * @throws {InvalidReferenceError} with what is wrong and how to put it right.
 * @see https://github.com/distribution/reference (`reference.go`, `normalize.go`)
 */
export function parseReference(text: string): Reference {
  checkWhole(text);
  const { host, rest } = splitHost(text);
  const at = rest.indexOf('@');
  const named = at === -1 ? rest : rest.slice(0, at);
  const digest = at === -1 ? undefined : rest.slice(at + 1);
  const colon = named.indexOf(':');
  const repository = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  checkHost(text, host);
  checkRepository(text, repository);
  if (tag !== undefined) checkTag(text, tag);
  return make(host, repository, tag, digest === undefined ? undefined : checkDigest(text, digest));
}

/** The full text of a reference, `docker.io/library/debian:12`; `parseReference` gives the same value back. */
export function renderReference(reference: Reference): string {
  return `${reference.host}/${renderWithoutHost(reference)}`;
}

/** The short text people write: without `docker.io/` and, there, without `library/`. */
export function renderFamiliar(reference: Reference): string {
  if (reference.host !== DOCKER_HUB) return renderReference(reference);
  const text = renderWithoutHost(reference);
  return /^library\/[^/]+$/.test(reference.repository) ? text.slice('library/'.length) : text;
}

/** `repository[:tag][@digest]`, for texts that name the host elsewhere. */
function renderWithoutHost({ repository, tag, digest }: Reference): string {
  return `${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** `repository:tag`, or `repository@` with the first 12 digits of the digest, for lines that people read. */
export function renderShort(reference: Reference): string {
  const { repository, digest } = reference;
  return digest === undefined ? renderWithoutHost(reference) : `${repository}@${shortenDigest(digest)}`;
}

/** What a registry is asked for: the digest where there is one, else the tag, else `latest`. */
export function identifierOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/** The same repository under another tag, without a digest. @throws {InvalidReferenceError} on a bad tag. */
export function withTag(reference: Reference, tag: string): Reference {
  checkTag(`${reference.host}/${reference.repository}:${tag}`, tag);
  return make(reference.host, reference.repository, tag, undefined);
}

/** The same repository at a digest, without a tag. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return make(reference.host, reference.repository, undefined, digest);
}

/** Whether both are in the same repository of the same host. */
export function isSameRepository(a: Reference, b: Reference): boolean {
  return a.host === b.host && a.repository === b.repository;
}

function make(
  host: string,
  repository: string,
  tag: string | undefined,
  digest: Digest | undefined,
): Reference {
  return {
    host,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  } as Reference;
}

function splitHost(text: string): { readonly host: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(0, slash));
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  const host = isHost && first !== DOCKER_HUB_LEGACY ? first : DOCKER_HUB;
  const rest = isHost ? text.slice(slash + 1) : text;
  return { host, rest: host === DOCKER_HUB && !rest.includes('/') ? `library/${rest}` : rest };
}

function checkWhole(text: string): void {
  const shape = 'expected [host/]repository[:tag][@digest]';
  if (text === '')
    throw new InvalidReferenceError(text, `is empty: ${shape}`, 'Write a name such as "team/app:1".');
  if (text.length > MAX_REFERENCE_CHARACTERS) {
    const problem = `has ${text.length} characters, expected at most ${MAX_REFERENCE_CHARACTERS}`;
    throw new InvalidReferenceError(text, problem, 'Shorten it.');
  }
  if (/^https?:\/\//i.test(text)) {
    throw new InvalidReferenceError(
      text,
      `starts with a scheme: ${shape}`,
      'Leave out "http://" or "https://".',
    );
  }
  if (/[^\x21-\x7e]/.test(text)) {
    const problem = `holds a blank, a control character or a letter outside ASCII: ${shape}`;
    throw new InvalidReferenceError(text, problem, 'Write one reference, in ASCII.');
  }
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw new InvalidReferenceError(
      text,
      `is an image id: ${shape}`,
      'Name a repository; an id goes after "@sha256:".',
    );
  }
}

function checkHost(text: string, host: string): void {
  if (HOST.test(host) && URL.canParse(`https://${host}/`)) return;
  const problem = `has the host "${toOneLine(host, 40)}": expected a host name or address, with a port of at most 65535`;
  throw new InvalidReferenceError(text, problem, 'Correct what stands before the first "/".');
}

function checkRepository(text: string, repository: string): void {
  const shown = toOneLine(repository, 40);
  if (repository === '' || repository === 'library/') {
    const problem = 'names no repository: expected [host/]repository[:tag][@digest]';
    throw new InvalidReferenceError(text, problem, 'Write a name such as "team/app:1".');
  }
  if (repository.toLowerCase() !== repository) {
    const problem = `has upper case in its repository "${shown}": expected lower case`;
    throw new InvalidReferenceError(text, problem, `Write "${shown.toLowerCase()}".`);
  }
  if (!repository.split('/').every((component) => PATH_COMPONENT.test(component))) {
    const problem = `has the repository "${shown}": expected a-z and 0-9 with single ".", "_", "__" or "-" between`;
    throw new InvalidReferenceError(text, problem, 'Correct it.');
  }
  if (repository.length > MAX_REPOSITORY_CHARACTERS) {
    const problem = `has a repository of ${repository.length} characters, expected at most ${MAX_REPOSITORY_CHARACTERS}`;
    throw new InvalidReferenceError(text, problem, 'Shorten it.');
  }
}

function checkTag(text: string, tag: string): void {
  if (TAG.test(tag)) return;
  if (tag.length > MAX_TAG_CHARACTERS && /^\w[\w.-]*$/.test(tag)) {
    const problem = `has a tag of ${tag.length} characters, expected at most ${MAX_TAG_CHARACTERS}`;
    throw new InvalidReferenceError(text, problem, 'Shorten it.');
  }
  const problem = `has the tag "${toOneLine(tag, 40)}": expected letters, digits, "_", ".", "-", not starting with "." or "-"`;
  throw new InvalidReferenceError(text, problem, 'Correct it.');
}

function checkDigest(text: string, digest: string): Digest {
  if (isDigest(digest)) return digest;
  const problem = `has a digest that ${findDigestProblem(digest)}: expected "sha256:" and 64 lower-case hex digits`;
  throw new InvalidReferenceError(text, problem, 'Correct what stands after "@".');
}

import type { StepKind, StepName, TransferKind } from './build-step.ts';

const BRACKET = /^\[([^\]\n]{1,1000})\] ?/;
const POSITION = /^(\d{1,9})\/(\d{1,9})$/;

/** Names outside or after a bracket ▶ kind; the first match counts. */
const KINDS: readonly (readonly [RegExp, StepKind])[] = [
  [/^importing cache manifest from /, 'cache-import'],
  [/^exporting (inline cache|cache\b|content cache|to GitHub Actions Cache)/, 'cache-export'],
  [/^(exporting|sending tarball|importing to |pushing |copying to )/, 'export'],
  [/^resolve image config for /, 'frontend'],
  [/^docker-image:\/\//, 'frontend'],
];

/** Names after `[internal]` ▶ kind. */
const INTERNAL_KINDS: readonly (readonly [RegExp, StepKind])[] = [
  [/^load metadata for /, 'metadata'],
  [/^load (build definition|\.dockerignore|local bake|remote bake)/, 'frontend'],
  [/^preparing inline document/, 'frontend'],
  [/^load /, 'context'],
];

/** Status ids ▶ kind, where the step's own kind doesn't decide. */
const TRANSFER_KINDS: readonly (readonly [RegExp, TransferKind])[] = [
  [/^transferring /, 'context'],
  [/^(extracting|resolve) /, 'pull'],
  [/^(pushing|copying) /, 'push'],
  [
    /^(writing (layer|config|manifest|cache)|preparing (build cache|layers for inline cache)|skipping cache)/,
    'cache-write',
  ],
  [/^(inferred cache|found \d+ layers in cache)/, 'cache-read'],
  [
    /^(exporting|naming to|writing image|unpacking to|sending tarball|loading layer|rewriting layers|copying files)\b/,
    'export-layers',
  ],
];

const HASH = /^[a-z0-9]{2,20}:[0-9a-f]{32,}$/;

/**
 * Reads the name BuildKit gives a vertex: `[linux/amd64 build 2/4] RUN npm ci`.
 *
 * A bake of several targets puts the target's name first in the bracket, so `[api 1/2]` may be a stage
 * or a target. `targets` decides: the names seen so far in `[<target> internal] …`, which BuildKit
 * always writes first.
 *
 * @see moby/buildkit `frontend/dockerfile/dockerfile2llb` (`prefixCommand`) and docker/buildx `util/progress` (`WithPrefix`)
 */
export function parseStepName(name: string, targets: ReadonlySet<string>): StepName {
  const bracket = BRACKET.exec(name);
  // The image of a `COPY --from=image` or `RUN --mount=from=image` belongs to no stage.
  if (name.startsWith('FROM ')) return { kind: 'instruction', keyword: 'FROM', instruction: name };
  if (bracket === null) return { kind: findKind(KINDS, name) };
  const words = (bracket[1] ?? '').split(' ').filter((word) => word !== '');
  const rest = name.slice(bracket[0].length);
  const position = POSITION.exec(words.at(-1) ?? '');
  if (position !== null) return parseInstruction(words.slice(0, -1), position, rest, targets);

  const role = words.find((word) => word === 'internal' || word === 'auth' || word === 'context');
  const before = role === undefined ? words : words.slice(0, words.indexOf(role));
  const platform = before.find((word) => word.includes('/'));
  const target = before.find((word) => !word.includes('/'));
  return {
    kind: kindOfRole(role, rest),
    ...(target === undefined ? {} : { target }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function kindOfRole(role: string | undefined, rest: string): StepKind {
  if (role === 'auth') return 'authentication';
  if (role === 'context') return 'context';
  return role === 'internal' ? findKind(INTERNAL_KINDS, rest) : findKind(KINDS, rest);
}

function findKind(kinds: readonly (readonly [RegExp, StepKind])[], text: string): StepKind {
  return kinds.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';
}

function parseInstruction(
  words: readonly string[],
  position: RegExpExecArray,
  rest: string,
  targets: ReadonlySet<string>,
): StepName {
  const platformAt = words.findIndex((word) => word.includes('/'));
  const [first, second] = words.filter((_, at) => at !== platformAt);
  const isTarget = second !== undefined || platformAt > 0 || (first !== undefined && targets.has(first));
  const stage = isTarget ? second : first;
  const platform = words[platformAt];
  // A COPY --link makes a second vertex, "LINK COPY --link …", for the merge of its layer.
  const instruction = rest.startsWith('LINK ') ? rest.slice(5) : rest;
  const keyword = /^[A-Za-z]+/.exec(instruction)?.[0].toUpperCase();
  return {
    kind: 'instruction',
    index: Number(position[1]),
    total: Number(position[2]),
    ...(isTarget && first !== undefined ? { target: first } : {}),
    ...(platform === undefined ? {} : { platform }),
    ...(stage === undefined ? {} : { stage }),
    ...(keyword === undefined ? {} : { keyword, instruction }),
  };
}

/**
 * Says what a status of a step is, by its id and the step it belongs to. A bare digest is a download:
 * of a base image below FROM, of an imported cache below any other instruction.
 */
export function classifyTransfer(id: string, step: StepName): TransferKind {
  if (step.kind === 'cache-import') return 'cache-read';
  if (step.kind === 'cache-export') return 'cache-write';
  if (id.startsWith('extracting ')) return 'extract';
  if (HASH.test(id)) return classifyDownload(step);
  return TRANSFER_KINDS.find(([pattern]) => pattern.test(id))?.[1] ?? 'other';
}

function classifyDownload(step: StepName): TransferKind {
  if (step.kind === 'context') return 'context';
  if (step.kind === 'export') return 'export-layers';
  if (step.kind === 'instruction' && step.keyword !== 'FROM') return 'cache-read';
  return 'pull';
}

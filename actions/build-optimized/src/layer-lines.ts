import type { Dockerfile } from '@sophia/dockerfile';
import type { BuiltPlatform } from './read-built-image.ts';

type Layer = BuiltPlatform['layers'][number];
type Line = { readonly keyword: string; readonly startLine: number };

/** The instructions BuildKit makes a layer for. */
const LAYER_KEYWORDS = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR']);

/**
 * Finds the Dockerfile line of each layer. The last layers of an image are those of the target stage, before them
 * those of the stage it is built on, and so on down to the base image: aligned from the end, as long as the
 * keywords agree. A layer below that, of the base image or of an empty `WORKDIR`, keeps no line.
 *
 * @param layers Lowest first, as an image has them.
 */
export function locateLayers(
  dockerfile: Dockerfile,
  target: string,
  layers: readonly Layer[],
): readonly Layer[] {
  const lines = findLayerLines(dockerfile, target);
  let next = lines.length - 1;
  const located = layers.toReversed().map((layer) => {
    const keyword = /^[A-Z]+/.exec(layer.instruction ?? '')?.[0] ?? '';
    // A WORKDIR that exists already makes no layer.
    while (lines[next]?.keyword === 'WORKDIR' && keyword !== 'WORKDIR') next -= 1;
    const line = lines[next];
    if (line === undefined || line.keyword !== keyword) {
      next = -1;
      return layer;
    }
    next -= 1;
    return { ...layer, line: line.startLine };
  });
  return located.toReversed();
}

function findLayerLines(dockerfile: Dockerfile, target: string): readonly Line[] {
  const { stages } = dockerfile;
  let stage =
    target === ''
      ? stages.at(-1)
      : stages.find(({ name, index }) => isNamed(name, target) || String(index) === target);
  const lines: Line[] = [];
  while (stage !== undefined) {
    const own = stage.instructions
      .filter(({ keyword }) => LAYER_KEYWORDS.has(keyword))
      .map(({ keyword, startLine }) => ({ keyword, startLine }));
    lines.unshift(...own);
    const { base, index } = stage;
    // Only an earlier stage can be built on, so this ends.
    stage = stages.findLast((candidate) => candidate.index < index && isNamed(candidate.name, base));
  }
  return lines;
}

function isNamed(name: string | undefined, wanted: string): boolean {
  return name !== undefined && name.toLowerCase() === wanted.toLowerCase();
}

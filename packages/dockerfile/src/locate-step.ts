import type { Dockerfile, Instruction, Stage } from './parse-dockerfile.ts';

/** What BuildKit says of a step in its name: `[build 2/4] RUN npm ci`. */
export type StepPosition = {
  /** Absent in a Dockerfile of one stage; `stage-<i>` for a stage without a name. */
  readonly stage?: string;
  readonly index?: number;
  readonly total?: number;
  /** With build arguments expanded, on one line. */
  readonly instruction?: string;
};

export type LineRange = { readonly startLine: number; readonly endLine: number };

/** The instructions BuildKit numbers, after FROM. */
const COUNTED = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR']);

/**
 * Finds the lines of the Dockerfile that a step of a build came from. A step is taken for an instruction
 * only when their keywords and texts agree; undefined when none does, or several do.
 *
 * BuildKit numbers FROM (where its base is an image), then the triggers of the base image, then each RUN,
 * COPY, ADD and WORKDIR. So the stage's own instructions are the last of `total`.
 *
 * @see moby/buildkit `frontend/dockerfile/dockerfile2llb/convert.go` (`cmdTotal`, `prefixCommand`)
 */
export function locateStep(dockerfile: Dockerfile, step: StepPosition): LineRange | undefined {
  const stages = findStages(dockerfile, step.stage);
  const keyword = /^\S+/.exec(step.instruction ?? '')?.[0].toUpperCase();
  if (keyword === 'FROM') return toRange(findFrom(dockerfile, stages, step)?.from);
  if (keyword === 'ONBUILD')
    return toRange(onlyOne(allInstructions(dockerfile.stages).filter((own) => isSame(own, step))));
  const counted = stages.flatMap((stage) => findByPosition(stage, step) ?? []);
  if (counted.length === 1) return toRange(counted[0]);
  const near = allInstructions(stages).filter((own) => isSame(own, step));
  if (near.length > 0) return toRange(onlyOne(near));
  return toRange(onlyOne(allInstructions(dockerfile.stages).filter((own) => isSame(own, step))));
}

/**
 * A base image that several builds pull at once is one vertex of the engine, which may have its name from
 * another of them. So the image must agree, and alone is enough.
 */
function findFrom(dockerfile: Dockerfile, stages: readonly Stage[], step: StepPosition): Stage | undefined {
  // Without a number it is the image of a COPY --from.
  if (step.index !== 1) return undefined;
  const image = normalizeReference((step.instruction ?? '').slice('FROM '.length).trim());
  const named = stages.filter(({ base }) => base.includes('$') || normalizeReference(base) === image);
  if (named.length > 0) return onlyOne(named);
  return onlyOne(dockerfile.stages.filter(({ base }) => normalizeReference(base) === image));
}

/**
 * `node` ▶ `docker.io/library/node:latest`, a digest left out where there is a tag.
 *
 * @see distribution/reference `normalize.go`
 */
function normalizeReference(reference: string): string {
  const [name = '', digest] = reference.split('@', 2);
  const first = name.slice(0, Math.max(0, name.indexOf('/')));
  const isFull = /[.:]/.test(first) || first === 'localhost';
  const full = isFull ? name : `docker.io/${name.includes('/') ? '' : 'library/'}${name}`;
  const hasTag = /:[^/]+$/.test(full);
  if (hasTag) return full;
  return digest === undefined ? `${full}:latest` : `${full}@${digest}`;
}

function findStages({ stages }: Dockerfile, name: string | undefined): readonly Stage[] {
  if (name === undefined) return stages.length === 1 ? stages : [];
  const named = stages.filter((stage) => stage.name?.toLowerCase() === name.toLowerCase());
  if (named.length > 0) return named;
  const stage = stages[Number(/^stage-(\d{1,6})$/.exec(name)?.[1] ?? Number.NaN)];
  return stage === undefined || stage.name !== undefined ? [] : [stage];
}

function findByPosition(stage: Stage, step: StepPosition): Instruction | undefined {
  const own = stage.instructions.filter(({ keyword }) => COUNTED.has(keyword));
  if (step.index === undefined || step.total === undefined || step.total < own.length) return undefined;
  const instruction = own[step.index - 1 - (step.total - own.length)];
  return instruction !== undefined && isSame(instruction, step) ? instruction : undefined;
}

function allInstructions(stages: readonly Stage[]): readonly Instruction[] {
  return stages.flatMap(({ instructions }) => instructions);
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function toRange(instruction: Instruction | undefined): LineRange | undefined {
  return instruction && { startLine: instruction.startLine, endLine: instruction.endLine };
}

/**
 * Whether the step's text can be the instruction's: blanks, quotes and escapes don't count (BuildKit
 * resolves them), a variable may be any text. Of a here-document the step's text holds a summary.
 */
function isSame(instruction: Instruction, step: StepPosition): boolean {
  const said = toEssence(step.instruction ?? '');
  const fixed = splitAtVariables(instruction.line).map(toEssence);
  const [first = '', ...others] = fixed;
  if (said === '' || !said.toUpperCase().startsWith(instruction.keyword)) return false;
  if (!said.slice(instruction.keyword.length).startsWith(first.slice(instruction.keyword.length)))
    return false;
  let from = first.length;
  for (const part of others) {
    const at = said.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  if (instruction.heredocs.length > 0 || from === said.length) return true;
  // What the last variable stands for may hold the text behind it once more.
  return others.length > 0 && said.endsWith(others.at(-1) ?? '');
}

function toEssence(text: string): string {
  return text.replace(/[\s"'\\`]+/g, '');
}

/** The fixed text between variables: `a$X b${Y:-c}` ▶ `a`, ` b`, ``. */
function splitAtVariables(line: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let at = line.indexOf('$'); at >= 0; at = line.indexOf('$', at)) {
    const end = findVariableEnd(line, at);
    if (end === at) {
      at += 1;
      continue;
    }
    parts.push(line.slice(from, at));
    from = end;
    at = end;
  }
  parts.push(line.slice(from));
  return parts;
}

/** @returns The index behind the variable at `from`; `from` itself when there is none. */
function findVariableEnd(line: string, from: number): number {
  if (line.charAt(from + 1) !== '{') {
    const name = /[A-Za-z_]\w*|[\d@*#]/y;
    name.lastIndex = from + 1;
    return name.test(line) ? name.lastIndex : from;
  }
  let depth = 0;
  for (let at = from + 1; at < line.length; at += 1) {
    if (line.charAt(at) === '{') depth += 1;
    else if (line.charAt(at) === '}') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return from;
}

import { parse } from 'docker-file-parser';
import type { Heredoc } from './heredoc.ts';
import { type LogicalLine, type Problem, splitLogicalLines } from './logical-lines.ts';
import { extractFlags } from './words.ts';

/** What docker-file-parser makes of an instruction's arguments, flags taken off before. */
export type Arguments = string | readonly string[] | Readonly<Record<string, string>>;

export type Instruction = {
  /** In upper case. */
  readonly keyword: string;
  /** As it stands in the file, with continuations, comments and here-documents; lines end with `\n`. */
  readonly text: string;
  /** On one line, as BuildKit reads it; here-documents are apart. */
  readonly line: string;
  /** From 1. */
  readonly startLine: number;
  /** Of its last line, the end of its here-documents included. */
  readonly endLine: number;
  /** `--from=build`, …, quotes resolved. */
  readonly flags: readonly string[];
  readonly args: Arguments;
  readonly heredocs: readonly Heredoc[];
  /** What an ONBUILD does later. */
  readonly trigger?: {
    readonly keyword: string;
    readonly flags: readonly string[];
    readonly args: Arguments;
  };
};

export type Stage = {
  /** As written; BuildKit compares it without case. */
  readonly name?: string;
  /** From 0. */
  readonly index: number;
  /** The image, stage or `scratch` it starts from, as written: variables stand in it unexpanded. */
  readonly base: string;
  /** Value of `--platform`, as written. */
  readonly platform?: string;
  /** The FROM itself. */
  readonly from: Instruction;
  /** All after the FROM. */
  readonly instructions: readonly Instruction[];
  readonly startLine: number;
  readonly endLine: number;
};

export type Dockerfile = {
  readonly stages: readonly Stage[];
  /** ARGs before the first FROM: they count in FROM lines. */
  readonly globalArguments: readonly Instruction[];
  readonly directives: Readonly<Record<string, string>>;
  readonly escape: '\\' | '`';
  /** What is wrong with it, by line; what could be read is in `stages` all the same. */
  readonly problems: readonly Problem[];
};

/** @see moby/buildkit `frontend/dockerfile/command/command.go` */
const KEYWORDS = new Set([
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

/** Stands at the end of a line that docker-file-parser would take for a continued one. */
const END = '\uE000';

type DraftStage = Omit<Stage, 'endLine' | 'instructions'> & { readonly instructions: Instruction[] };

/**
 * Reads a Dockerfile: its stages and instructions with their lines. Never throws: what can't be read is
 * a problem with its line, and is left out.
 *
 * The lines are split here, as BuildKit does it; docker-file-parser then gets one whole instruction at a
 * time, since alone it misreads here-documents, comments in continuations and other escapes.
 */
export function parseDockerfile(text: string): Dockerfile {
  const { lines, directives, escape: escapeCharacter, problems: lineProblems } = splitLogicalLines(text);
  const problems = [...lineProblems];
  const globalArguments: Instruction[] = [];
  const stages: DraftStage[] = [];
  for (const line of lines) {
    const instruction = readInstruction(line, escapeCharacter, problems);
    if (instruction === undefined) continue;
    const stage = stages.at(-1);
    if (instruction.keyword === 'FROM') startStage(stages, instruction, problems);
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.keyword === 'ARG') globalArguments.push(instruction);
    else
      problems.push({
        line: instruction.startLine,
        message: `${instruction.keyword} stands before the first FROM: expected FROM or ARG.`,
      });
  }
  if (stages.length === 0) problems.push({ line: 1, message: 'The file has no stage: expected a FROM.' });
  return {
    stages: stages.map((stage) => ({ ...stage, endLine: (stage.instructions.at(-1) ?? stage.from).endLine })),
    globalArguments,
    directives,
    escape: escapeCharacter,
    problems: problems.toSorted((a, b) => a.line - b.line),
  };
}

function startStage(stages: DraftStage[], from: Instruction, problems: Problem[]): void {
  const [base, as, name, ...more] = (typeof from.args === 'string' ? from.args : '')
    .split(/\s+/)
    .filter((word) => word !== '');
  const isNamed = as !== undefined;
  if (
    base === undefined ||
    more.length > 0 ||
    (isNamed && (as.toUpperCase() !== 'AS' || name === undefined))
  ) {
    problems.push({
      line: from.startLine,
      message: 'FROM has wrong arguments: expected "FROM <image>" or "FROM <image> AS <name>".',
    });
    if (base === undefined) return;
  }
  const platform = from.flags.find((flag) => flag.startsWith('--platform='))?.slice('--platform='.length);
  stages.push({
    ...(name === undefined ? {} : { name }),
    index: stages.length,
    base,
    ...(platform === undefined ? {} : { platform }),
    from,
    instructions: [],
    startLine: from.startLine,
  });
}

function readInstruction(
  source: LogicalLine,
  escapeCharacter: string,
  problems: Problem[],
): Instruction | undefined {
  const parts = splitKeyword(source.line);
  if (!KEYWORDS.has(parts.keyword)) {
    problems.push({
      line: source.startLine,
      message: `Unknown instruction "${parts.keyword.slice(0, 40)}".`,
    });
    return undefined;
  }
  const problem = (message: string): void => {
    problems.push({ line: source.startLine, message });
  };
  const trigger = parts.keyword === 'ONBUILD' ? readTrigger(parts.rest, escapeCharacter, problem) : undefined;
  return {
    keyword: parts.keyword,
    text: source.text,
    line: source.line,
    startLine: source.startLine,
    endLine: source.endLine,
    ...(parts.keyword === 'ONBUILD'
      ? { flags: [], args: parts.rest }
      : readArguments(parts.keyword, parts.rest, escapeCharacter, problem)),
    heredocs: source.heredocs,
    ...(trigger === undefined ? {} : { trigger }),
  };
}

function splitKeyword(line: string): { readonly keyword: string; readonly rest: string } {
  const keyword = /^\S+/.exec(line)?.[0] ?? '';
  return { keyword: keyword.toUpperCase(), rest: line.slice(keyword.length).trim() };
}

function readTrigger(
  rest: string,
  escapeCharacter: string,
  problem: (message: string) => void,
): Instruction['trigger'] {
  const { keyword, rest: own } = splitKeyword(rest);
  if (!KEYWORDS.has(keyword) || keyword === 'ONBUILD' || keyword === 'FROM' || keyword === 'MAINTAINER') {
    problem(`ONBUILD can't have "${keyword.slice(0, 40)}" as its trigger.`);
    return undefined;
  }
  return { keyword, ...readArguments(keyword, own, escapeCharacter, problem) };
}

function readArguments(
  keyword: string,
  text: string,
  escapeCharacter: string,
  problem: (message: string) => void,
): Pick<Instruction, 'flags' | 'args'> {
  const { flags, rest } = extractFlags(text, escapeCharacter);
  if (rest === '') {
    if (keyword !== 'HEALTHCHECK') problem(`${keyword} has no arguments: expected at least one.`);
    return { flags, args: '' };
  }
  // SHELL takes a JSON array as CMD does, which docker-file-parser only knows of CMD.
  const name = keyword === 'SHELL' ? 'CMD' : keyword;
  const needsEnd = /[\\`]$/.test(rest);
  const [entry] = parse(`${name} ${rest}${needsEnd ? END : ''}`);
  if (entry === undefined) return { flags, args: rest };
  if (entry.error !== undefined) {
    problem(`${keyword} has wrong arguments: ${entry.error.slice(0, 150)}.`);
    return { flags, args: rest };
  }
  return { flags, args: needsEnd ? removeEnd(entry.args) : entry.args };
}

function removeEnd(args: Arguments): Arguments {
  const strip = (text: string): string => (text.endsWith(END) ? text.slice(0, -END.length) : text);
  if (typeof args === 'string') return strip(args);
  if (Array.isArray(args)) return args.map(strip);
  return Object.fromEntries(Object.entries(args).map(([key, value]) => [key, strip(value)]));
}

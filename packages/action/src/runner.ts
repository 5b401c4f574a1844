import type * as Core from '@actions/core';
import type { SourceLocation } from './errors.ts';

/** A note at a line of a file, shown on the pull request's diff. */
export type Annotation = {
  readonly level: 'error' | 'warning' | 'notice';
  readonly message: string;
  readonly title?: string;
  readonly location?: SourceLocation;
};

/** What an action may tell the runner. `Output` is the set of names its action.yml declares. */
export type Runner<Output extends string> = {
  /** One line of the log. Text that looks like a workflow command is made harmless. */
  info(line: string): void;
  annotate(annotation: Annotation): void;
  /** Hides a value in everything printed from here on. Call it before anything could print the value. */
  mask(value: string): void;
  setOutputs(outputs: Readonly<Partial<Record<Output, string>>>): void;
  /** Runs `work` inside a folded group of the log. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>;
  /** Appends Markdown to the step's summary. At most 1 MiB a step is taken by the runner. */
  appendSummary(markdown: string): Promise<void>;
};

/** The runner behind `@actions/core`. */
export function createRunner<Output extends string>(core: typeof Core): Runner<Output> {
  const runner: Runner<Output> = {
    info: (line) => core.info(defuse(line)),
    annotate({ level, message, title, location }) {
      const properties = {
        ...(title === undefined ? {} : { title }),
        ...(location === undefined ? {} : { file: location.file }),
        ...(location?.startLine === undefined ? {} : { startLine: location.startLine }),
        ...(location?.startColumn === undefined ? {} : { startColumn: location.startColumn }),
        ...(location?.endLine === undefined ? {} : { endLine: location.endLine }),
      };
      core[level](message, properties);
    },
    mask(value) {
      // Masking one character would mangle every later line of the log and hide nothing.
      if (value.trim().length > 1) core.setSecret(value);
    },
    setOutputs(outputs) {
      for (const [name, value] of Object.entries(outputs)) {
        if (value !== undefined) core.setOutput(name, value);
      }
    },
    group: (title, work) => core.group(defuse(title), work),
    async appendSummary(markdown) {
      await core.summary.addRaw(markdown, true).write();
    },
  };
  return runner;
}

/**
 * Makes sure nothing in a text is a workflow command, whatever it came from: a branch name, a Dockerfile, a build's
 * output. The runner takes `::name::` at the start of a line, blanks before it or not, and `##[name]` anywhere in one.
 *
 * @see actions/runner `src/Runner.Worker/ActionCommand.cs`, TryParseV2 and TryParse
 */
export function defuse(text: string): string {
  return text.replace(/(^|[\r\n\u2028\u2029])(\s*)::/g, '$1$2\u200b::').replaceAll('##[', '##\u200b[');
}

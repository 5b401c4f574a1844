import type { ImageConfig } from './manifest.ts';

// The shell form of a RUN as it stands in a config: a shell, its options, then the command.
const SHELL = String.raw`(?:/\S*/)?(?:ba|da|a|z|k|pw)?sh(?: -\S+| pipefail)* -\w*c `;
const SHELL_AT_START = new RegExp(`^${SHELL}`);
const FIRST_SHELL = new RegExp(` ${SHELL}`);

/**
 * The instruction that made each layer, in the layers' order, from a config's history: entries marked
 * `empty_layer` (ENV, CMD …) made none. Where history and layers don't match in number, as in images that
 * were squashed or imported, no layer has one: a wrong instruction is worse than none.
 */
export function alignHistory(config: ImageConfig, layerCount: number): readonly (string | undefined)[] {
  const made = (config.history ?? []).filter((entry) => entry.empty_layer !== true);
  if (made.length !== layerCount) return Array.from({ length: layerCount }, () => undefined);
  return made.map((entry) => simplifyCreatedBy(entry.created_by));
}

/**
 * Turns a history's `created_by` into the instruction as a Dockerfile has it. BuildKit writes
 * `RUN |1 TOKEN=x /bin/sh -c make # buildkit`, the classic builder `/bin/sh -c #(nop) COPY …` or a bare
 * `/bin/sh -c make`. Values of build arguments are dropped: they may be secret.
 *
 * @returns one line without the marks of the builders; undefined when there is nothing.
 */
export function simplifyCreatedBy(createdBy: string | undefined): string | undefined {
  const line = (createdBy ?? '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/ # buildkit$/, '');
  if (line === '') return undefined;
  const nop = /^\/bin\/sh -c #\(nop\) (.*)$/.exec(line);
  if (nop !== null) return nop[1]?.trim() || undefined;
  const isRun = line.startsWith('RUN ');
  const command = isRun ? line.slice('RUN '.length) : line;
  if (/^\|\d+ /.test(command)) return `RUN ${dropArguments(command)}`;
  if (isRun || SHELL_AT_START.test(command)) return `RUN ${command.replace(SHELL_AT_START, '')}`;
  return line;
}

function dropArguments(command: string): string {
  const shell = FIRST_SHELL.exec(command);
  // Without a shell it can't be seen where the last value ends.
  return shell === null ? '…' : command.slice(shell.index + shell[0].length);
}

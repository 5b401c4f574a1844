// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what these expressions look for

/** CSI and OSC sequences, other two-character escapes, then every control character but tab. */
const ESCAPES =
  /\u001B(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?|[ -/]*[0-~])|\u009B[0-?]*[ -/]*[@-~]/g;
const CONTROLS = /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF]/g;
const NEEDS_CLEANING =
  /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF]/;

/**
 * One line of foreign text as plain text: escape sequences, control characters and the marks that
 * reorder text on screen are gone.
 */
export function toPlainText(line: string): string {
  return NEEDS_CLEANING.test(line) ? line.replace(ESCAPES, '').replace(CONTROLS, '') : line;
}

/**
 * Makes a line harmless to the workflow runner, which takes `::name …::` at a line's start (blanks
 * before it don't count) and `##[name]` anywhere in a line for a command.
 *
 * @see actions/runner `src/Runner.Common/ActionCommand.cs`
 */
export function neutralizeWorkflowCommands(line: string): string {
  const safe = line.includes('##[') ? line.replaceAll('##[', '# #[') : line;
  return /^\s*::/.test(safe) ? `> ${safe}` : safe;
}

const MAX_PENDING_CHARACTERS = 16_384;

/** Puts lines together from pieces of a terminal's output. */
export type LineAssembler = {
  push(piece: string): string[];
  /** The last line, when it had no end. */
  flush(): string[];
};

/**
 * A line is what a terminal would show of it: after `\r` it is written anew, so of a progress bar only
 * its last state is left. A line over 16 KiB is cut into several, so that memory stays bounded.
 */
export function createLineAssembler(): LineAssembler {
  let pending = '';
  const cut = (): string[] => {
    pending = keepLastState(pending) + (pending.endsWith('\r') ? '\r' : '');
    if (pending.length <= MAX_PENDING_CHARACTERS) return [];
    const lines: string[] = [];
    while (pending.length > MAX_PENDING_CHARACTERS) {
      lines.push(toPlainText(pending.slice(0, MAX_PENDING_CHARACTERS)));
      pending = pending.slice(MAX_PENDING_CHARACTERS);
    }
    return lines;
  };
  return {
    push(piece) {
      const [first = '', ...others] = piece.split('\n');
      const lines: string[] = [];
      pending += first;
      for (const next of others) {
        lines.push(...cut(), toPlainText(keepLastState(pending)));
        pending = next;
      }
      lines.push(...cut());
      return lines;
    },
    flush() {
      const rest = toPlainText(keepLastState(pending));
      pending = '';
      return rest === '' ? [] : [rest];
    },
  };
}

/** What stands after the last `\r` that something follows; a `\r` at the end may become `\r\n`. */
function keepLastState(line: string): string {
  const body = line.replace(/\r+$/, '');
  return line.slice(body.lastIndexOf('\r') + 1);
}

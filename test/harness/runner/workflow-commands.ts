/** One `::error::`, `::warning::` or `::notice::`, as the runner would attach it to the check run. */
export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly message: string;
  readonly title?: string;
  readonly file?: string;
  readonly line?: number;
  readonly endLine?: number;
  readonly column?: number;
  readonly endColumn?: number;
}

/** A command found in a line of output. */
export interface WorkflowCommand {
  readonly name: string;
  readonly properties: ReadonlyMap<string, string>;
  readonly data: string;
}

const commandNames = new Set([
  'add-mask',
  'add-matcher',
  'remove-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning',
]);

const dataEscapes = [
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%25', '%'],
] as const;
const propertyEscapes = [
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%3A', ':'],
  ['%2C', ','],
  ['%25', '%'],
] as const;
const bracketEscapes = [
  ['%3B', ';'],
  ['%0D', '\r'],
  ['%0A', '\n'],
  ['%5D', ']'],
  ['%25', '%'],
] as const;

function decode(text: string, escapes: readonly (readonly [string, string])[]): string {
  return escapes.reduce((current, [escaped, plain]) => current.replaceAll(escaped, plain), text);
}

function splitHead(
  head: string,
  separator: string,
  escapes: readonly (readonly [string, string])[],
): { name: string; properties: Map<string, string> } {
  const space = head.indexOf(' ');
  const name = (space < 0 ? head : head.slice(0, space)).toLowerCase();
  const properties = new Map<string, string>();
  if (space > 0) {
    for (const pair of head
      .slice(space + 1)
      .trim()
      .split(separator)) {
      const equals = pair.indexOf('=');
      if (equals > 0 && equals < pair.length - 1) {
        properties.set(pair.slice(0, equals).toLowerCase(), decode(pair.slice(equals + 1), escapes));
      }
    }
  }
  return { name, properties };
}

/**
 * Finds a workflow command in one line: `::name k=v,k2=v2::data` at its start (leading blanks allowed),
 * or the older `##[name k=v;k2=v2]data` anywhere in it.
 *
 * @param resumeToken The token that ends a `stop-commands`; it counts as a command name.
 * @see ActionCommand.cs of actions/runner
 */
export function parseWorkflowCommand(line: string, resumeToken?: string): WorkflowCommand | undefined {
  const isKnown = (name: string) => commandNames.has(name) || name === resumeToken?.toLowerCase();
  const trimmed = line.trimStart();
  if (trimmed.startsWith('::')) {
    const end = trimmed.indexOf('::', 2);
    if (end >= 0) {
      const head = splitHead(trimmed.slice(2, end), ',', propertyEscapes);
      if (isKnown(head.name)) return { ...head, data: decode(trimmed.slice(end + 2), dataEscapes) };
    }
  }
  const start = line.indexOf('##[');
  const end = start < 0 ? -1 : line.indexOf(']', start);
  if (end < 0) return undefined;
  const head = splitHead(line.slice(start + 3, end), ';', bracketEscapes);
  return isKnown(head.name) ? { ...head, data: decode(line.slice(end + 1), bracketEscapes) } : undefined;
}

function toAnnotation(level: Annotation['level'], command: WorkflowCommand): Annotation {
  const whole = (name: string) => {
    const value = Number(command.properties.get(name));
    return Number.isInteger(value) && command.properties.has(name) ? value : undefined;
  };
  const found = {
    title: command.properties.get('title'),
    file: command.properties.get('file'),
    line: whole('line'),
    endLine: whole('endline'),
    column: whole('col'),
    endColumn: whole('endcolumn'),
  };
  const present = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
  return { level, message: command.data, ...present };
}

/** What the commands of a step may change. The interpreter calls these; it holds no state of the step itself. */
export interface CommandEffects {
  readonly print: (line: string) => void;
  readonly annotate: (annotation: Annotation) => void;
  readonly addMask: (value: string) => void;
  readonly setOutput: (name: string, value: string) => void;
  readonly saveState: (name: string, value: string) => void;
  readonly fail: () => void;
  readonly isDebug: boolean;
}

function disabledCommandMessage(name: string): string {
  return `The \`${name}\` command is disabled. Please upgrade to using Environment Files.`;
}

function applySetter(command: WorkflowCommand, effects: CommandEffects): void {
  const name = command.properties.get('name') ?? '';
  const message = `The \`${command.name}\` command is deprecated and will be disabled soon. Please upgrade to using Environment Files.`;
  effects.annotate({ level: 'warning', message });
  effects.print(`##[warning]${message}`);
  if (name === '') {
    effects.annotate({
      level: 'error',
      message: `Required field 'name' is missing in ##[${command.name}] command.`,
    });
    effects.fail();
  } else if (command.name === 'set-output') effects.setOutput(name, command.data);
  else effects.saveState(name, command.data);
}

function applyCommand(command: WorkflowCommand, effects: CommandEffects): void {
  switch (command.name) {
    case 'error':
    case 'warning':
    case 'notice':
      effects.annotate(toAnnotation(command.name, command));
      effects.print(`##[${command.name}]${command.data}`);
      return;
    case 'debug':
      if (effects.isDebug) effects.print(`##[debug]${command.data}`);
      return;
    case 'group':
    case 'endgroup':
      effects.print(`##[${command.name}]${command.data}`);
      return;
    case 'add-mask':
      if (command.data.trim() === '') {
        const message = "Can't add secret mask for empty string in ##[add-mask] command.";
        effects.annotate({ level: 'warning', message });
        effects.print(`##[warning]${message}`);
      } else effects.addMask(command.data);
      return;
    case 'set-output':
    case 'save-state':
      applySetter(command, effects);
      return;
    case 'set-env':
    case 'add-path':
      effects.annotate({ level: 'error', message: disabledCommandMessage(command.name) });
      effects.print(`##[error]${disabledCommandMessage(command.name)}`);
      effects.fail();
      return;
    default:
  }
}

/**
 * Creates the interpreter of one step's output. Every line goes through it: a command takes effect and is
 * shown as the runner shows it, any other line is printed as it is. Between `stop-commands::TOKEN` and
 * `::TOKEN::` everything is printed.
 */
export function createCommandInterpreter(effects: CommandEffects): (line: string) => void {
  let resumeToken: string | undefined;
  return (line) => {
    const command = parseWorkflowCommand(line, resumeToken);
    if (command === undefined) {
      effects.print(line);
    } else if (resumeToken !== undefined) {
      if (command.name === resumeToken.toLowerCase()) resumeToken = undefined;
      effects.print(line);
    } else if (command.name === 'stop-commands') {
      resumeToken = command.data;
      effects.print(line);
    } else {
      applyCommand(command, effects);
    }
  };
}

import type { WriteStream } from 'node:tty';

/** Tells a waiting reader what is going on. */
export interface Progress {
  /** Does the work; says its title at once, and then how long it has taken and what it is at. */
  readonly during: <T>(title: string, work: (note: (text: string) => void) => Promise<T>) => Promise<T>;
}

const intervals = { terminalMs: 1_000, fileMs: 10_000 };

/**
 * Progress on a stream: one line that changes every second on a terminal; a line every ten seconds elsewhere.
 *
 * @param name What speaks, at the start of each line.
 */
export function createProgress(stream: WriteStream, name: string): Progress {
  const isTerminal = stream.isTTY === true;
  return {
    async during(title, work) {
      const startedAt = performance.now();
      let at = '';
      const line = () => {
        const seconds = Math.round((performance.now() - startedAt) / 1000);
        return `${name}: ${title}: ${seconds} s${at === '' ? '' : `, ${at}`}`;
      };
      const tell = () =>
        stream.write(isTerminal ? `\r\u001b[K${line().slice(0, stream.columns - 1)}` : `${line()}\n`);
      stream.write(`${name}: ${title}${isTerminal ? '' : '\n'}`);
      const timer = setInterval(tell, isTerminal ? intervals.terminalMs : intervals.fileMs);
      try {
        return await work((text) => {
          at = text;
        });
      } finally {
        clearInterval(timer);
        if (isTerminal) stream.write('\r\u001b[K');
      }
    },
  };
}

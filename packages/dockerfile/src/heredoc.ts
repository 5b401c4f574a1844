import { splitWords, unquote } from './words.ts';

/** A here-document of a RUN, COPY or ADD. */
export type Heredoc = {
  /** The word that ends it, without quotes. */
  readonly name: string;
  /** `<<-`: tabs before a line, and before the word that ends it, don't count. */
  readonly isChomped: boolean;
  /** Variables in it are expanded; not so when the word is quoted. */
  readonly isExpanded: boolean;
  /** The lines of its body as they stand in the file. */
  readonly content: string;
};

export type HeredocStart = Omit<Heredoc, 'content'>;

const HEREDOC = /^\d*<<(-?)\s*([^<]+)$/;

/**
 * Finds the here-documents that a logical line opens, in their order.
 *
 * @see moby/buildkit `frontend/dockerfile/parser/parser.go` (`heredocsFromLine`)
 */
export function findHeredocs(line: string): HeredocStart[] {
  if (!line.includes('<<')) return [];
  return splitWords(line).flatMap((word) => {
    const match = HEREDOC.exec(word);
    const quoted = match?.[2] ?? '';
    if (quoted === '' || splitWords(quoted).length !== 1) return [];
    return [{ name: unquote(quoted), isChomped: match?.[1] === '-', isExpanded: !/["']/.test(quoted) }];
  });
}

/** Whether this line of a body, without its line end, ends it. */
export function isHeredocEnd({ name, isChomped }: HeredocStart, line: string): boolean {
  return (isChomped ? line.replace(/^\t+/, '') : line) === name;
}

/** One challenge of a `WWW-Authenticate` header: its scheme in lower case and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A registry's challenge is some 200 characters; nothing longer than this is looked at. */
const MAX_HEADER_CHARACTERS = 8192;

// token = value pairs, a quoted value with its escapes (RFC 9110 section 5.6), or the name of a scheme.
const PIECE =
  /\s*(?:,\s*)*(?:([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([!#$%&'*+.^_`|~\w-]+)(?=\s|,|$))/y;

/**
 * Parses a `WWW-Authenticate` header, which may hold several challenges in one line, as RFC 9110 section
 * 11.6.1 has it: `Bearer realm="https://auth.example/token",service="x",scope="repository:a:pull,push"`.
 * Reading stops at the first thing that fits no rule; what came before counts.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, MAX_HEADER_CHARACTERS);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  PIECE.lastIndex = 0;
  for (let piece = PIECE.exec(text); piece !== null; piece = PIECE.exec(text)) {
    const [, name, quoted, plain, scheme] = piece;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) {
      const value = quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/gs, '$1');
      challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    }
  }
  return challenges;
}

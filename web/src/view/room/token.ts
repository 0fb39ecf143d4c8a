/** What is being typed before the cursor, if it can be completed. */
export interface Token {
  kind: '@' | ':' | '/' | '#';
  typed: string;
  from: number;
}

const before = /(?:^|[^\w@:/.+-])([@:#])([\p{L}\p{N}_.+-]{0,32}:?)$/u;

const longest = 200; // characters of a command that is completed

/**
 * Reads the token that ends at the cursor. An emoji needs two letters, so that ":" and "8:" stay text, and a room one
 * that is no digit, so that "#" begins a heading and "#12" stays a number.
 */
export function tokenAt(text: string, cursor: number): Token | undefined {
  const line = text.slice(0, cursor);
  if (/^\/[^\s/]*( [^\n]*)?$/u.test(line) && cursor <= longest)
    return { kind: '/', typed: line.slice(1), from: line.lastIndexOf(' ') + 1 };
  const m = before.exec(text.slice(Math.max(0, cursor - 40), cursor));
  if (!m) return undefined;
  const [, kind, typed = ''] = m;
  if (kind === ':' ? typed.length < 2 : typed.endsWith(':')) return undefined;
  if (kind === '#' && /^\d*$/u.test(typed)) return undefined;
  return { kind: kind as Token['kind'], typed, from: cursor - typed.length - 1 };
}

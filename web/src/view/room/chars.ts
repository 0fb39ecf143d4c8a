// What the rules of messages ask about one character. Each regular expression
// here is a class that looks at one character; internal/domain/chars.go says
// the same for the server.

const word = /^[\p{L}\p{N}\p{M}]$/u;
const unspaced =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u30fc]$/u;
const breaking = /^[\p{Z}\p{C}\p{So}\p{Sk}\p{Pi}\p{Pf}\p{Ps}\p{Pe}\u2026]$/u;
const punctuation = /^[\p{P}\p{S}]$/u;

/** The character that begins at i; '' at the end. */
export function charAt(s: string, i: number): string {
  const code = s.codePointAt(i);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** The character that ends before i; '' at the beginning. */
export function charBefore(s: string, i: number): string {
  if (i <= 0) return '';
  const low = s.charCodeAt(i - 1);
  return low >= 0xdc00 && low <= 0xdfff && i > 1 ? charAt(s, i - 2) : s.charAt(i - 1);
}

/** White space, or the beginning or end of the text. */
export function isSpace(c: string): boolean {
  return c.trim() === '';
}

/** A letter, a digit, or a mark on one; the marks that make an emoji are not. */
export function isWord(c: string): boolean {
  return word.test(c) && c !== '\ufe0f' && c !== '\u20e3';
}

/** A letter of a script that puts no spaces between words, or sets suffixes right behind foreign words. */
export function isUnspaced(c: string): boolean {
  return c >= '\u0e00' && unspaced.test(c);
}

/** A letter or digit that would make one word with its neighbour. */
export function joins(c: string): boolean {
  return isWord(c) && !isUnspaced(c);
}

export function isPunctuation(c: string): boolean {
  return punctuation.test(c);
}

/** What no address has inside: white space, control characters, emoji, quotation marks, brackets and stops of full width. */
export function endsAddress(c: string): boolean {
  if (c < '\u0080') return c <= ' ' || c === '\u007f' || '<>"`\\'.includes(c);
  return breaking.test(c) || (c >= '\u3000' && punctuation.test(c));
}

// Who a text names with @. internal/domain/mention.go has the same rules, and
// both are checked against internal/domain/testdata/mentions.json.
import { charAt, charBefore, joins } from './chars';

const longest = 32; // characters of a username

const ascii = (c: string): boolean => c !== '' && c < '\u0080' && joins(c);

/**
 * The end of the mention whose @ is at i; i if it names nobody. last is where
 * the mention before ends. An @ right behind a word is part of an e-mail
 * address or a path, also with dots and dashes between; @scope/package and
 * @user@server are names of something else.
 */
export function mentionEnd(s: string, i: number, last: number): number {
  let from = i;
  while (from > last && '._%+-/'.includes(s.charAt(from - 1))) from--;
  if (from > last && (s.charAt(from - 1) === '@' || joins(charBefore(s, from)))) return i;
  let end = i + 1;
  while (end < s.length && (ascii(s.charAt(end)) || '._-'.includes(s.charAt(end)))) end++;
  const whole = end;
  while (end > i + 1 && '._-'.includes(s.charAt(end - 1))) end--;
  if (end === i + 1 || end - i - 1 > longest || !ascii(s.charAt(i + 1))) return i;
  const after = charAt(s, whole);
  const goesOn = joins(after) || ((after === '@' || after === '/') && ascii(s.charAt(whole + 1)));
  return whole === end && goesOn ? i : end;
}

// Where an address in a text begins and ends. internal/domain/address.go has
// the same rules, and both are checked against internal/domain/testdata/mentions.json.
import { charAt, charBefore, endsAddress, isUnspaced, isWord, joins } from './chars';

const hostMarks = '-._:@[]%';
const behind = '=-_#:(&~'; // what a word of an unspaced script may follow inside an address
const trailing = '.,;:!?*_~\'([{|';
const closers: Record<string, number | undefined> = { ')': 0, ']': 1, '}': 2 };
const openers: Record<string, number | undefined> = { '(': 0, '[': 1, '{': 2 };

/** Where the http or https address that begins at i has its host; -1 if none begins there. */
export function hostOf(s: string, i: number): number {
  const head = s.slice(i, i + 8).toLowerCase();
  const host = head === 'https://' ? i + 8 : head.startsWith('http://') ? i + 7 : -1;
  if (host < 0) return -1;
  const first = charAt(s, host);
  return first === '[' || isWord(first) ? host : -1;
}

/**
 * The end of the bare address that begins at i; i if none does. Brackets belong
 * to it as far as they are pairs; what ends a sentence, and marks of Markdown
 * at its end, do not. Text of a script without spaces that follows directly
 * ends it, unless it stands behind a mark in the path, as in /wiki/東京.
 */
export function addressEnd(s: string, i: number): number {
  const host = hostOf(s, i);
  if (host < 0 || joins(charBefore(s, i))) return i;
  const open = [0, 0, 0];
  let inHost = true;
  let slashes = 0;
  let before = '';
  let end = host;
  while (end < s.length) {
    const c = charAt(s, end);
    if (endsAddress(c)) break;
    if (inHost && (c === '/' || c === '?' || c === '#')) inHost = false;
    if (inHost && !isWord(c) && !hostMarks.includes(c)) break;
    if (isUnspaced(c) && !isUnspaced(before) && !follows(before, inHost, slashes)) break;
    const opens = openers[c];
    const closes = closers[c];
    if (opens !== undefined) open[opens] = (open[opens] ?? 0) + 1;
    if (closes !== undefined) {
      if (!open[closes]) break;
      open[closes] = (open[closes] ?? 0) - 1;
    }
    if (c === '/') slashes++;
    before = c;
    end += c.length;
  }
  while (end > host && trailing.includes(s.charAt(end - 1))) end--;
  return end > host ? end : i;
}

function follows(before: string, inHost: boolean, slashes: number): boolean {
  if (inHost) return before === '' || before === '.' || before === '-';
  return before === '/' ? slashes > 1 : behind.includes(before);
}

/** The end of <https://…> or <mailto:…> that begins at i; i if none does. */
export function angledEnd(s: string, i: number): number {
  if (hostOf(s, i + 1) < 0 && s.slice(i + 1, i + 8).toLowerCase() !== 'mailto:') return i;
  for (let end = i + 8; end < s.length; end++) {
    const c = s.charAt(end);
    if (c === '>') return end + 1;
    if (c === '<' || c.trim() === '') break;
  }
  return i;
}

/**
 * Reads what follows the ] at i: (https://… ), with pairs of brackets, or
 * (<https://… >). Another ]( ends the search, so that all of them together
 * look at each character once.
 */
export function destination(s: string, i: number): { address: string; end: number } | undefined {
  let from = i + 2;
  while (s.charAt(from) === ' ') from++;
  if (s.charAt(from) === '<') {
    const end = angledEnd(s, from);
    return end > from && s.charAt(end) === ')' ? { address: s.slice(from + 1, end - 1), end: end + 1 } : undefined;
  }
  if (hostOf(s, from) < 0 && s.slice(from, from + 7).toLowerCase() !== 'mailto:') return undefined;
  let open = 0;
  for (let end = from; end < s.length; end++) {
    const c = s.charAt(end);
    if (c === '(') open++;
    if (c.trim() === '' || c === '<' || (c === ']' && s.charAt(end + 1) === '(')) return undefined;
    if (c === ')' && open-- === 0) return { address: s.slice(from, end), end: end + 1 };
  }
  return undefined;
}

/** The end of a path of Windows that begins at i, C:\… or \\server\…: a backslash in it is no escape. */
export function pathEnd(s: string, i: number): number {
  const first = s.charAt(i);
  const server = first === '\\' && s.charAt(i + 1) === '\\' && joins(charAt(s, i + 2));
  const drive = s.charAt(i + 1) === ':' && s.charAt(i + 2) === '\\' && first < '\u0080' && joins(first);
  const begins = server || drive;
  if (!begins || joins(charBefore(s, i))) return i;
  let end = i + 2;
  while (end < s.length && s.charAt(end).trim() !== '' && s.charAt(end) !== '`') end++;
  return end;
}

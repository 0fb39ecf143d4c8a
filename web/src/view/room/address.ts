// Where an address in a text begins and ends. internal/domain/address.go has
// the same rules, and both are checked against internal/domain/testdata/mentions.json.
import { charAt, charBefore, endsAddress, isUnspaced, isWord, joins } from './chars';

const hostMarks = '-._:@[]%';
const wwwMarks = '-._:'; // without a scheme nothing is taken for a name before the host
const behind = '=-_#:(&~'; // what a word of an unspaced script may follow inside an address
const trailing = '.,;:!?*_~\'([{|';
const head = /(https?:\/\/)|www\./iy;
const plain = /www(?:[._-]+[\p{L}\p{N}\p{M}]+)+/iuy;
const angle = /[^\s<>]*>/y;
const path = /[^\s`]*/y;
const mail = /(?:mailto:)?[a-z\d][\w.+-]*@([a-z\d](?:[\w-]|\.(?=[a-z\d]))*)/iy;

const isMailto = (s: string, i: number): boolean => s.slice(i, i + 7).toLowerCase() === 'mailto:';

/**
 * Where the http or https address that begins at i has its host, which is i for one that begins with www. alone;
 * -1 if none begins there.
 */
export function hostOf(s: string, i: number): number {
  head.lastIndex = i;
  const [, scheme = ''] = head.exec(s) ?? [];
  const first = charAt(s, head.lastIndex);
  return head.lastIndex && (isWord(first) || (first === '[' && scheme)) ? i + scheme.length : -1;
}

/** Where an address leads, if a browser may be sent there: to a page, by https if it begins with www., or to a mail. */
export function target(s: string): URL | undefined {
  const host = hostOf(s, 0);
  const head = isMailto(s, 0) ? '' : mailEnd(s, 0) === s.length ? 'mailto:' : host ? '' : 'https://';
  return head || host > 0 || isMailto(s, 0) ? (URL.parse(head + s) ?? undefined) : undefined;
}

/**
 * The end of the bare address that begins at i; i if none does: http://…, https://…, www. and more of a host,
 * mailto:ann@example.org, or ann@example.org alone. Brackets belong
 * to it as far as they are pairs; what ends a sentence, and marks of Markdown
 * at its end, do not. Text of a script without spaces that follows directly
 * ends it, unless it stands behind a mark in the path, as in /wiki/東京.
 */
export function addressEnd(s: string, i: number): number {
  if (!isWord(s.charAt(i)) || joins(charBefore(s, i))) return i;
  const host = hostOf(s, i);
  const bare = host <= i;
  if (bare) {
    if (!standsAlone(s, i)) return i;
    const mail = mailEnd(s, i);
    if (mail > i || host < 0 || !isPlainHost(s, i)) return mail;
  }
  const open = [0, 0, 0];
  let inHost = true;
  let slashes = 0;
  let before = '';
  let end = host;
  while (end < s.length) {
    const c = charAt(s, end);
    if (endsAddress(c)) break;
    if (inHost && (c === '/' || c === '?' || c === '#')) inHost = false;
    if (inHost && !isWord(c) && !(bare ? wwwMarks : hostMarks).includes(c)) break;
    if (isUnspaced(c) && !isUnspaced(before) && !follows(before, inHost, slashes)) break;
    const opens = '([{'.indexOf(c);
    const closes = ')]}'.indexOf(c);
    if (opens >= 0) open[opens]!++;
    if (closes >= 0 && open[closes]!-- === 0) break;
    if (c === '/') slashes++;
    before = c;
    end += c.length;
  }
  while (end > host && trailing.includes(s.charAt(end - 1))) end--;
  return end > host ? end : i;
}

/** Whether what begins at i is part of no word, name or path before it: an address without a scheme may begin there. */
function standsAlone(s: string, i: number): boolean {
  while (i > 0 && "._+-'%".includes(s.charAt(i - 1))) i--;
  const before = charBefore(s, i) || ' ';
  return !joins(before) && !'@/\\'.includes(before);
}

/** Whether a host without a scheme begins at i: no underscores in its last two labels, and no @ behind it. */
function isPlainHost(s: string, i: number): boolean {
  plain.lastIndex = i;
  const [host = '_'] = plain.exec(s) ?? [];
  return s.charAt(plain.lastIndex) !== '@' && !marked(host);
}

/** Whether the last two labels of a host have underscores. */
const marked = (host: string): boolean => host.split('.').slice(-2).join().includes('_');

/**
 * The end of the mail address that begins at i, with mailto: or without; i if none does: ASCII alone, a host of at
 * least two labels, and a letter at its end. What goes on with a path or another name is none: git@example.org:tools/x.
 */
function mailEnd(s: string, i: number): number {
  mail.lastIndex = i;
  let [, host = ''] = mail.exec(s) ?? [];
  let end = mail.lastIndex;
  if (s.charAt(i - 1) === '_') while (host.endsWith('_')) [host, end] = [host.slice(0, -1), end - 1]; // of emphasis
  const goesOn = joins(charAt(s, end)) || s.charAt(end) === '@' || /^[/:][a-z\d]/i.test(s.slice(end, end + 2));
  return goesOn || !host.includes('.') || host.slice(-1) <= '9' || marked(host) ? i : end;
}

function follows(before: string, inHost: boolean, slashes: number): boolean {
  if (inHost) return before === '' || before === '.' || before === '-';
  return before === '/' ? slashes > 1 : behind.includes(before);
}

/** The end of <https://…>, <www.…>, <mailto:…> or <ann@example.org> that begins at i; i if none does. */
export function angledEnd(s: string, i: number): number {
  const mail = mailEnd(s, i + 1);
  if (mail > i + 1 && s.charAt(mail) === '>') return mail + 1;
  if (hostOf(s, i + 1) < 0 && !isMailto(s, i + 1)) return i;
  angle.lastIndex = i + 6;
  return angle.test(s) ? angle.lastIndex : i;
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
  if (hostOf(s, from) < 0 && !isMailto(s, from)) return undefined;
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
  path.lastIndex = i + 2;
  path.test(s);
  return path.lastIndex;
}

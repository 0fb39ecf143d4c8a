// Text within a paragraph. It is read once from left to right into tokens;
// marks of emphasis are paired when a link or the paragraph ends, by the
// algorithm of CommonMark, in which each mark is looked at a bounded number of
// times; then the tokens become a tree. So the time grows with the length alone.
import { addressEnd, angledEnd, destination, pathEnd, target } from './address';
import { nameEnd } from '../emojiport';
import { charAt, charBefore, isSpace, isWord, joins } from './chars';
import { CodeSpans } from './codespan';
import { mentionEnd } from './mention';

export type Inline =
  | { type: 'text'; text: string }
  | { type: Mark; children: Inline[] }
  | { type: 'code'; text: string }
  | { type: 'link'; href: string; children: Inline[]; host: string }
  | { type: 'mention'; name: string; text: string }
  | { type: 'emoji'; name: string; text: string }
  | { type: 'break' };

type Mark = 'strong' | 'em' | 'del' | 'spoiler';

/** A run of one mark, and what became of it: the pairs it closes, then those it opens. */
interface Run {
  char: string;
  size: number;
  left: number;
  opens: Mark[];
  closes: Mark[];
  canOpen: boolean;
  canClose: boolean;
  /** how many tokens before it say something */
  said: number;
}

type Token = Inline | { type: 'run'; run: Run } | { type: 'open' } | { type: 'close'; href: string; host: string };

interface Bracket {
  token: number;
  run: number;
  text: number;
}

const deepest = 8;
const escapable = '\\`*_~[]()<>@#+.!-|';
// Names of Python and PHP that are written with the marks of bold text.
const dunder = new Set(
  'init main name file dict doc all call class construct del dirname enter exit eq get getitem hash iter len new next repr set setitem str toString'.split(
    ' ',
  ),
);

/** Parses the text of one paragraph. */
export function inline(text: string): Inline[] {
  return new Parser(text).parse();
}

class Parser {
  readonly #s: string;
  readonly #spans: CodeSpans;
  readonly #tokens: Token[] = [];
  #runs: Run[] = [];
  #brackets: Bracket[] = [];
  /** brackets below this are around a link, and can be none */
  #inactive = 0;
  #plain = 0;
  #said = 0;
  #lastMention = 0;
  #lastEmoji = 0;

  constructor(s: string) {
    this.#s = s;
    this.#spans = new CodeSpans(s);
  }

  parse(): Inline[] {
    const s = this.#s;
    let i = 0;
    while (i < s.length) i = this.#at(i);
    this.#flush(i);
    pair(this.#runs);
    return build(this.#tokens);
  }

  /** Takes in the text that was read and has no marks. */
  #flush(to: number): void {
    if (to > this.#plain) this.#push({ type: 'text', text: this.#s.slice(this.#plain, to) });
    this.#plain = to;
  }

  #push(token: Token): void {
    if (token.type === 'text' ? says(token.text) : token.type !== 'break' && token.type !== 'run') this.#said++;
    this.#tokens.push(token);
  }

  #take(i: number, token: Token, end: number): number {
    this.#flush(i);
    this.#push(token);
    this.#plain = end;
    return end;
  }

  /** Reads what is at i, and says where to go on. */
  #at(i: number): number {
    const s = this.#s;
    switch (s.charAt(i)) {
      case '\n':
        return this.#take(i, { type: 'break' }, i + 1);
      case '\\':
        return this.#backslash(i);
      case '`':
        return this.#code(i);
      case '*':
      case '_':
      case '~':
      case '|':
        return this.#run(i);
      case '[':
        this.#flush(i);
        this.#brackets.push({ token: this.#tokens.length, run: this.#runs.length, text: i });
        return this.#take(i, { type: 'text', text: '[' }, i + 1);
      case ']':
        return this.#bracket(i);
      case '<':
        return this.#address(i, angledEnd(s, i), 1);
      case '@':
        return this.#mention(i);
      case ':':
        return this.#emoji(i);
    }
    const end = addressEnd(s, i);
    return end > i ? this.#address(i, end, 0) : Math.max(i + 1, pathEnd(s, i));
  }

  #backslash(i: number): number {
    const s = this.#s;
    const path = pathEnd(s, i);
    if (path > i) return path;
    const next = s.charAt(i + 1);
    if (next === '' || !escapable.includes(next)) return i + 1;
    // The shoulder of a shrug is one.
    if (next === '_' && s.charAt(i - 1) === '¯') return i + 2;
    return this.#take(i, { type: 'text', text: next }, i + 2);
  }

  #code(i: number): number {
    const [text, end] = this.#spans.at(i);
    if (text === undefined) return end;
    return this.#take(i, { type: 'code', text }, end);
  }

  #address(i: number, end: number, edge: number): number {
    if (end === i) return i + 1;
    const text = this.#s.slice(i + edge, end - edge);
    const url = target(text);
    const children: Inline[] = [{ type: 'text', text }];
    return this.#take(
      i,
      url ? { type: 'link', href: url.href, children, host: '' } : { type: 'text', text: this.#s.slice(i, end) },
      end,
    );
  }

  #mention(i: number): number {
    const end = mentionEnd(this.#s, i, this.#lastMention);
    if (end === i) return i + 1;
    this.#lastMention = end;
    const text = this.#s.slice(i, end);
    return this.#take(i, { type: 'mention', name: text.slice(1).toLowerCase(), text }, end);
  }

  /** The name of an emoji of the server. Within a word, as in a time of day, there is none. */
  #emoji(i: number): number {
    const s = this.#s;
    const end = nameEnd(s, i);
    const before = charBefore(s, i);
    if (end === i || joins(charAt(s, end)) || (i !== this.#lastEmoji && (joins(before) || before === ':'))) return i + 1;
    this.#lastEmoji = end;
    const text = s.slice(i, end);
    return this.#take(i, { type: 'emoji', name: text.slice(1, -1), text }, end);
  }

  #run(i: number): number {
    const s = this.#s;
    const char = s.charAt(i);
    let end = i;
    while (s.charAt(end) === char) end++;
    const size = end - i;
    if ((char === '~' || char === '|') && size !== 2) return end;
    this.#flush(i);
    const [before, after] = [charBefore(s, i), charAt(s, end)];
    const run: Run = {
      char,
      size,
      left: size,
      opens: [],
      closes: [],
      ...sides(before, after, charAt(s, end + after.length), char, size),
      said: this.#said,
    };
    if (char === '_' && size === 2 && run.canOpen && this.#named(end)) run.canOpen = false;
    this.#runs.push(run);
    return this.#take(i, { type: 'run', run }, end);
  }

  /** Whether the word at i and the marks behind it make a name such as __init__. */
  #named(i: number): boolean {
    let end = i;
    while (end - i < 10 && isWord(this.#s.charAt(end))) end++;
    return this.#s.slice(end, end + 2) === '__' && dunder.has(this.#s.slice(i, end));
  }

  #bracket(i: number): number {
    const opener = this.#brackets.pop();
    if (!opener) return i + 1;
    const active = this.#brackets.length >= this.#inactive;
    this.#inactive = Math.min(this.#inactive, this.#brackets.length);
    const found = active && this.#s.charAt(i + 1) === '(' ? destination(this.#s, i) : undefined;
    const url = found && target(found.address);
    const label = url ? this.#s.slice(opener.text + 1, i) : '';
    if (!found || !url || !label.trim()) return i + 1;
    this.#flush(i);
    pair(this.#runs.splice(opener.run));
    this.#tokens[opener.token] = { type: 'open' };
    this.#inactive = this.#brackets.length;
    return this.#take(i, { type: 'close', href: url.href, host: disguised(label, url) }, found.end);
  }
}

const pictograph = /^\p{So}$/u;

/** Whether a text has anything that emphasis could be meant for. Faces such as *_* have not. */
function says(text: string): boolean {
  for (const c of text) if (isWord(c) || pictograph.test(c)) return true;
  return false;
}

const isMark = (c: string): boolean => c !== '' && '*_~'.includes(c);
const isWide = (c: string): boolean => c >= '\u0080' && !joins(c);

/**
 * Whether a run between two characters can open or close emphasis. Formulas,
 * paths, globs and names of variables have marks within words: these do
 * nothing. next is the character behind after.
 */
function sides(
  before: string,
  after: string,
  next: string,
  char: string,
  size: number,
): { canOpen: boolean; canClose: boolean } {
  const free = isSpace(before);
  const leads = free || isMark(before) || isWide(before) || '([{"\',:;!?|-'.includes(before);
  const begins = free
    ? !'/=);'.includes(after)
    : isWord(after) || isMark(after) || isWide(after) || '([{"\'`\\<@#$'.includes(after);
  // A stop within a word ends nothing: __init__.py
  const trails = ')]}"\'`.,:;!?|/-'.includes(after) && !(after === '.' && isWord(next));
  const ends =
    isSpace(after) || isMark(after) || isWide(after) || trails || (size > 1 && char !== '_' && isWord(after));
  return { canOpen: !isSpace(after) && leads && begins, canClose: !free && ends };
}

/** Pairs runs that open and close emphasis. What stays single is text. */
function pair(runs: readonly Run[]): void {
  const stack: Run[] = [];
  // Below these places there is no opener for a run of that kind: nothing is searched twice.
  const floors = new Map<string, number>();
  for (const run of runs) {
    while (run.canClose && run.left > 0) {
      const kind = `${run.char}${String(run.size % 3)}${run.canOpen ? 'o' : ''}`;
      let k = stack.length - 1;
      const floor = floors.get(kind) ?? 0;
      while (k >= floor && !fits(stack[k]!, run)) k--;
      const opener = k >= floor ? stack[k] : undefined;
      if (!opener || opener.said === run.said) {
        floors.set(kind, stack.length);
        break;
      }
      const count = Math.min(2, opener.left, run.left);
      const mark = run.char === '~' ? 'del' : run.char === '|' ? 'spoiler' : count === 2 ? 'strong' : 'em';
      opener.opens.push(mark);
      run.closes.push(mark);
      opener.left -= count;
      run.left -= count;
      stack.length = opener.left > 0 ? k + 1 : k;
      for (const [key, at] of floors) if (at > stack.length) floors.set(key, stack.length);
    }
    if (run.canOpen && run.left > 0) stack.push(run);
  }
}

/** CommonMark's rule of three: of runs that could do both, a mark of one and two of another are no pair. */
function fits(opener: Run, run: Run): boolean {
  if (opener.char !== run.char) return false;
  if (!(opener.canClose || run.canOpen)) return true;
  return (opener.size + run.size) % 3 !== 0 || (opener.size % 3 === 0 && run.size % 3 === 0);
}

/** Makes the tree. Emphasis below the deepest level has no effect. */
function build(tokens: readonly Token[]): Inline[] {
  const root: Inline[] = [];
  const stack: Inline[][] = [root];
  const open = (node: Inline & { children: Inline[] }) => {
    const top = stack.at(-1) ?? root;
    if (stack.length > deepest) return void stack.push(top);
    top.push(node);
    stack.push(node.children);
  };
  const links: Extract<Inline, { type: 'link' }>[] = [];
  for (const token of tokens) {
    const top = stack.at(-1) ?? root;
    if (token.type === 'run') {
      for (let n = token.run.closes.length; n > 0; n--) stack.pop();
      if (token.run.left > 0) text(stack.at(-1) ?? root, token.run.char.repeat(token.run.left));
      for (const type of token.run.opens.reverse()) open({ type, children: [] });
    } else if (token.type === 'open') {
      const link: (typeof links)[number] = { type: 'link', href: '', children: [], host: '' };
      links.push(link);
      top.push(link);
      stack.push(link.children);
    } else if (token.type === 'close') {
      stack.pop();
      const link = links.pop();
      if (link) [link.href, link.host] = [token.href, token.host];
    } else if (token.type === 'text') text(top, token.text);
    else if (token.type === 'link' && links.length > 0)
      text(top, token.children.map((c) => ('text' in c ? c.text : '')).join(''));
    else top.push(token);
  }
  return root;
}

function text(into: Inline[], s: string): void {
  const last = into.at(-1);
  if (last?.type === 'text') last.text += s;
  else into.push({ type: 'text', text: s });
}

/** The true host of a link whose text looks like another address; '' if it is honest. */
function disguised(label: string, url: URL): string {
  const said = hostIn(label);
  if (!said || !url.host) return '';
  const bareHost = (h: string) => (h.startsWith('www.') ? h.slice(4) : h);
  return bareHost(hostnameOf(said)) === bareHost(url.hostname.toLowerCase()) ? '' : url.host;
}

/** A name as browsers write it: bücher.example is xn--bcher-kva.example. */
const hostnameOf = (name: string): string => target(`https://${name}`)?.hostname ?? name;

/** The first thing in a text that looks like the name of a host. */
const hostIn = (label: string): string | undefined =>
  label.toLowerCase().match(/[\p{L}\p{N}\p{M}.-]+/gu)?.find(looksLikeHost);

function looksLikeHost(name: string): boolean {
  const parts = name.split('.').filter(Boolean);
  return parts.length > 1 && /^[^\d-]{2,}$/u.test(parts.at(-1) ?? '');
}

// The subset of Markdown that messages are written in: bold, italic, struck
// out, code, code blocks, links, lists, quotes and mentions. Text becomes a tree,
// never HTML, so nothing that anybody writes can become markup of the page.
// Whatever is not understood stays as it was typed. The time that parsing takes
// grows with the text's length alone.

export type Inline =
  | { type: 'text'; text: string }
  | { type: 'strong' | 'em' | 'del'; children: Inline[] }
  | { type: 'code'; text: string }
  | { type: 'link'; href: string; children: Inline[]; host: string }
  | { type: 'mention'; name: string; text: string }
  | { type: 'break' };

export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'code'; language: string; text: string }
  | { type: 'quote'; children: Block[] }
  | { type: 'list'; ordered: boolean; start: number; items: Block[][] };

const deepest = 8;
const most = 100; // closing marks that are looked at for one opening mark
const longest = 1000; // characters of a link's text, and of its address

/** Parses a message's text. */
export function parse(text: string): Block[] {
  return blocks(text.replace(/\r\n?/g, '\n').split('\n'), 0);
}

const fence = /^ {0,3}(`{3,})[ \t]*([^`]*)$/;
const language = /^[\w+#.-]*$/;
const quoted = /^ {0,3}> ?/;
const bullet = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4})(?=\S)/;

function blocks(lines: readonly string[], depth: number): Block[] {
  const out: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    const text = paragraph.join('\n').trim();
    if (text) out.push({ type: 'paragraph', children: inline(text) });
    paragraph = [];
  };
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] ?? '';
    const open = fence.exec(line);
    if (open) {
      flush();
      const end = closing(lines, i + 1, open[1] ?? '```');
      const info = (open[2] ?? '').trimEnd();
      const text = lines.slice(i + 1, end);
      // Words behind the fence are no language: they were meant to be seen.
      if (language.test(info)) out.push({ type: 'code', language: info, text: text.join('\n') });
      else out.push({ type: 'code', language: '', text: [info, ...text].join('\n') });
      i = end + 1;
    } else if (depth < deepest && quoted.test(line)) {
      flush();
      const from = i;
      while (i < lines.length && quoted.test(lines[i] ?? '')) i++;
      out.push({ type: 'quote', children: blocks(lines.slice(from, i).map((l) => l.replace(quoted, '')), depth + 1) });
    } else if (depth < deepest && bullet.test(line)) {
      flush();
      const [list, next] = listAt(lines, i, depth);
      out.push(list);
      i = next;
    } else {
      if (line.trim()) paragraph.push(line);
      else flush();
      i++;
    }
  }
  flush();
  return out;
}

/** The line that closes a fence, or the end of the text. */
function closing(lines: readonly string[], from: number, ticks: string): number {
  let i = from;
  while (i < lines.length) {
    const l = (lines[i] ?? '').trim();
    if (l.startsWith(ticks) && /^`+$/.test(l)) break;
    i++;
  }
  return i;
}

function listAt(lines: readonly string[], from: number, depth: number): [Block, number] {
  const first = bullet.exec(lines[from] ?? '');
  const mark = first?.[2] ?? '-';
  const ordered = /\d/.test(mark);
  const items: string[][] = [];
  let indent = 0;
  let i = from;
  for (; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const m = bullet.exec(line);
    const lead = line.length - line.trimStart().length;
    if (m && (!items.length || lead < Math.max(2, indent)) && /\d/.test(m[2] ?? '') === ordered) {
      indent = m[0].length;
      items.push([line.slice(indent)]);
    } else if (line.trim() && lead >= Math.min(2, indent)) {
      items.at(-1)?.push(line.slice(Math.min(lead, indent)));
    } else break;
  }
  const list: Block = {
    type: 'list',
    ordered,
    start: ordered ? Number.parseInt(mark, 10) : 1,
    items: items.map((item) => blocks(item, depth + 1)),
  };
  return [list, i];
}

const special = /[\\`*_~[<@\n]|https?:\/\//g;
const word = /[\p{L}\p{N}]/u;
const bare = /https?:\/\/[^\s<>"']+/y;
const angled = /<((?:https?:\/\/|mailto:)[^\s<>]+)>/y;
const mention = /@([A-Za-z0-9][A-Za-z0-9._-]{0,31})/y;

function inline(text: string): Inline[] {
  return new Parser(text).run(0, text.length, 0);
}

class Parser {
  readonly #s: string;
  /** delimiters that nothing closes any more: asked once, not again and again */
  readonly #open = new Map<string, number>();

  constructor(s: string) {
    this.#s = s;
  }

  run(from: number, to: number, depth: number): Inline[] {
    const out: Inline[] = [];
    const s = this.#s;
    let plain = from;
    let i = from;
    const emit = (node: Inline, next: number) => {
      if (i > plain) out.push({ type: 'text', text: s.slice(plain, i) });
      out.push(node);
      i = plain = next;
    };
    while (i < to) {
      special.lastIndex = i;
      const m = special.exec(s);
      if (!m || m.index >= to) break;
      i = m.index;
      const found = this.#at(i, to, depth);
      if (found && found[1] <= to) emit(found[0], found[1]);
      else i++;
    }
    i = to;
    if (i > plain) out.push({ type: 'text', text: s.slice(plain, i) });
    return out;
  }

  #at(i: number, to: number, depth: number): [Inline, number] | undefined {
    const s = this.#s;
    switch (s[i]) {
      case '\n':
        return [{ type: 'break' }, i + 1];
      case '\\':
        return /[\\`*_~[\]()<>@#+.!-]/.test(s[i + 1] ?? '') ? [{ type: 'text', text: s[i + 1] ?? '' }, i + 2] : undefined;
      case '`':
        return this.#code(i, to);
      case '*':
      case '_':
      case '~':
        return depth < deepest ? this.#emphasis(i, to, depth) : undefined;
      case '[':
        return depth < deepest ? this.#link(i, to, depth) : undefined;
      case '<':
        return this.#angled(i);
      case '@':
        return this.#mention(i);
      default:
        return this.#bare(i, to);
    }
  }

  /** Where needle next is at or after from and before to; -1 if nowhere. */
  #find(needle: string, from: number, to: number): number {
    const dead = this.#open.get(needle);
    if (dead !== undefined && from >= dead) return -1;
    const at = this.#s.indexOf(needle, from);
    if (at < 0) this.#open.set(needle, from);
    return at >= 0 && at + needle.length <= to ? at : -1;
  }

  /** The same, but not far away. */
  #near(needle: string, from: number, to: number): number {
    const at = this.#s.slice(from, Math.min(to, from + longest)).indexOf(needle);
    return at < 0 ? -1 : from + at;
  }

  #code(i: number, to: number): [Inline, number] | undefined {
    const s = this.#s;
    let n = i;
    while (s[n] === '`') n++;
    const ticks = s.slice(i, n);
    let tries = 0;
    for (let at = this.#find(ticks, n, to); at >= 0 && tries < most; at = this.#find(ticks, at, to), tries++) {
      let end = at;
      while (s[end] === '`') end++;
      if (end - at === ticks.length) {
        const inside = s.slice(n, at).replace(/\n/g, ' ');
        const text = /^ .*[^ ].* $/.test(inside) ? inside.slice(1, -1) : inside;
        return [{ type: 'code', text }, end];
      }
      at = end;
    }
    return [{ type: 'text', text: ticks }, n];
  }

  #emphasis(i: number, to: number, depth: number): [Inline, number] | undefined {
    const s = this.#s;
    const c = s[i] ?? '';
    const double = s[i + 1] === c;
    if (c === '~' && !double) return undefined;
    const mark = double ? c + c : c;
    const from = i + mark.length;
    if (/\s/.test(s[from] ?? ' ') || s[from] === c) return undefined;
    if (c === '_' && word.test(s[i - 1] ?? '')) return undefined;
    let tries = 0;
    for (let at = this.#find(mark, from + 1, to); at >= 0 && tries < most; at = this.#find(mark, at + mark.length, to), tries++) {
      const after = s[at + mark.length] ?? '';
      if (/\s/.test(s[at - 1] ?? '') || s[at - 1] === '\\') continue;
      if (c === '_' && word.test(after)) continue;
      // One mark of two belongs to what is inside.
      if (!double && (after === c || s[at - 1] === c)) {
        if (after === c) at++;
        continue;
      }
      const type = c === '~' ? 'del' : double ? 'strong' : 'em';
      return [{ type, children: this.run(from, at, depth + 1) }, at + mark.length];
    }
    return undefined;
  }

  #link(i: number, to: number, depth: number): [Inline, number] | undefined {
    const s = this.#s;
    const close = this.#near('](', i + 1, to);
    if (close < 0) return undefined;
    const label = s.slice(i + 1, close);
    if (!label.trim() || /[[\]]/.test(label)) return undefined;
    const end = this.#near(')', close + 2, to);
    if (end < 0) return undefined;
    const url = target(s.slice(close + 2, end).trim());
    if (!url) return undefined;
    const children = this.run(i + 1, close, depth + 1).map(withoutLinks);
    return [{ type: 'link', href: url.href, children, host: disguised(label, url) }, end + 1];
  }

  #angled(i: number): [Inline, number] | undefined {
    angled.lastIndex = i;
    const m = angled.exec(this.#s);
    const url = m && target(m[1] ?? '');
    return m && url ? [{ type: 'link', href: url.href, children: [{ type: 'text', text: m[1] ?? '' }], host: '' }, i + m[0].length] : undefined;
  }

  #bare(i: number, to: number): [Inline, number] | undefined {
    if (word.test(this.#s[i - 1] ?? '')) return undefined;
    bare.lastIndex = i;
    const m = bare.exec(this.#s);
    if (!m) return undefined;
    let text = m[0].slice(0, to - i).replace(/[.,;:!?*_~]+$/, '');
    // A bracket that closes one before the address is not part of it.
    while (text.endsWith(')') && text.split(')').length > text.split('(').length) text = text.slice(0, -1).replace(/[.,;:!?]+$/, '');
    const url = target(text);
    return url ? [{ type: 'link', href: url.href, children: [{ type: 'text', text }], host: '' }, i + text.length] : undefined;
  }

  #mention(i: number): [Inline, number] | undefined {
    if (/[\p{L}\p{N}._-]/u.test(this.#s[i - 1] ?? '')) return undefined;
    mention.lastIndex = i;
    const m = mention.exec(this.#s);
    const name = m?.[1]?.replace(/[._-]+$/, '');
    return name ? [{ type: 'mention', name: name.toLowerCase(), text: `@${name}` }, i + 1 + name.length] : undefined;
  }
}

/** The address of a link, if it is one that a browser may be sent to. */
function target(s: string): URL | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(s)) return undefined;
  try {
    return new URL(s);
  } catch {
    return undefined;
  }
}

/** The true host of a link whose text looks like another address; '' if it is honest. */
function disguised(label: string, url: URL): string {
  const said = /(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})/iu.exec(label)?.[1];
  if (!said || !url.host) return '';
  const bareHost = (h: string) => h.toLowerCase().replace(/^www\./, '');
  return bareHost(said) === bareHost(url.hostname) ? '' : url.host;
}

const withoutLinks = (n: Inline): Inline => {
  if (n.type === 'link') return { type: 'text', text: n.children.map((c) => ('text' in c ? c.text : '')).join('') };
  return n.type === 'strong' || n.type === 'em' || n.type === 'del' ? { ...n, children: n.children.map(withoutLinks) } : n;
};

/** Whether a text is a few emoji and nothing else. */
export function onlyEmoji(text: string): boolean {
  return text.length <= 60 && /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[\u200d\ufe0f\s])+$/u.test(text) && /\S/.test(text);
}

/** What a text says without its marks, in one line: for quotes and for reading out. */
export function plain(text: string): string {
  return parse(text).map(plainBlock).join(' ').replace(/\s+/g, ' ').trim();
}

function plainBlock(b: Block): string {
  switch (b.type) {
    case 'paragraph':
      return plainInline(b.children);
    case 'code':
      return b.text;
    case 'quote':
      return b.children.map(plainBlock).join(' ');
    case 'list':
      return b.items.map((item) => item.map(plainBlock).join(' ')).join(', ');
  }
}

function plainInline(nodes: readonly Inline[]): string {
  return nodes.map((n) => ('text' in n ? n.text : 'children' in n ? plainInline(n.children) : ' ')).join('');
}

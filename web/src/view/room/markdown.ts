// The subset of Markdown that messages are written in: bold, italic, struck
// out, spoilers, code, code blocks, links, lists, tasks, tables, quotes and mentions.
// Text becomes a tree, never HTML, so nothing that anybody writes can become markup of the page.
// Whatever is not understood stays as it was typed. The time that parsing takes
// grows with the text's length alone: lines are read by character, once for each
// level of quotes and lists. internal/domain/blocks.go divides texts alike, and both
// are checked against internal/domain/testdata/markdown.json.
import { replaceNames } from '../emojiport';
import { charAt, isPunctuation, isSpace } from './chars';
import { inline, type Inline } from './inline';
import { rowOf, tableAt, type Align } from './table';

export type { Align, Inline };

export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'code'; language: string; text: string }
  | { type: 'quote'; children: Block[] }
  | { type: 'list'; ordered: boolean; items: Item[] }
  | { type: 'table'; align: Align[]; head: Inline[][]; rows: Inline[][][] };

/** An item of a list, and the number that it was given. */
export interface Item {
  number: number;
  blocks: Block[];
  task?: Task | undefined;
}

/** What is to be done: the how manieth of its message, from 1, and the line that says it. */
export interface Task {
  n: number;
  done: boolean;
  text: string;
}

const deepest = 8;
const mostRows = 100; // of a table

/** Parses a message's text. */
export function parse(text: string): Block[] {
  return blocks(text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n'), 0, { tasks: 0 });
}

function blocks(lines: readonly string[], depth: number, count: { tasks: number }): Block[] {
  const out: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    const text = paragraph.join('\n').trim();
    if (text) out.push({ type: 'paragraph', children: inline(text) });
    paragraph = [];
  };
  for (let i = 0; i < lines.length;) {
    const line = lines[i] ?? '';
    const open = fenceAt(line);
    const bullet = depth < deepest ? bulletAt(line) : undefined;
    const table = tableAt(line, lines[i + 1]);
    if (open) {
      flush();
      const end = closing(lines, i + 1, open.ticks);
      out.push(code(open.info, lines.slice(i + 1, end)));
      i = end + 1;
    } else if (depth < deepest && quoteAt(line) > 0) {
      flush();
      const inside: string[] = [];
      for (; i < lines.length && quoteAt(lines[i] ?? '') > 0; i++)
        inside.push((lines[i] ?? '').slice(quoteAt(lines[i] ?? '')));
      out.push({ type: 'quote', children: blocks(inside, depth + 1, count) });
    } else if (bullet && (!paragraph.length || !bullet.ordered || bullet.number === 1)) {
      flush();
      const [list, next] = listAt(lines, i, depth, count);
      out.push(list);
      i = next;
    } else if (table) {
      flush();
      const end = tableEnd(lines, i + 2, depth);
      const cells = (row: string) => rowOf(row, table.length).map(inline);
      out.push({ type: 'table', align: table, head: cells(line), rows: lines.slice(i + 2, end).map(cells) });
      i = end;
    } else {
      if (line.trim()) paragraph.push(line);
      else flush();
      i++;
    }
  }
  flush();
  return out;
}

/** Where a table ends: at a line without a bar or at what begins something else, and after its last row. */
function tableEnd(lines: readonly string[], from: number, depth: number): number {
  let i = from;
  for (; i < lines.length && i < from + mostRows; i++) {
    const line = lines[i] ?? '';
    const bullet = depth < deepest ? bulletAt(line) : undefined;
    if (!line.includes('|') || fenceAt(line) || bullet || (depth < deepest && quoteAt(line) > 0)) break;
  }
  return i;
}

/** Words behind the fence are no language: they were meant to be seen. */
function code(info: string, text: readonly string[]): Block {
  const named = [...info].every((c) => !isSpace(c) && (!isPunctuation(c) || '_+#.-'.includes(c)));
  return { type: 'code', language: named ? info : '', text: (named ? text : [info, ...text]).join('\n') };
}

/** How many spaces line begins with, up to three. */
function indentOf(line: string): number {
  let n = 0;
  while (n < 3 && line.charAt(n) === ' ') n++;
  return n;
}

/** A line that opens a code block. */
function fenceAt(line: string): { ticks: number; info: string } | undefined {
  const from = indentOf(line);
  let end = from;
  while (line.charAt(end) === '`') end++;
  if (end - from < 3 || line.includes('`', end)) return undefined;
  return { ticks: end - from, info: line.slice(end).trim() };
}

/** The line that closes a fence, or the end of the text. */
function closing(lines: readonly string[], from: number, ticks: number): number {
  let i = from;
  for (; i < lines.length; i++) {
    const line = (lines[i] ?? '').trim();
    if (line.length >= ticks && /^`+$/.test(line)) break;
  }
  return i;
}

/** The length of what makes line a quotation; 0 if it is none. Faces and comparisons, >_< and >3, are none. */
function quoteAt(line: string): number {
  const from = indentOf(line);
  if (line.charAt(from) !== '>') return 0;
  const next = charAt(line, from + 1);
  if (next === ' ') return from + 2;
  if (next === '' || next === '>') return from + 1;
  if (isPunctuation(next) ? !'"\'([*@`'.includes(next) && next < '\u0080' : next >= '0' && next <= '9') return 0;
  for (let i = from + 1; i < from + 7; i++) {
    if (line.charAt(i).trim() === '') return '<>'.includes(line.charAt(i - 1)) ? 0 : from + 1;
  }
  return from + 1;
}

interface Bullet {
  ordered: boolean;
  number: number;
  indent: number;
}

/** A line that begins an item: a dash, star, plus or number, and up to four spaces. */
function bulletAt(line: string): Bullet | undefined {
  const from = indentOf(line);
  let end = from;
  while (end - from < 9 && line.charAt(end) >= '0' && line.charAt(end) <= '9') end++;
  const ordered = end > from;
  const mark = line.charAt(end);
  if (mark === '' || !(ordered ? '.)' : '-*+').includes(mark)) return undefined;
  let text = end + 1;
  while (text - end < 5 && line.charAt(text) === ' ') text++;
  if (text === end + 1 || line.charAt(text).trim() === '') return undefined;
  return { ordered, number: ordered ? Number(line.slice(from, end)) : 0, indent: text };
}

/** How many spaces and tabs line begins with. */
function leadOf(line: string): number {
  return /^[ \t]*/.exec(line)?.[0].length ?? 0;
}

function listAt(
  lines: readonly string[],
  from: number,
  depth: number,
  count: { tasks: number },
): [Block, number] {
  const ordered = bulletAt(lines[from] ?? '')?.ordered ?? false;
  const items: { number: number; lines: string[] }[] = [];
  let indent = 0;
  let i = from;
  // Blank lines belong to the list if an item or more of one is behind them.
  for (let blank = 0; i + blank < lines.length;) {
    const line = lines[i + blank] ?? '';
    const m = bulletAt(line);
    const lead = leadOf(line);
    if (!line.trim()) {
      blank++;
      continue;
    }
    if (m && (!items.length || lead < Math.max(2, indent)) && m.ordered === ordered) {
      indent = m.indent;
      items.push({ number: m.number, lines: [line.slice(indent)] });
    } else if (lead >= Math.min(2, indent)) {
      if (blank) items.at(-1)?.lines.push('');
      items.at(-1)?.lines.push(line.slice(Math.min(lead, indent)));
    } else break;
    i += blank + 1;
    blank = 0;
  }
  return [{ type: 'list', ordered, items: items.map((item) => itemOf(item.number, item.lines, depth, count)) }, i];
}

function itemOf(number: number, lines: string[], depth: number, count: { tasks: number }): Item {
  const first = lines[0] ?? '';
  const done = doneAt(first);
  if (done === undefined) return { number, blocks: blocks(lines, depth + 1, count) };
  const text = first.slice(3).trim();
  const task = { n: ++count.tasks, done, text };
  return { number, task, blocks: blocks([text, ...lines.slice(1)], depth + 1, count) };
}

/** Whether a line says that something is done, [x], or is to be done, [ ]; undefined if it says neither. */
function doneAt(line: string): boolean | undefined {
  if (line.charAt(0) !== '[' || line.charAt(2) !== ']' || !' \t'.includes(line.charAt(3) || '-')) return undefined;
  const mark = line.charAt(1);
  if (!' xX'.includes(mark) || !line.slice(3).trim()) return undefined;
  return mark !== ' ';
}

/** Whether a text is a few emoji and nothing else. known: whether the server has an emoji of this name. */
export function onlyEmoji(written: string, known: (name: string) => boolean = () => false): boolean {
  if (written.length > 400) return false;
  const text = replaceNames(written, (name, raw) => (known(name) ? '😀' : raw));
  return (
    text.length <= 60 &&
    /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[\u200d\ufe0f\s])+$/u.test(text) &&
    /\S/.test(text)
  );
}

/** What a text says without its marks, in one line: for quotes and for reading out. Spoilers are left out. */
export function plain(text: string): string {
  return parse(text).map(plainBlock).join(' ').split(/\s/u).filter(Boolean).join(' ');
}

/** What a block says without its marks. */
export function plainBlock(b?: Block): string {
  switch (b?.type) {
    case undefined:
      return '';
    case 'paragraph':
      return plainInline(b.children);
    case 'code':
      return b.text;
    case 'quote':
      return b.children.map(plainBlock).join(' ');
    case 'list':
      return b.items.map((item) => item.blocks.map(plainBlock).join(' ')).join(', ');
    case 'table':
      return [b.head, ...b.rows].flatMap((row) => row.map(plainInline)).filter(Boolean).join(', ');
  }
}

/** What some text says without its marks. */
export function plainInline(nodes: readonly Inline[]): string {
  return nodes
    .map((n) => {
      if (n.type === 'spoiler') return '[…]';
      return 'text' in n ? n.text : 'children' in n ? plainInline(n.children) : ' ';
    })
    .join('');
}

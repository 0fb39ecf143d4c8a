// What the keyboard does with the text that is selected where one writes: bold, italic, struck out, code, and a link.

import { keyOf } from '../kit/keys';
import { insert } from './paste';

/** What is selected in a text. */
export interface Selected {
  value: string;
  from: number;
  to: number;
}

/** Replaces from to to by text, and selects from start to end of the result. */
export interface Change {
  from: number;
  to: number;
  text: string;
  start: number;
  end: number;
}

const plain: Record<string, string> = { b: '**', i: '*', e: '`' };

/** The mark that a key puts around what is selected. */
export function markOf(e: KeyboardEvent): string | undefined {
  if (!(e.ctrlKey || e.metaKey) || e.altKey) return undefined;
  const key = keyOf(e).toLowerCase();
  if (e.shiftKey) return key === 'x' ? '~~' : undefined;
  return plain[key];
}

/** How many of a character a text ends with, or begins with. */
function run(text: string, char: string, back: boolean): number {
  let n = 0;
  while (n < text.length && text.charAt(back ? text.length - 1 - n : n) === char) n++;
  return n;
}

/** Whether a run of so many characters has the mark: three stars are bold and italic. */
const has = (n: number, mark: string): boolean => (mark === '*' ? n % 2 === 1 : n >= mark.length);

/** Puts a mark around what is selected, or takes it off. Spaces at its ends stay outside, as Markdown wants it. */
export function marked({ value, from, to }: Selected, mark: string): Change {
  const all = value.slice(from, to);
  const inner = all.trim();
  const begin = from + (inner ? all.indexOf(inner) : 0);
  const end = inner ? begin + inner.length : from;
  const char = mark.charAt(0);
  const around = Math.min(run(value.slice(0, begin), char, true), run(value.slice(end), char, false));
  const m = mark.length;
  if (has(around, mark))
    return { from: begin - m, to: end + m, text: inner, start: begin - m, end: begin - m + inner.length };
  const within = Math.min(run(inner, char, false), run(inner, char, true));
  if (has(within, mark) && inner.length > 2 * m) {
    const text = inner.slice(m, -m);
    return { from: begin, to: end, text, start: begin, end: begin + text.length };
  }
  return { from: begin, to: end, text: mark + inner + mark, start: begin + m, end: begin + m + inner.length };
}

/** A link of what is selected to an address that is pasted; undefined: they are no such things. */
export function linked({ value, from, to }: Selected, pasted: string): string | undefined {
  const label = value.slice(from, to);
  const address = pasted.trim();
  if (!label.trim() || /[[\]\n`]|:\/\//u.test(label) || !/^https?:\/\/[^\s<>]+$/iu.test(address)) return undefined;
  return `[${label}](${/[()]/u.test(address) ? `<${address}>` : address})`;
}

/** Makes a change, so that the browser can undo it. */
export function change(box: HTMLTextAreaElement, c: Change): void {
  box.setSelectionRange(c.from, c.to);
  insert(box, c.text);
  box.setSelectionRange(c.start, c.end);
}

export const selectedIn = (box: HTMLTextAreaElement): Selected => ({
  value: box.value,
  from: box.selectionStart,
  to: box.selectionEnd,
});

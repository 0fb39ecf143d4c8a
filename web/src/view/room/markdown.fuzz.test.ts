// Texts that nobody would write, made from a committed corpus by a generator
// whose seed is printed. UNHIDRA_FUZZ says how many; .ci/fuzz asks for more.
import { expect, it } from 'vitest';
import { parse, type Block, type Inline } from './markdown';
import corpus from './testdata/markdown.json';

const runs = Number(process.env['UNHIDRA_FUZZ'] ?? 2000);
const seed = Number(process.env['UNHIDRA_FUZZ_SEED'] ?? Date.now() % 2 ** 31);

/** A small generator of numbers that a seed repeats (mulberry32). */
function random(state: number): (below: number) => number {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const marks = [
  '*',
  '**',
  '_',
  '`',
  '```',
  '~~',
  '[',
  ']',
  '(',
  ')',
  '](https://',
  '<',
  '>',
  '\n',
  '\n\n',
  '> ',
  '- ',
  '1. ',
  '\\',
  '@',
  ' ',
  'a',
  'é',
  '字',
  'https://x.y/',
  '|',
  '||',
  '\n|-|-|\n',
  '- [ ] ',
  '- [x] ',
];

function mutate(text: string, pick: (below: number) => number): string {
  const other = corpus[pick(corpus.length)] ?? '';
  const at = pick(text.length + 1);
  switch (pick(4)) {
    case 0: // two that meet in the middle
      return text.slice(0, at) + other.slice(pick(other.length + 1));
    case 1: // a mark too many
      return text.slice(0, at) + (marks[pick(marks.length)] ?? '') + text.slice(at);
    case 2: // a piece too few
      return text.slice(0, at) + text.slice(at + 1 + pick(4));
    default: // a piece again and again
      return text.slice(0, at) + text.slice(at, at + 1 + pick(6)).repeat(1 + pick(20)) + text.slice(at);
  }
}

interface Shown {
  text: string;
  languages: string;
  links: string[];
}

function show(blocks: readonly Block[], into: Shown): Shown {
  const inlines = (nodes: readonly Inline[]): void => {
    for (const n of nodes) {
      if (n.type === 'link') into.links.push(n.href);
      if ('children' in n) inlines(n.children);
      else if ('text' in n) into.text += n.text;
    }
  };
  for (const b of blocks) {
    if (b.type === 'paragraph') inlines(b.children);
    else if (b.type === 'quote') show(b.children, into);
    else if (b.type === 'table') for (const cell of [b.head, ...b.rows].flat()) inlines(cell);
    else if (b.type === 'list')
      for (const item of b.items) {
        if (item.task?.done) into.text += 'x'; // is seen as a tick
        show(item.blocks, into);
      }
    else [into.text, into.languages] = [into.text + b.text, into.languages + b.language];
  }
  return into;
}

const letters = (s: string): string[] => s.match(/\p{L}/gu) ?? [];

/** What must hold for every text there is. */
function check(source: string): void {
  const shown = show(parse(source), { text: '', languages: '', links: [] });
  for (const link of shown.links) expect(new URL(link).protocol).toMatch(/^(https?|mailto):$/);
  const all = letters(source);
  let i = 0;
  for (const l of letters(shown.text)) {
    while (i < all.length && all[i] !== l) i++;
    if (i++ === all.length) throw new Error(`"${l}" was never written, or not there`);
  }
  // An address in brackets is behind its text; everything else that was written is seen.
  if (!source.includes('](')) expect(letters(shown.text).length + letters(shown.languages).length).toBe(all.length);
}

it(`holds for ${runs} texts from seed ${seed}`, () => {
  const pick = random(seed);
  for (let run = 0; run < runs; run++) {
    let text = corpus[run % corpus.length] ?? '';
    if (run >= corpus.length) for (let n = 1 + pick(8); n > 0; n--) text = mutate(text, pick);
    try {
      check(text);
    } catch (err) {
      throw new Error(`${JSON.stringify(text)}: ${String(err)}`);
    }
  }
}, 120_000);

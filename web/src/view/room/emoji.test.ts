import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { files } from '../../../emoji.mjs';
import { fits, groupsIn, toned, type Emoji } from './emoji';
import { bare, shown, untoned } from './shownemoji';

const all = (await groupsIn('en')).flatMap((g) => g.items);

const best = (typed: string, of: Emoji[]) =>
  [...of].sort((a, b) => fits(typed, b) - fits(typed, a)).filter((e) => fits(typed, e))[0]?.char;

test('the files of emoji are what npm run emoji makes', () => {
  for (const [name, text] of Object.entries(files()))
    expect(readFileSync(new URL(`emojidata/${name}`, import.meta.url), 'utf8'), name).toBe(text);
});

test('all emoji of Unicode are there once, and each has a name', () => {
  expect(all).toHaveLength(1914);
  expect(new Set(all.map((e) => bare(e.char))).size).toBe(all.length);
  expect(all.filter((e) => e.char !== shown(e.char))).toEqual([]);
  expect(all.filter((e) => !e.names.every((n) => /^[\w+'.-]+$/u.test(n))).map((e) => e.names)).toEqual([]);
});

test('names that were there first stay', () => {
  const source = readFileSync(new URL('emoji.ts', import.meta.url), 'utf8');
  const hand = source.split('`')[1]?.trim().split(/[|\n]/) ?? [];
  expect(hand.length).toBeGreaterThan(300);
  for (const entry of hand) {
    const [char = '', ...names] = entry.split(' ');
    const e = all.find((one) => bare(one.char) === bare(char));
    expect(e?.names.slice(0, names.length), entry).toEqual(names);
  }
});

test('emoji are found by names, other words, and words of the language', async () => {
  const german = (await groupsIn('de-AT')).flatMap((g) => g.items);
  expect((await groupsIn('pt-BR')).flatMap((g) => g.items)).toEqual(all);
  expect(german).toHaveLength(all.length);
  for (const [typed, char] of Object.entries({
    tada: '🎉',
    thumbs_up: '👍',
    '+1': '👍',
    de: '🇩🇪',
    seedling: '🌱',
    jellyfish: '🪼',
  }))
    expect([typed, best(typed, all)]).toEqual([typed, char]);
  for (const [typed, char] of Object.entries({ daumen: '👍', qualle: '🪼', jellyfish: '🪼', österreich: '🇦🇹' }))
    expect([typed, best(typed, german)]).toEqual([typed, char]);
  expect(best('xqzwv', all)).toBeUndefined();
  expect(german.find((e) => e.char === '👍')?.label).toBe('Daumen hoch');
});

test('who shows one person is shown in a skin tone', () => {
  for (const [char, dark] of Object.entries({
    '👍': '👍🏿',
    '✌️': '✌🏿',
    '👩\u200d💻': '👩🏿\u200d💻',
    '🕵️\u200d♀️': '🕵🏿\u200d♀️',
    '🎉': '🎉',
    '👩\u200d❤️\u200d👨': '👩\u200d❤️\u200d👨',
  })) {
    expect(toned(char, 5)).toBe(dark);
    expect(toned(char, 0)).toBe(char);
    expect(bare(untoned(dark))).toBe(bare(char));
  }
});

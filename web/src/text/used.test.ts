import { describe, expect, test } from 'vitest';
import { first, keysIn, laters, names, soon } from '../testing/loads';
import { allTexts, nameOf, parts, texts } from '../testing/texts';

const keysOf = (part: string) => [...new Set(Object.keys(texts(part, 'en')).map(nameOf))];
const places = new Map(parts.flatMap((part) => keysOf(part).map((key) => [key, part])));
const keys = [...places.keys()];
const pages = laters().map((page) => ({ ...page, keys: keysIn(page.files, keys) }));
const atFirst = new Set(keysIn(first, keys));

test('every text is used', () => {
  const used = new Set(keysIn(names, keys));
  expect(keys.filter((key) => !used.has(key))).toEqual([]);
});

test('a text stands in one part', () => {
  const count = parts.reduce((n, part) => n + Object.keys(texts(part, 'en')).length, 0);
  expect(count).toBe(Object.keys(allTexts('en')).length);
});

test('the first load has the texts that it uses', () => {
  expect(pages.length).toBeGreaterThan(10);
  expect([...soon]).toEqual(['refused']);
  const has = (part = '') => !part || soon.has(part);
  expect([...atFirst].filter((key) => !has(places.get(key)))).toEqual([]);
});

describe('what is loaded later', () => {
  test.each(pages.map((page) => [page.name, page] as const))('%s has the texts that it uses', (_, page) => {
    expect(page.keys.filter((key) => places.get(key) && !page.parts.has(places.get(key)!))).toEqual([]);
    expect([...page.parts].filter((part) => !parts.includes(part))).toEqual([]);
    // A part is worth its request.
    expect([...page.parts].filter((part) => !page.keys.some((key) => places.get(key) === part))).toEqual([]);
  });
});

test('the first load has no texts that only pages use which load a part of them', () => {
  const idle = keysOf('').filter((key) => {
    if (atFirst.has(key)) return false;
    const users = pages.filter((page) => page.keys.includes(key));
    return users.length > 0 && parts.some((part) => part && users.every((page) => page.parts.has(part)));
  });
  expect(idle).toEqual([]);
});

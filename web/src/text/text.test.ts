import { describe, expect, test, vi } from 'vitest';
import { sources } from '../testing/sources';
import { allTexts, languages, nameOf, parts, texts } from '../testing/texts';
import { choose, directionOf, language, ownName } from './language.svelte';

const english = allTexts('en');
const counted = Object.keys(english).flatMap((k) => (k.endsWith('_other') ? [nameOf(k)] : []));
const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();

/** The keys that a language needs of a part: those of English, with its own plural forms. */
function needed(part: string, tag: string): string[] {
  const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
  const has = Object.keys(texts(part, 'en'));
  const plain = has.filter((k) => nameOf(k) === k);
  const inForms = has.filter((k) => k.endsWith('_other')).flatMap((k) => forms.map((f) => `${nameOf(k)}_${f}`));
  return [...plain, ...inForms].sort();
}

describe.each(languages)('%s', (tag) => {
  test.each(parts.map((part) => [part || 'the first load', part]))('has every text of %s, and no other', (_, part) => {
    const words = texts(part, tag);
    expect(Object.keys(words).sort()).toEqual(needed(part, tag));
    expect(Object.entries(words).filter(([, text]) => !text.trim())).toEqual([]);
  });

  test('leaves the same places to fill in', () => {
    for (const [key, text] of Object.entries(allTexts(tag))) {
      const original = english[key] ?? english[`${nameOf(key)}_other`] ?? '';
      // A form for one or two may say the number in words.
      const may =
        nameOf(key) !== key && !key.endsWith('_other')
          ? holes(original).filter((h) => h !== '{count}' || text.includes(h))
          : holes(original);
      expect(holes(text), key).toEqual(may);
    }
  });
});

test('every text that the source asks for by name is there', () => {
  const asked = sources().flatMap(({ text }) => [...text.matchAll(/\bt\('([^']+)'/g)].map((m) => m[1] ?? ''));
  expect(asked.length).toBeGreaterThan(200);
  expect(asked.filter((k) => !(k in english) && !counted.includes(k))).toEqual([]);
});

test('the texts of a part come when they are added, also while another language comes', async () => {
  const said = () => language.say('browse.title', {});
  expect(said()).toBe('browse.title');
  await language.add(['dialog']);
  expect(said()).toBe(english['browse.title']);

  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: {} });
  await Promise.all([language.use('de'), language.add(['dashboard'])]);
  for (const key of ['browse.title', 'dashboard.add']) expect(language.say(key, {})).toBe(allTexts('de')[key]);
  await language.use('en');
  for (const key of ['browse.title', 'dashboard.add']) expect(language.say(key, {})).toBe(english[key]);
  vi.unstubAllGlobals();
});

test('the language is the dearest one that there is', () => {
  const have = ['en', 'de', 'pt-BR'];
  expect(choose(['fr', 'de-AT', 'en'], have)).toEqual({ catalogue: 'de', locale: 'de-AT' });
  expect(choose(['pt-br'], have)).toEqual({ catalogue: 'pt-BR', locale: 'pt-br' });
  expect(choose(['pt-PT', 'en-GB'], have)).toEqual({ catalogue: 'en', locale: 'en-GB' });
  expect(choose(['zh-Hant-TW'], have)).toEqual({ catalogue: 'en', locale: 'en' });
});

test('a name of another direction stands apart from the words around it', () => {
  const say = (name: string) => language.say('system.joined', { subject: name });
  expect(say('Ann')).toBe('Ann joined');
  expect(say('بدر')).toBe('\u2068بدر\u2069 joined');
});

test('a language knows its direction and its name', () => {
  expect(['de', 'ar-EG', 'he'].map(directionOf)).toEqual(['ltr', 'rtl', 'rtl']);
  expect(['de', 'en'].map(ownName)).toEqual(['Deutsch', 'English']);
});

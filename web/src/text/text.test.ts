import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import english from './en.json';
import { choose, directionOf, language, ownName } from './language.svelte';

type Catalogue = Record<string, string>;

const here = new URL('./', import.meta.url);
const tags = readdirSync(here).flatMap((f) => (f.endsWith('.json') ? [f.slice(0, -'.json'.length)] : []));
const read = (tag: string) => JSON.parse(readFileSync(new URL(`${tag}.json`, here), 'utf8')) as Catalogue;

const plural = /_(zero|one|two|few|many|other)$/;
const counted = Object.keys(english).flatMap((k) => (k.endsWith('_other') ? [k.slice(0, -'_other'.length)] : []));
const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();

/** The keys that a language needs: those of English, with its own plural forms. */
function needed(tag: string): string[] {
  const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
  const plain = Object.keys(english).filter((k) => !plural.test(k));
  return [...plain, ...counted.flatMap((k) => forms.map((f) => `${k}_${f}`))].sort();
}

describe.each(tags)('%s', (tag) => {
  const words = read(tag);

  test('has every text, and none that nobody asks for', () => {
    expect(Object.keys(words).sort()).toEqual(needed(tag));
    expect(Object.entries(words).filter(([, text]) => !text.trim())).toEqual([]);
  });

  test('leaves the same places to fill in', () => {
    for (const [key, text] of Object.entries(words)) {
      const original = (english as Catalogue)[key] ?? (english as Catalogue)[key.replace(plural, '_other')] ?? '';
      // A form for one or two may say the number in words.
      const may =
        plural.test(key) && !key.endsWith('_other')
          ? holes(original).filter((h) => h !== '{count}' || text.includes(h))
          : holes(original);
      expect(holes(text), key).toEqual(may);
    }
  });
});

test('every text that the source asks for by name is there', () => {
  const src = new URL('../', here);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (f) => /\.(ts|svelte)$/.test(f) && !f.includes('.test.'),
  );
  const asked = files.flatMap((f) =>
    [...readFileSync(new URL(f, src), 'utf8').matchAll(/\bt\('([^']+)'/g)].map((m) => m[1] ?? ''),
  );
  expect(asked.length).toBeGreaterThan(200);
  expect(asked.filter((k) => !(k in english) && !counted.includes(k))).toEqual([]);
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

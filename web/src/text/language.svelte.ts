// The languages of the client. Each has a JSON file beside this one, named by its
// tag, with the texts of the first load, and one in the folder of each part: the
// texts of pages that are loaded later. Who adds these files has added a language.

import { storage } from '../platform/storage.svelte';
import english from './en.json';

type Catalogue = Record<string, string>;

const files = import.meta.glob<Catalogue>(['./**/*.json', '!./en.json'], { import: 'default' });
// By name: de, and for the texts of a part admin/de.
const loaders = new Map(Object.entries(files).map(([path, load]) => [path.slice('./'.length, -'.json'.length), load]));

/** The tags of the languages there are, English first. */
export const tags: readonly string[] = ['en', ...[...loaders.keys()].filter((name) => !name.includes('/'))];

const words = new Map<string, Catalogue>([['en', { ...english }]]);
const read = new Set<string>();

/** All that is read of a language. */
function wordsOf(tag: string): Catalogue {
  const all = words.get(tag) ?? {};
  words.set(tag, all);
  return all;
}

/** Reads the texts of these parts in a language; '' are those of the first load. What it has not got is English. */
async function readParts(tag: string, parts: readonly string[]): Promise<void> {
  const one = async (part: string) => {
    const name = part ? `${part}/${tag}` : tag;
    if (read.has(name)) return;
    const load = loaders.get(name) ?? loaders.get(`${part}/en`);
    Object.assign(wordsOf(tag), await load?.());
    read.add(name);
  };
  await Promise.all(parts.map(one));
}

/** A choice: the catalogue, and the tag by which dates and numbers are written. */
export interface Choice {
  catalogue: string;
  locale: string;
}

/** Chooses for somebody who reads these languages, the dearest first. A region that has no file takes its language's. */
export function choose(wanted: readonly string[], have: readonly string[] = tags): Choice {
  for (const tag of wanted) {
    for (let part = tag; part; part = part.slice(0, Math.max(0, part.lastIndexOf('-')))) {
      const catalogue = have.find((t) => t.toLowerCase() === part.toLowerCase());
      if (catalogue) return { catalogue, locale: tag };
    }
  }
  return { catalogue: 'en', locale: 'en' };
}

const rightToLeft = new Set(['ar', 'ckb', 'dv', 'fa', 'he', 'ks', 'ps', 'sd', 'ug', 'ur', 'yi']);

/** The direction in which a language is written. */
export function directionOf(tag: string): 'ltr' | 'rtl' {
  return rightToLeft.has(new Intl.Locale(tag).language) ? 'rtl' : 'ltr';
}

const isolate = String.fromCharCode(0x2068);
const isolateEnd = String.fromCharCode(0x2069);

// The blocks of the scripts that are written from right to left.
const fromRight = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A name within a sentence: one of another direction stands apart from the words
 * around it (first strong isolate, and its end), and does not turn their order.
 */
const within = (name: string): string => (fromRight.test(name) ? isolate + name + isolateEnd : name);

/** What a language calls itself. */
export function ownName(tag: string): string {
  const name = new Intl.DisplayNames([tag], { type: 'language' }).of(tag) ?? tag;
  return name.charAt(0).toLocaleUpperCase(tag) + name.slice(1);
}

/** A language as it is spoken now: its words, and how it writes numbers. */
class Spoken {
  readonly locale: string;
  readonly #words: Catalogue;
  readonly #plural: Intl.PluralRules;
  readonly #number: Intl.NumberFormat;
  // Words that a translation has not got yet are English, plural forms and all.
  readonly #fallback: Spoken | undefined;

  constructor(locale: string, words: Catalogue, fallback?: Spoken) {
    this.locale = locale;
    this.#words = words;
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale);
    this.#fallback = fallback;
  }

  say(key: string, values: Record<string, string | number>): string {
    const { count } = values;
    const form = typeof count === 'number' ? this.#words[`${key}_${this.#plural.select(count)}`] : undefined;
    const text = form ?? this.#words[key] ?? this.#words[`${key}_other`];
    if (text === undefined) return this.#fallback?.say(key, values) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return typeof value === 'number' ? this.#number.format(value) : value === undefined ? whole : within(value);
    });
  }
}

const inEnglish = new Spoken('en', wordsOf('en'));

/** The language of the page. Reading from it follows it. */
class Language {
  #now: Spoken = $state.raw(inEnglish);
  #tag = 'en';
  readonly #parts = new Set(['']);
  #asked = 0;
  /** what the browser asks for, the dearest first */
  preferred: readonly string[] = [];

  /** the tag by which dates, lists and numbers are written */
  get locale(): string {
    return this.#now.locale;
  }

  say(key: string, values: Record<string, string | number>): string {
    return this.#now.say(key, values);
  }

  /** Speaks the saved language, or else one of the browser's. Stays as it is if the words cannot be loaded. */
  async use(saved: string): Promise<void> {
    const mine = ++this.#asked;
    this.preferred = navigator.languages;
    const { catalogue, locale } = choose(saved ? [saved] : navigator.languages);
    // Who reads German in Vienna wants the dates of Vienna.
    const nearest = navigator.languages.find((l) => l.startsWith(`${locale}-`)) ?? locale;
    try {
      for (let had = 0; had < this.#parts.size; ) {
        had = this.#parts.size; // a page may ask for more of them meanwhile
        await readParts(catalogue, [...this.#parts]);
      }
    } catch {
      return;
    }
    if (mine !== this.#asked) return; // another was chosen while this one came
    this.#tag = catalogue;
    this.#now = nearest === 'en' ? inEnglish : new Spoken(nearest, wordsOf(catalogue), inEnglish);
    document.documentElement.lang = catalogue;
    document.documentElement.dir = directionOf(catalogue);
  }

  /** Has the texts of these parts from now on, in each language that is chosen. Fails if they cannot be loaded. */
  async add(parts: readonly string[]): Promise<void> {
    for (const part of parts) this.#parts.add(part);
    for (let tag = ''; tag !== this.#tag; ) {
      tag = this.#tag; // another may be chosen meanwhile
      await readParts(tag, parts);
    }
  }
}

export const language = new Language();

// What was chosen is kept on the device too: the page before the sign-in, and
// the moment until the profile is here, are in the same language.
const store = 'unhidra.locale';

export const remembered = (): string => storage.get(store) ?? '';

/** Speaks the language of a profile from now on. */
export function speak(saved: string): void {
  if (saved) storage.set(store, saved);
  else storage.remove(store);
  void language.use(saved);
}

// The languages of the client. Each is one JSON file beside this one, named by
// its tag: who adds a file has added a language.

import { storage } from '../platform/storage.svelte';
import english from './en.json';

type Catalogue = Record<string, string>;

const files = import.meta.glob<Catalogue>(['./*.json', '!./en.json'], { import: 'default' });
const loaders = new Map(Object.entries(files).map(([path, load]) => [path.slice('./'.length, -'.json'.length), load]));

/** The tags of the languages there are, English first. */
export const tags: readonly string[] = ['en', ...loaders.keys()];

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

const inEnglish = new Spoken('en', english);

/** The language of the page. Reading from it follows it. */
class Language {
  #now: Spoken = $state.raw(inEnglish);
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
    let words: Catalogue | undefined;
    try {
      words = await loaders.get(catalogue)?.();
    } catch {
      return;
    }
    if (mine !== this.#asked) return; // another was chosen while this one came
    this.#now = words
      ? new Spoken(nearest, words, inEnglish)
      : nearest === 'en'
        ? inEnglish
        : new Spoken(nearest, english);
    document.documentElement.lang = catalogue;
    document.documentElement.dir = directionOf(catalogue);
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

import { readdirSync, readFileSync } from 'node:fs';

export type Catalogue = Record<string, string>;

const dir = new URL('../text/', import.meta.url);
const tagsIn = (part: string) =>
  readdirSync(new URL(part && `${part}/`, dir)).flatMap((f) => (f.endsWith('.json') ? [f.slice(0, -5)] : []));

/** The parts of the texts: '' is what the first load has, the others are folders. */
export const parts: readonly string[] = [
  '',
  ...readdirSync(dir, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? [f.name] : [])),
];

/** The languages that there are. */
export const languages: readonly string[] = tagsIn('');

/** The texts of a part in a language; none if it has no file. */
export function texts(part: string, tag: string): Catalogue {
  if (!tagsIn(part).includes(tag)) return {};
  return JSON.parse(readFileSync(new URL(part ? `${part}/${tag}.json` : `${tag}.json`, dir), 'utf8')) as Catalogue;
}

/** All texts in a language. */
export const allTexts = (tag: string): Catalogue => Object.assign({}, ...parts.map((p) => texts(p, tag)));

/** A key without its plural form, as the sources name it. */
export const nameOf = (key: string): string => key.replace(/_(zero|one|two|few|many|other)$/, '');

/** The hue, in degrees, that stands for an id: the same everywhere, for ever. */
export function hueOf(id: string): number {
  let h = 2166136261;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 16777619);
  return ((h >>> 0) % 24) * 15;
}

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function first(word: string): string {
  for (const { segment } of letters.segment(word)) return segment.toLocaleUpperCase();
  return '';
}

/** One or two characters that stand for a name. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const [a = '', ...rest] = words;
  const last = rest.at(-1);
  return last ? first(a) + first(last) : first(a) || '?';
}

/** The hues of the colours that a room may have, as the server names them; grey has none. */
export const roomColours: Readonly<Record<string, number | undefined>> = {
  red: 22,
  orange: 48,
  amber: 80,
  green: 145,
  teal: 178,
  cyan: 215,
  blue: 256,
  violet: 297,
  pink: 350,
  grey: undefined,
};

/** What stands for a room's name: its first letter or digit, or #. */
export function letterOf(name: string): string {
  const one = first(name.trim());
  return /[\p{L}\p{N}]/u.test(one) ? one : '#';
}

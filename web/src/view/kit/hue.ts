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

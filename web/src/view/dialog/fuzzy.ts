/**
 * How well a typed text fits a name: 0 is not at all. Beginnings of words count
 * most, then letters in a row, then letters in order.
 */
export function fit(typed: string, name: string): number {
  const q = fold(typed);
  const s = fold(name);
  if (!q) return 1;
  const at = s.indexOf(q);
  if (at === 0) return 100 - Math.min(20, s.length - q.length) / 2;
  if (at > 0) return (/[\s._#@-]/.test(s.charAt(at - 1)) ? 80 : 60) - Math.min(20, at) / 2;
  let from = 0;
  let gaps = 0;
  for (const c of q) {
    const i = s.indexOf(c, from);
    if (i < 0) return 0;
    gaps += i - from;
    from = i + c.length;
  }
  return Math.max(1, 40 - gaps);
}

function fold(s: string): string {
  return s
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLocaleLowerCase()
    .trim();
}

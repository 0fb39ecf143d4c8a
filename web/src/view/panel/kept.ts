/**
 * Keeps the focus in a list of kept messages after row i was taken off it: at what has come to its place, or where
 * nothing is left, at otherwise.
 */
export function focusAfter(list: HTMLElement | undefined, i: number, otherwise: HTMLElement | null | undefined): void {
  const rows = list?.querySelectorAll<HTMLElement>('[data-kept]') ?? [];
  (rows[Math.min(i, rows.length - 1)] ?? otherwise)?.focus();
}

/**
 * Puts a popover beside what opened it: below and towards the line's start if
 * there is room, above or the other way if not, and always on the screen.
 */
export function place(box: HTMLElement, anchor: Element, gap = 4): void {
  const a = anchor.getBoundingClientRect();
  const b = box.getBoundingClientRect();
  const edge = 8;
  const below = a.bottom + gap;
  const top = below + b.height + edge <= innerHeight ? below : Math.max(edge, a.top - gap - b.height);
  const rtl = getComputedStyle(anchor).direction === 'rtl';
  const fromStart = rtl ? a.right - b.width : a.left;
  const fromEnd = rtl ? a.left : a.right - b.width;
  const fits = (x: number) => x >= edge && x + b.width + edge <= innerWidth;
  const left = fits(fromStart) ? fromStart : fromEnd;
  box.style.top = `${top}px`;
  box.style.left = `${Math.min(Math.max(edge, left), Math.max(edge, innerWidth - b.width - edge))}px`;
}

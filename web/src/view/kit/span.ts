const step = 10;

/** The rows of a list that are worth rendering: those on the screen and around it, in steps, so that small moves change nothing. */
export function span(count: number, height: number, top: number, screen: number): { from: number; to: number } {
  const over = screen; // one more screen on either side
  const last = Math.max(0, count - step);
  const from = Math.min(last, Math.max(0, Math.floor((top - over) / height / step) * step));
  const to = Math.min(count, Math.ceil((top + screen + over) / height / step) * step);
  return { from, to: Math.max(to, Math.min(count, from + step)) };
}

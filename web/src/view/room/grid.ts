export type Step = 'on' | 'back' | 'up' | 'down';

/**
 * The item after a step from the current one, in a grid of sections that each begin
 * a row. Up and down keep the column, or take the last item of a shorter row. At
 * the edges the current one stays.
 */
export function stepIn(sizes: readonly number[], columns: number, current: number, step: Step): number {
  const rows: { from: number; to: number }[] = [];
  let end = 0;
  for (const size of sizes) {
    const start = end;
    end += size;
    for (let from = start; from < end; from += columns) rows.push({ from, to: Math.min(from + columns, end) });
  }
  if (step === 'on') return Math.max(0, Math.min(current + 1, end - 1));
  if (step === 'back') return Math.max(0, current - 1);
  const at = rows.findIndex((r) => current < r.to);
  const here = rows[at];
  const there = rows[step === 'down' ? at + 1 : at - 1];
  return here && there ? Math.min(there.from + current - here.from, there.to - 1) : current;
}
